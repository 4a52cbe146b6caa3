package mixin_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/prometheus/promql/parser"

	mixin "github.com/eks-authlog/eks-authlog/tools/mixin"
)

// folder is deploy/mixin.
const folder = "../../deploy/mixin"

func load(t *testing.T, config string) *mixin.Mixin {
	t.Helper()
	m, err := mixin.Load(folder, config)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func parse(t *testing.T, expr string) parser.Expr {
	t.Helper()
	e, err := parser.NewParser(parser.Options{}).ParseExpr(expr)
	if err != nil {
		t.Fatalf("%s: %v", expr, err)
	}
	return e
}

// selectors lists the metrics that an expression names, as they are selected.
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

func TestTheSelectorOfTheConfigurationIsInEveryRule(t *testing.T) {
	m := load(t, `{selector: 'job="mine", team="x"'}`)
	var without []string
	for _, g := range append(m.Alerts.Groups, m.Rules.Groups...) {
		for _, r := range g.Rules {
			for _, s := range selectors(t, r.Expr) {
				if s.Name[0] != 'c' && s.Name[0] != 's' && len(s.LabelMatchers) < 3 {
					without = append(without, s.String())
				}
			}
		}
	}
	if diff := cmp.Diff([]string(nil), without); diff != "" {
		t.Error(diff)
	}
}
