// A dashboard: variables, annotations, links, and panels placed in rows.
{
  local config = self.config,
  config:: error 'needs the configuration',
  local dashboard = self,

  // What each query selects by.
  scraped:: 'job=~"$job", instance=~"$instance"',
  shard:: self.scraped + ', account=~"$account", region=~"$region"',
  cluster:: self.shard + ', cluster=~"$cluster"',

  local query(name, label, metric, more={}) = {
    type: 'query',
    name: name,
    label: label,
    datasource: { type: 'prometheus', uid: '${datasource}' },
    query: { query: metric, refId: 'Variable' },
    refresh: 2,
    sort: 1,
    multi: true,
    includeAll: true,
    allValue: '.+',
    current: { selected: true, text: ['All'], value: ['$__all'] },
  } + more,

  local source(name, label, type) = {
    type: 'datasource',
    name: name,
    label: label,
    query: type,
    refresh: 1,
  },

  // One value only, the first there is.
  single:: { multi: false, includeAll: false, allValue:: null, current:: null },

  variables:: {
    datasource: source('datasource', 'Data source', 'prometheus'),
    infinity: source('infinity', 'API (Infinity)', 'yesoreyeram-infinity-datasource'),
    api: { type: 'textbox', name: 'api', label: 'API for links', query: config.apiURL, current: { text: config.apiURL, value: config.apiURL } },
    job: query('job', 'Job', 'label_values(eks_authn_build_info, job)'),
    instance: query('instance', 'Instance', 'label_values(eks_authn_build_info{job=~"$job"}, instance)'),
    account: query('account', 'Account', 'label_values(eks_authn_source_errors_total{%s}, account)' % dashboard.scraped),
    region: query('region', 'Region', 'label_values(eks_authn_source_errors_total{%s, account=~"$account"}, region)' % dashboard.scraped),
    cluster: query('cluster', 'Cluster', 'label_values(eks_authn_events_total{%s}, cluster)' % dashboard.shard),
    reason: query('reason', 'Reason', 'label_values(eks_authn_denials_total{%s}, reason)' % dashboard.cluster),
    principal: query('principal', 'Principal', 'label_values(eks_authn_principal_denials_total{%s}, principal)' % dashboard.cluster),
  },

  // Prometheus annotations: a stretch while the value is there. That of a rise
  // is as long as it is looked for; it must have two scrapes in it.
  local annotation(name, color, expr, title, text, step) = {
    name: name,
    enable: true,
    iconColor: color,
    datasource: { type: 'prometheus', uid: '${datasource}' },
    expr: expr,
    titleFormat: title,
    textFormat: text,
    tagKeys: 'cluster,account,region',
    useValueForTime: 'false',
    step: step,
  },

  annotations:: [
    annotation(
      'aws-auth changes',
      'purple',
      'sum by (cluster, account, region, marker) (increase(eks_authn_markers_total{%s, marker=~"aws_auth_.*"}[5m])) > 0' % dashboard.cluster,
      '{{marker}}',
      'The authenticator of {{cluster}} wrote so at the beginning of this stretch.',
      '1m',
    ),
    annotation(
      'Lockouts',
      'red',
      'max by (cluster, account, region, diagnosis) (eks_authn_diagnosis_active{%s, severity=~"critical|warning"}) == 1' % dashboard.cluster,
      '{{diagnosis}}',
      'Open on {{cluster}}.',
      '1m',
    ),
  ],

  local names = { fleet: 'Fleet', cluster: 'Cluster', principal: 'Principal', reader: 'Reader' },
  uid(name):: 'eks-authlog-' + name,

  // A place in another dashboard, with what is chosen here.
  url(name):: '/d/%s?${datasource:queryparam}&${infinity:queryparam}&${api:queryparam}&${job:queryparam}&${instance:queryparam}' % self.uid(name),

  local link(title, tooltip, url) = {
    title: title,
    tooltip: tooltip,
    type: 'link',
    icon: 'external link',
    url: url,
    tags: [],
    asDropdown: false,
    targetBlank: true,
    includeVars: false,
    keepTime: false,
  },

  new(name, title, description, variables, links, rows):: {
    uid: dashboard.uid(name),
    title: 'EKS authentication / ' + title,
    description: description,
    tags: config.dashboards.tags,
    editable: false,
    graphTooltip: 1,
    schemaVersion: 39,
    version: 1,
    refresh: config.dashboards.refresh,
    time: { from: config.dashboards.from, to: 'now' },
    timezone: 'utc',
    timepicker: {},
    templating: { list: [dashboard.variables[v] for v in variables] },
    annotations: { list: dashboard.annotations },
    links: [{
      title: 'EKS authentication',
      tooltip: 'The other dashboards',
      type: 'dashboards',
      icon: 'external link',
      tags: config.dashboards.tags,
      asDropdown: true,
      targetBlank: false,
      includeVars: true,
      keepTime: true,
      url: '',
    }] + [link(l[0], l[1], '${api}' + l[2]) for l in links],
    panels: dashboard.place(rows),
  },

  // Rows are [title, height, panels]; the panels of a row share its width by
  // their own w, or equally.
  place(rows)::
    local step(state, row) =
      local panels = row[2];
      local width(p) = if std.objectHasAll(p, 'w') then p.w else std.floor(24 / std.length(panels));
      local xs = std.foldl(function(xs, p) xs + [xs[std.length(xs) - 1] + width(p)], panels, [0]);
      {
        y: state.y + 1 + row[1],
        id: state.id + 1 + std.length(panels),
        panels: state.panels + [{
          type: 'row',
          id: state.id,
          title: row[0],
          collapsed: false,
          gridPos: { x: 0, y: state.y, w: 24, h: 1 },
          panels: [],
        }] + [
          panels[i] { id: state.id + 1 + i, gridPos: { x: xs[i], y: state.y + 1, w: width(panels[i]), h: row[1] } }
          for i in std.range(0, std.length(panels) - 1)
        ],
      };
    std.foldl(step, rows, { y: 0, id: 1, panels: [] }).panels,
}
