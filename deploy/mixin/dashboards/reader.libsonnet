// The analyzer itself: does it keep up, what fails, what does it cost.
local panel = import '../lib/panel.libsonnet';

function(dashboard) (
  local m = dashboard.shard;
  local s = dashboard.scraped;

  dashboard.new(
    'reader',
    'Reader health and cost',
    'The analyzer itself: whether it keeps up with the logs, what fails, and what CloudWatch bills for it.',
    ['datasource', 'infinity', 'api', 'job', 'instance', 'account', 'region', 'cluster'],
    [
      ['Ready', 'The API: each account and region with its error', '/-/ready'],
    ],
    [
      ['Now', 4, [
        panel.stat(
          'Instances',
          'Analyzers that are scraped.',
          'short',
          'sum(up{%s})' % s,
          [],
        ),
        panel.stat(
          'Worst lag',
          'How far the account and region that is most behind is from being read for good. Some minutes are normal: lines come late.',
          's',
          'max(time() - max by (account, region) (eks_authn_cursor_timestamp_seconds{%s}))' % m,
          [{ color: 'orange', value: 600 }, { color: 'red', value: 3600 }],
        ),
        panel.stat(
          'Failed reads',
          'Reads that failed within the time range, and were tried again.',
          'short',
          'sum(increase(eks_authn_source_errors_total{%s}[$__range]))' % m,
          [{ color: 'orange', value: 1 }],
        ),
        panel.stat(
          'Cost of 30 days',
          'List price of what Logs Insights scanned, at the pace of the time range.',
          'currencyUSD',
          'sum(increase(eks_authn_query_cost_usd_total{%s}[$__range])) / $__range_s * 30 * 86400' % m,
        ),
        panel.stat(
          'Spared by the index',
          'Share of bytes that the field index spared, as CloudWatch estimates it. Zero: the index does not work, and the audit log is scanned too.',
          'percentunit',
          'sum(increase(eks_authn_query_skipped_bytes_total{%(m)s}[$__range])) / (sum(increase(eks_authn_query_skipped_bytes_total{%(m)s}[$__range])) + sum(increase(eks_authn_query_scanned_bytes_total{%(m)s}[$__range])))' % { m: m },
        ),
        panel.stat(
          'Configuration',
          'Whether the last reload of the configuration was taken.',
          'bool_yes_no',
          'min(eks_authn_config_last_reload_successful{%s})' % s,
        ),
      ]],
      ['Keeping up', 9, [
        panel.timeseries(
          'Lag by account and region',
          'From now back to the event time before which all log groups are read for good.',
          's',
          [panel.range('time() - max by (account, region) (eks_authn_cursor_timestamp_seconds{%s})' % m, '{{account}} {{region}}')],
        ),
        panel.timeseries(
          'Lateness of lines',
          'From the event time of a line to when it was first read.',
          's',
          [
            panel.range('histogram_quantile(0.5, sum by (le) (rate(eks_authn_line_lateness_seconds_bucket{%s}[$__rate_interval])))' % m, 'median'),
            panel.range('histogram_quantile(0.99, sum by (le) (rate(eks_authn_line_lateness_seconds_bucket{%s}[$__rate_interval])))' % m, '99 %'),
          ],
        ),
        panel.timeseries(
          'Failed reads',
          'Reads that failed, by what failed. Each is tried again.',
          'short',
          [panel.range('sum by (account, region, error) (increase(eks_authn_source_errors_total{%s}[$__rate_interval]))' % m, '{{account}} {{region}} {{error}}')],
        ),
      ]],
      ['Logs Insights', 9, [
        panel.timeseries(
          'Queries by status',
          'Queries a second, by how they ended.',
          'ops',
          [panel.range('sum by (status) (rate(eks_authn_queries_total{%s}[$__rate_interval]))' % m, '{{status}}')],
        ),
        panel.timeseries(
          'Duration of queries',
          'From the start of a query to its last row.',
          's',
          [
            panel.range('histogram_quantile(0.5, sum by (le) (rate(eks_authn_query_duration_seconds_bucket{%s}[$__rate_interval])))' % m, 'median'),
            panel.range('histogram_quantile(0.99, sum by (le) (rate(eks_authn_query_duration_seconds_bucket{%s}[$__rate_interval])))' % m, '99 %'),
          ],
        ),
        panel.timeseries(
          'AWS calls',
          'Calls of the AWS API a second, by operation and result.',
          'ops',
          [panel.range('sum by (operation, result) (rate(eks_authn_aws_calls_total{%s}[$__rate_interval]))' % s, '{{operation}} {{result}}')],
        ),
        panel.timeseries(
          'Overflows',
          'Seconds of one stream with more lines than a query returns, read with FilterLogEvents instead.',
          'short',
          [panel.range('sum by (account, region) (increase(eks_authn_query_overflows_total{%s}[$__rate_interval]))' % m, '{{account}} {{region}}')],
        ),
      ]],
      ['Cost', 9, [
        panel.timeseries(
          'Bytes scanned',
          'Bytes a second that Logs Insights scanned and bills.',
          'Bps',
          [panel.range('sum by (account, region) (rate(eks_authn_query_scanned_bytes_total{%s}[$__rate_interval]))' % m, '{{account}} {{region}}')],
          stacked=true,
        ),
        panel.timeseries(
          'Bytes spared',
          'Bytes a second that the field index spared, as CloudWatch estimates them.',
          'Bps',
          [panel.range('sum by (account, region) (rate(eks_authn_query_skipped_bytes_total{%s}[$__rate_interval]))' % m, '{{account}} {{region}}')],
          stacked=true,
        ),
        panel.timeseries(
          'Cost of a day',
          'List price of the bytes scanned, at the present pace.',
          'currencyUSD',
          [panel.range('sum by (account, region) (rate(eks_authn_query_cost_usd_total{%s}[$__rate_interval])) * 86400' % m, '{{account}} {{region}}')],
          stacked=true,
        ),
      ]],
      ['Process', 9, [
        panel.timeseries(
          'Memory',
          'Resident memory of each instance.',
          'bytes',
          [panel.range('process_resident_memory_bytes{%s}' % s, '{{instance}}')],
        ),
        panel.timeseries(
          'CPU',
          'Seconds of CPU a second.',
          'short',
          [panel.range('rate(process_cpu_seconds_total{%s}[$__rate_interval])' % s, '{{instance}}')],
        ),
        panel.timeseries(
          'API requests',
          'Requests a second, by status.',
          'reqps',
          [panel.range('sum by (code) (rate(eks_authn_http_requests_total{%s}[$__rate_interval]))' % s, '{{code}}')],
        ),
        panel.timeseries(
          'Principals without series',
          'Denials a second of principals beyond the 200 that have series of their own; the API has them.',
          'reqps',
          [panel.range('sum(rate(eks_authn_principal_denials_other_total{%s}[$__rate_interval]))' % s, 'other')],
        ),
      ]],
    ],
  )
)
