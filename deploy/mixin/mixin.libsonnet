// What `mixtool`, `jsonnet` and kube-prometheus expect of a mixin:
// prometheusAlerts, prometheusRules and grafanaDashboards, made from _config.
(import 'config.libsonnet') +
(import 'alerts/alerts.libsonnet') +
(import 'rules/rules.libsonnet') +
(import 'dashboards/dashboards.libsonnet')
