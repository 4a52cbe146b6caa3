{
  prometheusAlerts+:: {
    groups+: [
      (import 'clusters.libsonnet')($._config),
      (import 'reader.libsonnet')($._config),
      (import 'absence.libsonnet')($._config),
    ],
  },
}
