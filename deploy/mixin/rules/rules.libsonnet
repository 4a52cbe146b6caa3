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
        {
          record: 'cluster:eks_authn_denials:usual',
          expr: 'quantile_over_time(0.5, cluster:eks_authn_denials:rate10m[%s])' % config.usual,
        },
        {
          record: 'shard:eks_authn_reader_lag:seconds',
          expr: 'time() - max by (account, region) (eks_authn_cursor_timestamp_seconds{%s})' % config.selector,
        },
      ],
    }],
  },
}
