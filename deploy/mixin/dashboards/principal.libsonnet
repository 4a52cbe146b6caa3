// One principal across clusters. The API knows every principal; the list in the
// variable has those with series of their own, and takes any other ARN too.
local panel = import '../lib/panel.libsonnet';

function(dashboard) (
  local m = dashboard.cluster + ', principal="$principal"';
  local self_ = '/principals/${principal:percentencode}';

  dashboard { variables+:: { principal+: dashboard.single { allowCustomValue: true } } }.new(
    'principal',
    'Principal',
    'One principal on every cluster: where it was let in, where it was denied, and why.',
    ['datasource', 'infinity', 'api', 'job', 'instance', 'account', 'region', 'cluster', 'principal', 'reason'],
    [
      ['Principal', 'The API: what became of the principal', self_],
    ],
    [
      ['Clusters', 8, [
        panel.api(
          'By cluster',
          'Where the principal came, from the API: let in and denied, first and last.',
          self_,
          'clusters',
          [
            ['cluster.name', 'cluster', 'string'],
            ['cluster.account', 'account', 'string'],
            ['cluster.region', 'region', 'string'],
            ['grants', 'grants', 'number'],
            ['denials', 'denials', 'number'],
            ['last_grant', 'last grant', 'timestamp'],
            ['first_denial', 'first denial', 'timestamp'],
            ['last_denial', 'last denial', 'timestamp'],
            ['kind', 'kind', 'string'],
          ],
          [panel.column('cluster', { links: panel.link('Cluster', dashboard.url('cluster') + '&var-cluster=${__data.fields.cluster}&var-account=${__data.fields.account}&var-region=${__data.fields.region}') })],
        ),
        panel.api(
          'Diagnoses',
          'Diagnoses that name the principal, from the API. The code leads to the evidence and the commands.',
          self_,
          'diagnoses',
          [
            ['state', 'state', 'string'],
            ['severity', 'severity', 'string'],
            ['cluster.name', 'cluster', 'string'],
            ['code', 'code', 'string'],
            ['summary', 'summary', 'string'],
            ['first_seen', 'since', 'timestamp'],
            ['url', 'url', 'string'],
          ],
          [
            panel.column('code', { links: panel.link('Diagnosis', '${api}${__data.fields.url}', true) }),
            panel.column('summary', { 'custom.minWidth': 300 }),
            panel.column('url', { 'custom.hideFrom': { viz: true, legend: true, tooltip: true } }),
          ],
        ),
      ]],
      ['Denials', 9, [
        panel.timeseries(
          'Denials by cluster and reason',
          'Refused requests of the principal a second.',
          'reqps',
          [panel.range('sum by (cluster, account, region, reason) (rate(eks_authn_principal_denials_total{%s, reason=~"$reason"}[$__rate_interval]))' % m, '{{cluster}} {{region}} {{reason}}')],
          stacked=true,
        ) { w:: 16 },
        panel.stat(
          'Denials',
          'Refused requests of the principal within the time range.',
          'short',
          'sum(increase(eks_authn_principal_denials_total{%s, reason=~"$reason"}[$__range])) or vector(0)' % m,
        ) { w:: 8 },
      ]],
      ['Timeline', 10, [
        panel.api(
          'Timeline',
          'Spells of being let in or denied as one unique id and session, newest first: a role that was made anew has another id.',
          self_,
          'timeline',
          [
            ['outcome', 'outcome', 'string'],
            ['cluster.name', 'cluster', 'string'],
            ['cluster.account', 'account', 'string'],
            ['cluster.region', 'region', 'string'],
            ['user_id', 'unique id', 'string'],
            ['session', 'session', 'string'],
            ['count', 'count', 'number'],
            ['first', 'first', 'timestamp'],
            ['last', 'last', 'timestamp'],
          ],
        ),
      ]],
    ],
  )
)
