// Who is locked out, and who tries what he should not.
local alert = import '../lib/alert.libsonnet';
local diagnoses = import '../lib/diagnoses.libsonnet';

function(config) {
  local exprs = (import '../lib/exprs.libsonnet') { config:: config },
  local where = '{{ $labels.cluster }} ({{ $labels.account }}, {{ $labels.region }})',
  local page = 'docs/diagnoses/{{ $labels.diagnosis }}.md',
  local new(name, expr, summary, description, doc=page) = alert.new(config, name, expr, summary, description, doc),

  name: 'eks-authlog.clusters',
  rules: [
    new(
      'EKSAuthMappingBroken',
      exprs.affected(diagnoses.mapping),
      'aws-auth of cluster %s is broken.' % where,
      |||
        {{ $labels.diagnosis }} on cluster {{ $labels.cluster }}: whom aws-auth maps is locked out, nodes
        included. {{ $value }} principals were denied since. /lockouts has the evidence and the commands.
      |||,
    ),
    new(
      'EKSNodesLockedOut',
      exprs.affected(diagnoses.nodes),
      'Nodes of cluster %s cannot join.' % where,
      |||
        {{ $labels.diagnosis }} on cluster {{ $labels.cluster }}: {{ $value }} node roles are affected. New
        nodes stay NotReady, and present ones fall out when their token ends.
      |||,
    ),
    new(
      'EKSStsBroken',
      exprs.affected(diagnoses.sts),
      'STS does not answer the callers of cluster %s.' % where,
      |||
        {{ $labels.diagnosis }} on cluster {{ $labels.cluster }}: the authenticator cannot ask STS who calls, so
        valid tokens are refused. {{ $value }} principals are known to be affected; most are not named in
        the log.
      |||,
    ),
    new(
      'EKSManyPrincipalsDenied',
      |||
        max by (%(cluster)s) (eks_authn_denied_principals{%(selector)s, reason="arn_not_mapped"}) >= %(principals)d
        %(unless)s
      ||| % { cluster: exprs.cluster, selector: config.selector, principals: config.alerts.EKSManyPrincipalsDenied.principals, unless: exprs.unlessAllOut },
      'Many principals are not mapped on cluster %s.' % where,
      |||
        {{ $value }} different principals were denied on cluster {{ $labels.cluster }} within an hour because
        nothing maps them. A mapping was taken away, or many came to the wrong cluster.
      |||,
      'docs/reasons/arn_not_mapped.md',
    ),
    new(
      'EKSPrincipalLostAccess',
      exprs.affected(diagnoses.lost),
      'Principals lost their access to cluster %s.' % where,
      |||
        {{ $labels.diagnosis }} on cluster {{ $labels.cluster }}: {{ $value }} principals that were let in before
        are denied now.
      |||,
    ),
    new(
      'EKSDeniedLoop',
      |||
        sum by (%(cluster)s, principal) (increase(eks_authn_principal_denials_total{%(selector)s, principal!="other"}[%(window)s])) > %(denials)d
        %(unless)s
      ||| % config.alerts.EKSDeniedLoop { cluster: exprs.cluster, selector: config.selector, unless: exprs.unlessAllOut },
      'A principal is denied over and over on cluster %s.' % where,
      |||
        {{ $labels.principal }} was denied {{ printf "%%.0f" $value }} times within %s on cluster
        {{ $labels.cluster }}: a program retries what cannot succeed.
      ||| % config.alerts.EKSDeniedLoop.window,
      'docs/diagnoses/denied_principal_loop.md',
    ),
    new(
      'EKSDenialSpike',
      |||
        (
          cluster:eks_authn_denials:rate10m > %(factor)d * cluster:eks_authn_denials:usual
          and
          cluster:eks_authn_denials:rate10m > %(perSecond)g
        )
        %(unless)s
      ||| % config.alerts.EKSDenialSpike { unless: exprs.unlessAllOut },
      'Far more denials than usual on cluster %s.' % where,
      |||
        Cluster {{ $labels.cluster }} refuses {{ printf "%%.2f" $value }} requests a second, more than %d times
        what is usual there. The dashboard of the cluster shows the reasons.
      ||| % config.alerts.EKSDenialSpike.factor,
      'docs/reasons/README.md',
    ),
    new(
      'EKSForeignAccount',
      exprs.affected(['foreign_account_probe']),
      'A foreign account tries to enter cluster %s.' % where,
      |||
        {{ $value }} principals of an account that is not trusted were denied on cluster
        {{ $labels.cluster }}. /diagnoses names the account.
      |||,
    ),
    new(
      'EKSRootUser',
      exprs.affected(['root_user_attempt']),
      'The root user of an account tried to enter cluster %s.' % where,
      |||
        {{ $value }} root users were denied on cluster {{ $labels.cluster }}. Root cannot be mapped; find out
        who holds its keys.
      |||,
    ),
    new(
      'EKSCredentialProbe',
      exprs.affected(['credential_probe']),
      'Somebody tries tokens or keys on cluster %s.' % where,
      |||
        Requests with many kinds of bad tokens come to cluster {{ $labels.cluster }}. {{ $value }} principals are
        known; most such requests name none.
      |||,
    ),
    new(
      'EKSClockSkew',
      exprs.affected(['clock_skew']),
      'A clock is wrong at a client of cluster %s.' % where,
      |||
        Requests to cluster {{ $labels.cluster }} are signed with a time that is off by more than STS allows.
        {{ $value }} principals are known; the log does not name the others.
      |||,
    ),
  ],
}
