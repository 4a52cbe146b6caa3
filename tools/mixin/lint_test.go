package mixin_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/promql/parser"
)

// The durations that stand for Grafana's own while an expression is parsed.
const (
	rateInterval = 77 * time.Second
	timeRange    = 363 * time.Minute
)

// units are those of Grafana that we use; a misspelt one is shown as text.
var units = []string{
	"none", "short", "percentunit", "s", "bytes", "Bps", "ops", "reqps", "cps", "currencyUSD", "bool_on_off", "bool_yes_no", "dateTimeFromNow",
}

// The rules are those of grafana/dashboard-linter 0.1, but that a dashboard of
// two kinds of data source still names Prometheus's plainly "datasource".
func TestDashboardsFollowTheRulesOfTheLinter(t *testing.T) {
	for name, d := range dashboards(t) {
		t.Run(name, func(t *testing.T) {
			if d.Editable || d.Title == "" || d.Description == "" || d.UID == "" {
				t.Errorf("editable %t, title %q, description %q, uid %q", d.Editable, d.Title, d.Description, d.UID)
			}
			lintTemplates(t, d)
			for i := range d.Panels {
				lintPanel(t, &d.Panels[i])
			}
			d.each(func(where string, q *target) {
				switch {
				case q.Expr != "":
					lintQuery(t, where, q)
				case q.URL == "" || q.Datasource.UID != "${infinity}" || len(q.Columns) == 0:
					t.Errorf("%s asks nothing: %+v", where, q)
				}
			})
		})
	}
}

func lintTemplates(t *testing.T, d *dashboard) {
	t.Helper()
	for name, want := range map[string]variable{
		"datasource": {Type: "datasource", Label: "Data source"},
		"job":        {Type: "query", Label: "Job", AllValue: ".+", Multi: true},
		"instance":   {Type: "query", Label: "Instance", AllValue: ".+", Multi: true},
		"account":    {Type: "query", Label: "Account", AllValue: ".+", Multi: true},
		"region":     {Type: "query", Label: "Region", AllValue: ".+", Multi: true},
	} {
		i := slices.IndexFunc(d.Templating.List, func(v variable) bool { return v.Name == name })
		if i < 0 {
			t.Errorf("no variable %s", name)
			continue
		}
		v := d.Templating.List[i]
		if v.Type != want.Type || v.Label != want.Label || v.AllValue != want.AllValue || v.Multi != want.Multi {
			t.Errorf("variable %s is %+v", name, v)
		}
	}
	for i := range d.Templating.List {
		v := &d.Templating.List[i]
		if v.Type != "query" {
			continue
		}
		if v.Datasource.UID != "${datasource}" || v.Refresh != 2 {
			t.Errorf("variable %s is of %s and not asked anew when the time range changes", v.Name, v.Datasource.UID)
		}
		series, ok := strings.CutPrefix(v.text(), "label_values(")
		if !ok {
			t.Errorf("variable %s asks %s", v.Name, v.text())
		}
		parse(t, series[:strings.LastIndex(series, ",")])
	}
}

func lintPanel(t *testing.T, p *panel) {
	t.Helper()
	if p.Title == "" {
		t.Errorf("panel %d has no title", p.ID)
	}
	if p.Type == "row" {
		return
	}
	if p.Description == "" {
		t.Errorf("panel %s has no description", p.Title)
	}
	if len(p.Targets) == 0 {
		t.Errorf("panel %s asks nothing", p.Title)
	}
	if !slices.Contains([]string{"${datasource}", "${infinity}"}, p.Datasource.UID) {
		t.Errorf("panel %s is of data source %s", p.Title, p.Datasource.UID)
	}
	used := []string{p.FieldConfig.Defaults.Unit}
	for _, o := range p.FieldConfig.Overrides {
		for _, property := range o.Properties {
			if property.ID == "unit" {
				used = append(used, fmt.Sprint(property.Value))
			}
		}
	}
	for _, u := range used {
		if !slices.Contains(units, u) {
			t.Errorf("panel %s has the unit %q", p.Title, u)
		}
	}
}

func lintQuery(t *testing.T, where string, q *target) {
	t.Helper()
	if q.Datasource.UID != "${datasource}" {
		t.Errorf("%s is of data source %s", where, q.Datasource.UID)
	}
	expr := strings.NewReplacer("$__rate_interval", rateInterval.String(), "$__range_s", "21780", "$__range", timeRange.String()).Replace(q.Expr)
	parser.Inspect(parse(t, expr), func(n parser.Node, path []parser.Node) error {
		s, ok := n.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		for _, label := range []string{"job", "instance"} {
			if got := matched(s, label); got != "$"+label {
				t.Errorf("%s: %s selects %s %q", where, s, label, got)
			}
		}
		lintRange(t, where, s, path)
		return nil
	})
}

// lintRange checks how the series of a selector are taken: a counter by its
// rise, a rate over Grafana's interval.
func lintRange(t *testing.T, where string, s *parser.VectorSelector, path []parser.Node) {
	t.Helper()
	function, over := "", time.Duration(0)
	if len(path) >= 2 {
		if m, ok := path[len(path)-1].(*parser.MatrixSelector); ok {
			over = m.Range
		}
		for _, n := range path[max(0, len(path)-3):] {
			if call, ok := n.(*parser.Call); ok {
				function = call.Func.Name
			}
		}
	}
	counter := false
	for _, suffix := range []string{"_total", "_bucket", "_count", "_sum"} {
		counter = counter || strings.HasSuffix(s.Name, suffix)
	}
	if counter && !slices.Contains([]string{"rate", "irate", "increase"}, function) {
		t.Errorf("%s: the counter %s is not taken by its rise", where, s)
	}
	if (function == "rate" || function == "irate") && over != rateInterval {
		t.Errorf("%s: %s is not over $__rate_interval", where, s)
	}
}

// What overlaps or has an id twice is drawn wrongly; a wrong variable in a link
// leads nowhere.
func TestDashboardsAreLaidOutAndLinked(t *testing.T) {
	uids := map[string]bool{}
	all := dashboards(t)
	for name, d := range all {
		uids[d.UID] = true
		ids, taken := map[int]bool{}, map[[2]int]string{}
		for i := range d.Panels {
			p := &d.Panels[i]
			if ids[p.ID] {
				t.Errorf("%s: two panels have the id %d", name, p.ID)
			}
			ids[p.ID] = true
			g := p.GridPos
			if g.X+g.W > 24 || g.W < 1 || g.H < 1 {
				t.Errorf("%s: panel %s is at %+v", name, p.Title, g)
			}
			for x := g.X; x < g.X+g.W; x++ {
				for y := g.Y; y < g.Y+g.H; y++ {
					if other := taken[[2]int{x, y}]; other != "" {
						t.Fatalf("%s: panels %s and %s overlap", name, other, p.Title)
					}
					taken[[2]int{x, y}] = p.Title
				}
			}
		}
		api := slices.ContainsFunc(d.Links, func(l link) bool { return strings.HasPrefix(l.URL, "${api}/") })
		if !api {
			t.Errorf("%s has no link to the API", name)
		}
	}
	for name, text := range load(t, "").Dashboards {
		for _, part := range strings.Split(string(text), `"/d/`)[1:] {
			uid, _, _ := strings.Cut(part, "?")
			if !uids[uid] {
				t.Errorf("%s links to %s, which is no dashboard", name, uid)
			}
		}
	}
}
