// Panels of the classic dashboard schema (@grafana/schema Dashboard). Each
// constructor takes what differs and gives a panel without a place; rows.libsonnet
// places them.
{
  local base(type, title, description, unit, targets) = {
    type: type,
    title: title,
    description: description,
    datasource: { type: 'prometheus', uid: '${datasource}' },
    targets: [targets[i] { refId: std.char(65 + i) } for i in std.range(0, std.length(targets) - 1)],
    fieldConfig: { defaults: { unit: unit, custom: {} }, overrides: [] },
    options: {},
    links: [],
  },

  // A query over the dashboard's time range.
  range(expr, legend):: {
    datasource: { type: 'prometheus', uid: '${datasource}' },
    expr: expr,
    legendFormat: legend,
    range: true,
    instant: false,
  },

  // A query at the end of the time range, as a table.
  instant(expr):: {
    datasource: { type: 'prometheus', uid: '${datasource}' },
    expr: expr,
    legendFormat: '__auto',
    format: 'table',
    range: false,
    instant: true,
  },

  timeseries(title, description, unit, targets, stacked=false):: base('timeseries', title, description, unit, targets) {
    fieldConfig+: { defaults+: {
      min: 0,
      custom+: {
        drawStyle: 'line',
        lineWidth: 1,
        fillOpacity: if stacked then 60 else 8,
        showPoints: 'never',
        stacking: { mode: if stacked then 'normal' else 'none', group: 'A' },
      },
    } },
    options: {
      legend: { showLegend: true, displayMode: 'table', placement: 'bottom', calcs: ['lastNotNull', 'max'] },
      tooltip: { mode: 'multi', sort: 'desc' },
    },
  },

  // One number. Steps are the thresholds: a color from a value on.
  stat(title, description, unit, expr, steps=[]):: base('stat', title, description, unit, [self.instant(expr)]) {
    fieldConfig+: { defaults+: {
      [if unit == 'short' then 'decimals']: 0,
      thresholds: { mode: 'absolute', steps: [{ color: 'green', value: null }] + steps },
      color: { mode: 'thresholds' },
    } },
    options: {
      reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false },
      colorMode: 'value',
      graphMode: 'none',
      justifyMode: 'auto',
      orientation: 'auto',
      textMode: 'auto',
      wideLayout: true,
      showPercentChange: false,
      percentChangeColorMode: 'standard',
    },
  },

  // When something was so, and when not.
  timeline(title, description, targets, mappings):: base('state-timeline', title, description, 'none', targets) {
    fieldConfig+: { defaults+: {
      mappings: [{ type: 'value', options: mappings }],
      color: { mode: 'thresholds' },
      thresholds: { mode: 'absolute', steps: [{ color: 'transparent', value: null }] },
      custom+: { fillOpacity: 80, lineWidth: 0 },
    } },
    options: {
      rowHeight: 0.8,
      showValue: 'never',
      mergeValues: true,
      legend: { showLegend: false, displayMode: 'list', placement: 'bottom', calcs: [] },
      tooltip: { mode: 'single', sort: 'none' },
    },
  },

  // A table of Prometheus instant queries, merged by their labels. Columns
  // names what is shown, in order: a label, or `Value #A` for the first query.
  table(title, description, unit, targets, columns, overrides=[]):: base('table', title, description, unit, targets) {
    fieldConfig+: { defaults+: { custom+: { align: 'auto', filterable: true } }, overrides: overrides },
    transformations: [
      { id: 'merge', options: {} },
      {
        id: 'organize',
        options: {
          excludeByName: { Time: true },
          indexByName: { [columns[i][0]]: i for i in std.range(0, std.length(columns) - 1) },
          renameByName: { [c[0]]: c[1] for c in columns },
        },
      },
    ],
    options: { showHeader: true, cellHeight: 'sm', frameIndex: 0 },
  },

  // A table of the analyzer's REST API. The address of the API and its token
  // belong to the data source; path is below it. Columns are [selector, title,
  // type], with a type of Infinity: string, number, timestamp.
  api(title, description, path, root, columns, overrides=[]):: base('table', title, description, 'none', [{
    datasource: { type: 'yesoreyeram-infinity-datasource', uid: '${infinity}' },
    type: 'json',
    source: 'url',
    format: 'table',
    parser: 'backend',
    url: path,
    url_options: { method: 'GET', data: '' },
    root_selector: root,
    columns: [{ selector: c[0], text: c[1], type: c[2] } for c in columns],
    filters: [],
  }]) {
    datasource: { type: 'yesoreyeram-infinity-datasource', uid: '${infinity}' },
    fieldConfig+: { defaults+: { custom+: { align: 'auto', filterable: true } }, overrides: overrides },
    options: { showHeader: true, cellHeight: 'sm', frameIndex: 0 },
  },

  // Overrides of one column.
  column(name, properties):: {
    matcher: { id: 'byName', options: name },
    properties: [{ id: id, value: properties[id] } for id in std.objectFields(properties)],
  },

  // A link of each cell of a column.
  link(title, url, newTab=false):: [{ title: title, url: url, targetBlank: newTab }],
}
