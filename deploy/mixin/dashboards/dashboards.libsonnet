{
  local dashboard = (import '../lib/dashboard.libsonnet') { config:: $._config },

  grafanaDashboards+:: {
    'fleet.json': (import 'fleet.libsonnet')(dashboard),
    'cluster.json': (import 'cluster.libsonnet')(dashboard),
    'principal.json': (import 'principal.libsonnet')(dashboard),
    'reader.json': (import 'reader.libsonnet')(dashboard),
  },
}
