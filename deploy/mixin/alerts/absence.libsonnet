// The failure that no threshold sees: nothing is measured any more.
local alert = import '../lib/alert.libsonnet';

function(config) {
  local shard = 'account {{ $labels.account }} in {{ $labels.region }}',
  local new(name, expr, summary, description) =
    alert.new(config, name, expr, summary, description, 'deploy/mixin/README.md#' + std.asciiLower(name)),

  name: 'eks-authlog.absence',
  rules: [
    // The counters of a shard exist once its account is known; the cursor only
    // once it was read.
    new(
      'EKSAuthCursorStale',
      |||
        sum by (account, region) (increase(eks_authn_source_errors_total{%(selector)s}[%(window)s]))
        unless on (account, region)
        max by (account, region) (delta(eks_authn_cursor_timestamp_seconds{%(selector)s}[%(window)s])) > 0
      ||| % config.alerts.EKSAuthCursorStale { selector: config.selector },
      'Reading %s stands still.' % shard,
      |||
        The cursor of %s has not moved for %s, or was never set; {{ printf "%%.0f" $value }} reads failed in
        that time. No cluster there is watched.
      ||| % [shard, config.alerts.EKSAuthCursorStale.window],
    ),
    new(
      'EKSAuthNoEvents',
      |||
        sum by (job) (increase(eks_authn_events_total{%(selector)s}[%(window)s])) == 0
        or
        (sum by (job) (up{%(selector)s}) unless on (job) sum by (job) (eks_authn_events_total{%(selector)s})) > 0
      ||| % config.alerts.EKSAuthNoEvents { selector: config.selector },
      'No cluster of {{ $labels.job }} logs anything.',
      |||
        {{ $labels.job }} is up and has not seen one line of any cluster for %s. Logging is off everywhere, or
        it looks into the wrong accounts and regions.
      ||| % config.alerts.EKSAuthNoEvents.window,
    ),
    new(
      'EKSAuthlogDown',
      'absent(up{%s} == 1)' % config.selector,
      'eks-authlog is not scraped.',
      |||
        Prometheus reaches no analyzer ({{ $value }} missing): no lockout is seen, and no other alert of this
        group can fire.
      |||,
    ),
  ],
}
