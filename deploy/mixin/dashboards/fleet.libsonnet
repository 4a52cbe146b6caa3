// All clusters: which ones are in trouble.
local panel = import '../lib/panel.libsonnet';

function(dashboard) (
  local m = dashboard.cluster;
  local toCluster = panel.link('Cluster', dashboard.url('cluster') + '&var-cluster=${__data.fields.cluster}&var-account=${__data.fields.account}&var-region=${__data.fields.region}');

  dashboard.new(
    'fleet',
    'Fleet',
    'All clusters: who is locked out where, and which logs are not seen.',
    ['datasource', 'infinity', 'api', 'job', 'instance', 'account', 'region', 'cluster', 'reason'],
    [
      ['Locked out now', 'The API: who is locked out, why, and what lets them in', '/lockouts'],
      ['Clusters', 'The API: all clusters', '/clusters'],
    ],
    [
      ['Now', 4, [
        panel.stat(
          'Clusters',
          'Clusters whose authenticator log was seen.',
          'short',
          'count(max by (cluster, account, region) (eks_authn_last_event_timestamp_seconds{%s}))' % m,
        ),
        panel.stat(
          'Critical diagnoses',
          'Open diagnoses of severity critical: many are out, or nodes are.',
          'short',
          'sum(max by (cluster, account, region, diagnosis) (eks_authn_diagnosis_active{%s, severity="critical"})) or vector(0)' % m,
          [{ color: 'red', value: 1 }],
        ),
        panel.stat(
          'Warnings',
          'Open diagnoses of severity warning.',
          'short',
          'sum(max by (cluster, account, region, diagnosis) (eks_authn_diagnosis_active{%s, severity="warning"})) or vector(0)' % m,
          [{ color: 'orange', value: 1 }],
        ),
        panel.stat(
          'Denied principals',
          'Different principals that were denied in the last hour of the log. One that is denied for two reasons counts twice.',
          'short',
          'sum(max by (cluster, account, region, reason) (eks_authn_denied_principals{%s, reason=~"$reason"})) or vector(0)' % m,
        ),
        panel.stat(
          'Denials',
          'Refused requests within the time range.',
          'short',
          'sum(increase(eks_authn_denials_total{%s, reason=~"$reason"}[$__range]))' % m,
        ),
        panel.stat(
          'Silent clusters',
          'Clusters with no line for half an hour before the point up to which the log is read.',
          'short',
          'count(max by (account, region) (eks_authn_cursor_timestamp_seconds{%s}) - on (account, region) group_right max by (cluster, account, region) (eks_authn_last_event_timestamp_seconds{%s}) > 1800) or vector(0)' % [dashboard.shard, m],
          [{ color: 'orange', value: 1 }],
        ),
      ]],
      ['Clusters', 10, [
        panel.table(
          'Clusters',
          'One row a cluster. A link leads to its dashboard.',
          'short',
          [
            panel.instant('sum by (cluster, account, region) (max by (cluster, account, region, diagnosis) (eks_authn_diagnosis_active{%s, severity="critical"}))' % m),
            panel.instant('sum by (cluster, account, region) (max by (cluster, account, region, diagnosis) (eks_authn_diagnosis_active{%s, severity="warning"}))' % m),
            panel.instant('sum by (cluster, account, region) (max by (cluster, account, region, reason) (eks_authn_denied_principals{%s, reason=~"$reason"}))' % m),
            panel.instant('sum by (cluster, account, region) (increase(eks_authn_denials_total{%s, reason=~"$reason"}[$__range]))' % m),
            panel.instant('max by (cluster, account, region) (eks_authn_last_event_timestamp_seconds{%s}) * 1000' % m),
            panel.instant('max by (cluster, account, region) (eks_authn_logging_enabled{%s})' % m),
          ],
          [
            ['cluster', 'cluster'],
            ['account', 'account'],
            ['region', 'region'],
            ['Value #A', 'critical'],
            ['Value #B', 'warning'],
            ['Value #C', 'denied principals'],
            ['Value #D', 'denials'],
            ['Value #E', 'last line'],
            ['Value #F', 'logging'],
          ],
          [
            panel.column('cluster', { links: toCluster }),
            panel.column('critical', { 'custom.cellOptions': { type: 'color-background' }, thresholds: { mode: 'absolute', steps: [{ color: 'transparent', value: null }, { color: 'red', value: 1 }] } }),
            panel.column('warning', { 'custom.cellOptions': { type: 'color-background' }, thresholds: { mode: 'absolute', steps: [{ color: 'transparent', value: null }, { color: 'orange', value: 1 }] } }),
            panel.column('denials', { decimals: 0 }),
            panel.column('last line', { unit: 'dateTimeFromNow' }),
            panel.column('logging', { unit: 'bool_on_off' }),
          ],
        ),
      ]],
      ['Locked out now', 9, [
        panel.api(
          'Locked out now',
          'Open lockouts of all clusters, from the API. The code leads to the evidence and the commands.',
          '/lockouts?limit=100',
          'lockouts',
          [
            ['severity', 'severity', 'string'],
            ['cluster.name', 'cluster', 'string'],
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
            panel.column('cluster', { links: toCluster }),
            panel.column('code', { links: panel.link('Diagnosis', '${api}${__data.fields.url}', true) }),
            panel.column('summary', { 'custom.minWidth': 400 }),
            panel.column('url', { 'custom.hideFrom': { viz: true, legend: true, tooltip: true } }),
          ],
        ),
      ]],
      ['Over time', 9, [
        panel.timeseries(
          'Denials by cluster',
          'Refused requests a second.',
          'reqps',
          [panel.range('sum by (cluster, account, region) (rate(eks_authn_denials_total{%s, reason=~"$reason"}[$__rate_interval]))' % m, '{{cluster}} {{account}} {{region}}')],
          stacked=true,
        ),
        panel.timeseries(
          'Denials by reason',
          'Refused requests a second. /reasons explains the codes.',
          'reqps',
          [panel.range('sum by (reason) (rate(eks_authn_denials_total{%s, reason=~"$reason"}[$__rate_interval])) > 0' % m, '{{reason}}')],
          stacked=true,
        ),
        panel.timeseries(
          'Denied principals by cluster',
          'Different principals that were denied in the last hour of the log.',
          'short',
          [panel.range('sum by (cluster, account, region) (max by (cluster, account, region, reason) (eks_authn_denied_principals{%s, reason=~"$reason"}))' % m, '{{cluster}} {{account}} {{region}}')],
        ),
      ]],
      ['Diagnoses', 10, [
        panel.timeline(
          'Open diagnoses',
          'Critical ones and warnings, while they were open.',
          [panel.range('max by (cluster, account, region, diagnosis) (eks_authn_diagnosis_active{%s, severity=~"critical|warning"}) == 1' % m, '{{cluster}} {{region}} {{diagnosis}}')],
          { '1': { color: 'red', text: 'open' } },
        ),
      ]],
    ],
  )
)
