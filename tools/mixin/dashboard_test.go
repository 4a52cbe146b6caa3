package mixin_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// A dashboard is what the tests read of Grafana's classic schema.
type dashboard struct {
	UID, Title, Description string
	Editable                bool
	Panels                  []panel
	Links                   []link
	Templating              struct{ List []variable }
	Annotations             struct{ List []target }
}

type link struct{ Title, URL string }

type panel struct {
	ID                       int
	GridPos                  struct{ X, Y, W, H int }
	Type, Title, Description string
	Datasource               source
	Targets                  []target
	FieldConfig              struct {
		Defaults  struct{ Unit string }
		Overrides []struct {
			Properties []struct {
				ID    string
				Value any
			}
		}
	}
}

type source struct{ Type, UID string }

// A target is a query of either data source, or an annotation.
type target struct {
	Name, RefID, Expr string
	Instant           bool
	Datasource        source
	URL               string
	RootSelector      string `json:"root_selector"`
	Columns           []struct{ Selector, Text string }
}

type variable struct {
	Name, Type, Label, AllValue string
	Datasource                  source
	Multi                       bool
	Refresh                     int
	Query                       any // text, or an object with the text in query
}

func (v *variable) text() string {
	if q, ok := v.Query.(map[string]any); ok {
		return fmt.Sprint(q["query"])
	}
	return fmt.Sprint(v.Query)
}

func dashboards(t *testing.T) map[string]*dashboard {
	t.Helper()
	all := map[string]*dashboard{}
	for name, text := range load(t, "").Dashboards {
		d := &dashboard{}
		if err := json.Unmarshal(text, d); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		all[name] = d
	}
	return all
}

// each calls f for all queries of a dashboard, annotations included.
func (d *dashboard) each(f func(where string, q *target)) {
	for i := range d.Panels {
		p := &d.Panels[i]
		for j := range p.Targets {
			f(p.Title+" "+p.Targets[j].RefID, &p.Targets[j])
		}
	}
	for i := range d.Annotations.List {
		f("annotation "+d.Annotations.List[i].Name, &d.Annotations.List[i])
	}
}

// chosen are the values of variables that take only one.
var chosen = []string{"staging", "arn:aws:iam::111122223333:role/payments-deploy"}

// fill puts values for variables into a text, as Grafana does: the text of
// "All" for those that have it, one value for the others.
func (s *stage) fill(t *testing.T, d *dashboard) *strings.Replacer {
	t.Helper()
	pairs := []string{"$__rate_interval", "15s", "$__range_s", "300", "$__range", "5m"}
	for i := range d.Templating.List {
		v := &d.Templating.List[i]
		if v.Type != "query" {
			continue
		}
		value := v.AllValue
		values := s.values(t, strings.NewReplacer(pairs...).Replace(v.text()))
		if !v.Multi {
			value = values[0]
			for _, c := range chosen {
				if slices.Contains(values, c) {
					value = c
				}
			}
		}
		pairs = append(pairs, "$"+v.Name, value, "${"+v.Name+":percentencode}", url.PathEscape(value))
	}
	const history = 6 * time.Hour // what a dashboard shows at first
	from, to := s.began.Add(-history).UTC().Format(time.RFC3339), time.Now().UTC().Format(time.RFC3339)
	return strings.NewReplacer(append(pairs, "${__from:date:iso}", from, "${__to:date:iso}", to)...)
}

// values asks Prometheus for what label_values(series, label) means.
func (s *stage) values(t *testing.T, query string) []string {
	t.Helper()
	inner := strings.TrimSuffix(strings.TrimPrefix(query, "label_values("), ")")
	comma := strings.LastIndex(inner, ",")
	if comma < 0 || inner == query {
		t.Fatalf("a variable asks %s", query)
	}
	var values []string
	until(t, 30*time.Second, func() error {
		err := s.query(t.Context(), &values, "label/"+strings.TrimSpace(inner[comma+1:])+"/values", url.Values{"match[]": {inner[:comma]}})
		if err == nil && len(values) == 0 {
			err = fmt.Errorf("no values: %s", query)
		}
		return err
	})
	return values
}

func (s *stage) testPanels(t *testing.T) {
	n := 0
	for name, d := range dashboards(t) {
		fill := s.fill(t, d)
		d.each(func(where string, q *target) {
			if q.Expr == "" {
				return
			}
			n++
			before := time.Since(s.began)
			if q.Instant {
				before = 5 * time.Second
			}
			expr := fill.Replace(q.Expr)
			if strings.Contains(expr, "$") {
				t.Errorf("%s, %s: a variable is left in %s", name, where, expr)
			}
			t.Run(name+" "+where, func(t *testing.T) {
				until(t, 20*time.Second, func() error { return s.has(t.Context(), expr, before) })
			})
		})
	}
	if n < 40 {
		t.Errorf("%d queries", n)
	}
}

// What Infinity asks: a GET of the path, the rows at the root selector, and of
// each row a column's value at its selector.
func (s *stage) testTables(t *testing.T) {
	n := 0
	for name, d := range dashboards(t) {
		fill := s.fill(t, d)
		d.each(func(where string, q *target) {
			if q.URL == "" {
				return
			}
			n++
			path := fill.Replace(q.URL)
			var answer map[string]any
			if err := getJSON(t.Context(), s.analyzer+path, &answer); err != nil {
				t.Errorf("%s, %s: %v", name, where, err)
			}
			rows, ok := answer[q.RootSelector].([]any)
			if !ok || len(rows) == 0 {
				t.Errorf("%s, %s: no rows in %s: %.300v", name, where, path, answer)
			}
			for _, c := range q.Columns {
				found := slices.ContainsFunc(rows, func(row any) bool { return at(row, c.Selector) != nil })
				if !found {
					t.Errorf("%s, %s: no row of %s has %s", name, where, path, c.Selector)
				}
			}
		})
	}
	if n < 5 {
		t.Errorf("%d tables", n)
	}
}

// at is what stands at a selector such as cluster.name, and nil for nothing.
func at(row any, selector string) any {
	for key := range strings.SplitSeq(selector, ".") {
		fields, ok := row.(map[string]any)
		if !ok {
			return nil
		}
		row = fields[key]
	}
	return row
}
