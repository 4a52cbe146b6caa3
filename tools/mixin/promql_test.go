package mixin_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/promql/parser"

	mixin "github.com/eks-authlog/eks-authlog/tools/mixin"
)

// folder is deploy/mixin, repository the root.
const (
	repository = "../.."
	folder     = repository + "/deploy/mixin"
)

func load(t *testing.T, config string) *mixin.Mixin {
	t.Helper()
	m, err := mixin.Load(folder, config)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// rules lists all of the mixin's, those that record first.
func rules(m *mixin.Mixin) []mixin.Rule {
	var all []mixin.Rule
	for _, g := range slices.Concat(m.Rules.Groups, m.Alerts.Groups) {
		all = append(all, g.Rules...)
	}
	return all
}

func alerts(m *mixin.Mixin) map[string]mixin.Rule {
	all := map[string]mixin.Rule{}
	for _, r := range rules(m) {
		if r.Alert != "" {
			all[r.Alert] = r
		}
	}
	return all
}

func parse(t *testing.T, expr string) parser.Expr {
	t.Helper()
	e, err := parser.NewParser(parser.Options{}).ParseExpr(expr)
	if err != nil {
		t.Fatalf("%s: %v", expr, err)
	}
	return e
}

// selectors lists the series that an expression selects.
func selectors(t *testing.T, expr string) []*parser.VectorSelector {
	t.Helper()
	var found []*parser.VectorSelector
	parser.Inspect(parse(t, expr), func(n parser.Node, _ []parser.Node) error {
		if s, ok := n.(*parser.VectorSelector); ok {
			found = append(found, s)
		}
		return nil
	})
	return found
}

// matched is what a selector says of a label, and "" if nothing.
func matched(s *parser.VectorSelector, label string) string {
	for _, m := range s.LabelMatchers {
		if m.Name == label {
			return m.Value
		}
	}
	return ""
}

// diagnosesOf lists the diagnoses that an alert is about, one by one.
func diagnosesOf(t *testing.T, expr string) []string {
	t.Helper()
	found := map[string]bool{}
	for _, s := range selectors(t, expr) {
		if s.Name == "eks_authn_diagnosis_affected_principals" {
			for code := range strings.SplitSeq(matched(s, "diagnosis"), "|") {
				found[code] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(found))
}
