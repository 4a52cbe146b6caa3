// Whether the log can be read, and is.
local alert = import '../lib/alert.libsonnet';

function(config) {
  local exprs = (import '../lib/exprs.libsonnet') { config:: config },
  local shard = 'account {{ $labels.account }} in {{ $labels.region }}',
  local where = '{{ $labels.cluster }} ({{ $labels.account }}, {{ $labels.region }})',
  local readme(name) = 'deploy/mixin/README.md#' + std.asciiLower(name),
  local new(name, expr, summary, description, doc=readme(name)) = alert.new(config, name, expr, summary, description, doc),

  name: 'eks-authlog.reader',
  rules: [
    // Against the cursor, not the clock: a reader that is behind has an alert
    // of its own and says nothing about the log. Over a day, for an analyzer
    // that was restarted does not know when a silent log had its last line.
    new(
      'EKSAuthLogsSilent',
      |||
        max by (account, region) (eks_authn_cursor_timestamp_seconds{%(selector)s})
        - on (account, region) group_right
        max by (%(cluster)s) (max_over_time(eks_authn_last_event_timestamp_seconds{%(selector)s}[1d])) > %(seconds)d
        unless on (%(cluster)s)
        max by (%(cluster)s) (eks_authn_logging_enabled{%(selector)s}) == 0
      ||| % config.alerts.EKSAuthLogsSilent { cluster: exprs.cluster, selector: config.selector },
      'The authenticator log of cluster %s is silent.' % where,
      |||
        The log of cluster {{ $labels.cluster }} was read, and nothing was in it for
        {{ humanizeDuration $value }}. Logging was switched off, or the cluster is gone.
      |||,
      'docs/diagnoses/log_gap.md',
    ),
    new(
      'EKSAuthLoggingOff',
      'max by (%s) (eks_authn_logging_enabled{%s}) == 0' % [exprs.cluster, config.selector],
      'The authenticator log of cluster %s is off.' % where,
      |||
        EKS says that cluster {{ $labels.cluster }} does not log its authenticator ({{ $value }} log types of 1
        needed): who is denied there is not seen.
      |||,
      'docs/diagnoses/logging_disabled.md',
    ),
    new(
      'EKSAuthReaderLag',
      'shard:eks_authn_reader_lag:seconds > %d' % config.alerts.EKSAuthReaderLag.seconds,
      'Reading %s is behind.' % shard,
      |||
        The authenticator logs of %s are read for good only up to {{ humanizeDuration $value }} ago: findings
        come late.
      ||| % shard,
    ),
    new(
      'EKSAuthReaderErrors',
      'sum by (account, region, error) (increase(eks_authn_source_errors_total{%s}[%s])) > 0' % [config.selector, config.alerts.EKSAuthReaderErrors.window],
      'Reading %s fails.' % shard,
      |||
        {{ printf "%%.0f" $value }} reads of %s failed within %s ({{ $labels.error }}). Nothing is lost, but
        nothing new is seen. /-/ready has the error and the permission that is missing.
      ||| % [shard, config.alerts.EKSAuthReaderErrors.window],
    ),
    new(
      'EKSAuthUnclassified',
      'sum by (%s) (increase(eks_authn_unclassified_denials_total{%s}[%s])) > 0' % [exprs.cluster, config.selector, config.alerts.EKSAuthUnclassified.window],
      'Denials of cluster %s have a wording that is not known.' % where,
      |||
        {{ printf "%%.0f" $value }} denials of cluster {{ $labels.cluster }} within %s are of no known reason.
        They are kept; a newer release may know them.
      ||| % config.alerts.EKSAuthUnclassified.window,
      'docs/reasons/unclassified.md',
    ),
    new(
      'EKSAuthConfigReloadFailed',
      'max by (job, instance) (eks_authn_config_last_reload_successful{%s}) == 0' % config.selector,
      'The configuration of {{ $labels.instance }} was not taken.',
      |||
        The last reload of the configuration of {{ $labels.instance }} failed; it goes on with the one before.
        `analyzer check config` names every fault.
      |||,
    ),
  ],
}
