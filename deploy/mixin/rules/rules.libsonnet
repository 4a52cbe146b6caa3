{
  local config = $._config,

  prometheusRules+:: {
    groups+: [{
      name: 'eks-authlog.rules',
      interval: config.interval,
      rules: [
        {
          record: 'cluster:eks_authn_denials:rate10m',
          expr: 'sum by (cluster, account, region) (rate(eks_authn_denials_total{%s}[10m]))' % config.selector,
        },
        // What is usual. The median does not follow a spike of less than half
        // a week; one sample in ten minutes is enough for it.
        {
          record: 'cluster:eks_authn_denials:median7d',
          expr: 'quantile_over_time(0.5, cluster:eks_authn_denials:rate10m[7d:10m])',
        },
        {
          record: 'shard:eks_authn_reader_lag:seconds',
          expr: 'time() - max by (account, region) (eks_authn_cursor_timestamp_seconds{%s})' % config.selector,
        },
      ],
    }],
  },
}
