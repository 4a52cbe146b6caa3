// One cluster: what is wrong, and for whom. Its name is a part of the API's
// paths, so one is chosen at a time; where two accounts have a cluster of that
// name, the API shows both and says which is which.
local panel = import '../lib/panel.libsonnet';

function(dashboard) (
  local m = dashboard.cluster;
  local self_ = '/clusters/${cluster:percentencode}';
  local toPrincipal = panel.link('Principal', dashboard.url('principal') + '&${account:queryparam}&${region:queryparam}&${cluster:queryparam}&var-principal=${__data.fields.principal}');

  dashboard { variables+:: { cluster+: dashboard.single } }.new(
    'cluster',
    'Cluster',
    'One cluster: who is denied, why, and what changed before.',
    ['datasource', 'infinity', 'api', 'job', 'instance', 'account', 'region', 'cluster', 'reason'],
    [
      ['Cluster', 'The API: what is known of the cluster', self_],
      ['Lockouts', 'The API: who is locked out of it', self_ + '/lockouts'],
      ['Denials', 'The API: every refused request', self_ + '/denials'],
    ],
    [
      ['Now', 4, [
        panel.stat(
          'Critical diagnoses',
          'Open diagnoses of severity critical.',
          'short',
          'sum(max by (cluster, account, region, diagnosis) (eks_authn_diagnosis_active{%s, severity="critical"})) or vector(0)' % m,
          [{ color: 'red', value: 1 }],
        ),
        panel.stat(
          'Affected principals',
          'Principals that the open diagnoses are about.',
          'short',
          'sum(max by (cluster, account, region, diagnosis) (eks_authn_diagnosis_affected_principals{%(m)s}) and max by (cluster, account, region, diagnosis) (eks_authn_diagnosis_active{%(m)s, severity=~"critical|warning"}) == 1) or vector(0)' % { m: m },
        ),
        panel.stat(
          'Denials',
          'Refused requests within the time range.',
          'short',
          'sum(increase(eks_authn_denials_total{%s, reason=~"$reason"}[$__range]))' % m,
        ),
        panel.stat(
          'Share denied',
          'Denied of all requests that were decided, within the time range.',
          'percentunit',
          'sum(increase(eks_authn_events_total{%(m)s, outcome="denied"}[$__range])) / sum(increase(eks_authn_events_total{%(m)s, outcome=~"denied|granted"}[$__range]))' % { m: m },
        ),
        panel.stat(
          'Last line',
          'Event time of the newest line of the log.',
          'dateTimeFromNow',
          'max(eks_authn_last_event_timestamp_seconds{%s}) * 1000' % m,
        ),
        panel.stat(
          'Logging',
          'Whether EKS says that the authenticator log is on. No value: it may not be asked.',
          'bool_on_off',
          'min(eks_authn_logging_enabled{%s})' % m,
        ),
      ]],
      ['What is wrong', 9, [
        panel.timeline(
          'Diagnoses',
          'All diagnoses, while they were open.',
          [panel.range('max by (cluster, account, region, diagnosis) (eks_authn_diagnosis_active{%s}) == 1' % m, '{{diagnosis}} {{cluster}} {{region}}')],
          { '1': { color: 'red', text: 'open' } },
        ) { w:: 10 },
        panel.api(
          'Lockouts',
          'Open lockouts of the cluster, from the API. The code leads to the evidence and the commands.',
          self_ + '/lockouts?limit=100',
          'lockouts',
          [
            ['severity', 'severity', 'string'],
            ['cluster.account', 'account', 'string'],
            ['cluster.region', 'region', 'string'],
            ['code', 'code', 'string'],
            ['summary', 'summary', 'string'],
            ['affected_total', 'affected', 'number'],
            ['first_seen', 'since', 'timestamp'],
            ['who_acts', 'who acts', 'string'],
            ['url', 'url', 'string'],
          ],
          [
            panel.column('code', { links: panel.link('Diagnosis', '${api}${__data.fields.url}', true) }),
            panel.column('summary', { 'custom.minWidth': 300 }),
            panel.column('url', { 'custom.hideFrom': { viz: true, legend: true, tooltip: true } }),
          ],
        ) { w:: 14 },
      ]],
      ['Denials', 10, [
        panel.timeseries(
          'Denials by reason',
          'Refused requests a second. /reasons explains the codes.',
          'reqps',
          [panel.range('sum by (reason) (rate(eks_authn_denials_total{%s, reason=~"$reason"}[$__rate_interval])) > 0' % m, '{{reason}}')],
          stacked=true,
        ),
        panel.timeseries(
          'Denied principals',
          'Different principals that were denied in the last hour of the log, by reason.',
          'short',
          [panel.range('max by (cluster, account, region, reason) (eks_authn_denied_principals{%s, reason=~"$reason"}) > 0' % m, '{{reason}}')],
        ),
        panel.table(
          'Top denied principals',
          'The 20 that were denied most within the time range. "other" are all beyond the first 200 that the analyzer has series for; the API knows them all.',
          'short',
          [panel.instant('topk(20, sum by (principal, cluster, account, region) (increase(eks_authn_principal_denials_total{%s, reason=~"$reason"}[$__range])))' % m)],
          [['principal', 'principal'], ['Value', 'denials'], ['cluster', 'cluster'], ['account', 'account'], ['region', 'region']],
          [
            panel.column('principal', { links: toPrincipal, 'custom.minWidth': 300 }),
            panel.column('denials', { decimals: 0 }),
          ],
        ),
      ]],
      ['By layer', 9, [
        panel.timeseries(
          'STS by reason',
          'Requests a second that were refused since STS gave an error or could not be asked.',
          'reqps',
          [panel.range('sum by (reason) (rate(eks_authn_denials_total{%s, reason=~"sts_.+"}[$__rate_interval]))' % m, '{{reason}}')],
        ),
        panel.timeseries(
          'Nodes by reason',
          'Requests a second that were refused while the name of an EC2 instance was looked up or used.',
          'reqps',
          [panel.range('sum by (reason) (rate(eks_authn_denials_total{%s, reason=~"ec2_.+|session_not_instance_id|mapping_template_error"}[$__rate_interval]))' % m, '{{reason}}')],
        ),
        panel.timeseries(
          'Without an identity',
          'Requests a second whose token was refused before it was known whose it was. The log names nobody.',
          'reqps',
          [panel.range('sum by (reason) (rate(eks_authn_denials_total{%s, reason=~"token_.+"}[$__rate_interval]))' % m, '{{reason}}')],
        ),
      ]],
      ['Log and configuration', 9, [
        panel.timeseries(
          'Lines by outcome',
          'Lines of the authenticator log a second.',
          'cps',
          [panel.range('sum by (outcome) (rate(eks_authn_events_total{%s}[$__rate_interval]))' % m, '{{outcome}}')],
          stacked=true,
        ),
        panel.timeseries(
          'aws-auth and restarts',
          'Lines that tell of the configuration: aws-auth read, broken or deleted, the watch on it, starts. Every API server writes its own.',
          'short',
          [panel.range('sum by (marker) (increase(eks_authn_markers_total{%s}[$__rate_interval])) > 0' % m, '{{marker}}')],
        ),
        panel.timeseries(
          'Not understood',
          'Denials of no known reason, and lines that were cut or do not follow the grammar.',
          'cps',
          [
            panel.range('sum(rate(eks_authn_unclassified_denials_total{%s}[$__rate_interval]))' % m, 'unclassified denials'),
            panel.range('sum(rate(eks_authn_unreadable_lines_total{%s}[$__rate_interval]))' % m, 'unreadable lines'),
          ],
        ),
      ]],
      ['Newest denials', 10, [
        panel.api(
          'Most denied',
          'Principals and reasons with the most denials within the time range, from the API: of all principals. Empty: the log names nobody.',
          self_ + '/denials/stats?by=principal,reason&limit=50&start=${__from:date:iso}&end=${__to:date:iso}',
          'top',
          [
            ['principal', 'principal', 'string'],
            ['reason', 'reason', 'string'],
            ['count', 'denials', 'number'],
          ],
          [panel.column('principal', { links: toPrincipal, 'custom.minWidth': 300 })],
        ),
        panel.api(
          'STS errors by endpoint',
          'The newest refusals that STS had a part in, and the endpoint that was asked: global or of a region. The error is text of the log.',
          self_ + '/denials?limit=100&filter=layer%3D%22sts%22&start=${__from:date:iso}&end=${__to:date:iso}',
          'denials',
          [
            ['time', 'time', 'timestamp'],
            ['account', 'account', 'string'],
            ['region', 'region', 'string'],
            ['reason', 'reason', 'string'],
            ['sts_endpoint', 'endpoint', 'string'],
            ['error', 'error', 'string'],
          ],
        ),
        panel.api(
          'Newest denials',
          'The newest refused requests within the time range. The error is text of the log.',
          self_ + '/denials?limit=200&start=${__from:date:iso}&end=${__to:date:iso}',
          'denials',
          [
            ['time', 'time', 'timestamp'],
            ['account', 'account', 'string'],
            ['region', 'region', 'string'],
            ['reason', 'reason', 'string'],
            ['principal.arn', 'principal', 'string'],
            ['principal.session', 'session', 'string'],
            ['error', 'error', 'string'],
            ['who_acts', 'who acts', 'string'],
          ],
          [panel.column('principal', { links: toPrincipal, 'custom.minWidth': 300 })],
        ),
      ]],
    ],
  )
)
