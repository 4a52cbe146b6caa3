// An alerting rule. Its name gives severity and duration, from the
// configuration; doc is the page it links to.
{
  new(config, name, expr, summary, description, doc):: {
    alert: name,
    expr: std.rstripChars(expr, '\n'),
    'for': config.alerts[name]['for'],
    labels: { severity: config.alerts[name].severity },
    annotations: {
      summary: summary,
      description: std.strReplace(std.rstripChars(description, '\n'), '\n', ' '),
      runbook_url: config.runbookURL(doc),
    },
  },
}
