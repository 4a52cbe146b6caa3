package api

import (
	"slices"

	"github.com/prometheus/alertmanager/matcher/parse"
	"github.com/prometheus/alertmanager/pkg/labels"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/rules"
)

// matchers reads filter: Alertmanager's matchers, all of which must hold. A
// denial without a principal has an empty principal and kind. What the store
// can look up goes into the filter of sel, the rest into sel.keep.
func (q query) matchers(sel *selection) error {
	var rest labels.Matchers
	for _, text := range q["filter"] {
		parsed, err := parse.Matchers(text)
		if err != nil {
			return refuseParameter("filter", `must be a matcher such as reason="arn_not_mapped" or principal=~".*deploy.*": %s`, err)
		}
		for _, m := range parsed {
			if _, ok := labelOf(&authlog.Denial{}, m.Name); !ok {
				return refuseParameter("filter", "knows no label %q; known are reason, layer, who_acts, principal, kind, account, region", m.Name)
			}
			if !sel.narrow(m) {
				rest = append(rest, m)
			}
		}
	}
	if len(rest) > 0 {
		sel.keep = func(d *authlog.Denial) bool { return holds(rest, d) }
	}
	return nil
}

func holds(matchers labels.Matchers, d *authlog.Denial) bool {
	for _, m := range matchers {
		if v, _ := labelOf(d, m.Name); !m.Matches(v) {
			return false
		}
	}
	return true
}

// labelOf is what a matcher of that name is compared with.
func labelOf(d *authlog.Denial, name string) (value string, known bool) {
	switch name {
	case "reason":
		return d.Reason, true
	case "layer", "who_acts":
		r, _ := rules.ByCode(d.Reason)
		return reasonLabel(&r, name), true
	case "account":
		return d.Cluster.Account, true
	case "region":
		return d.Cluster.Region, true
	case "principal", "kind":
		if d.Principal == nil {
			return "", true
		}
		if name == "kind" {
			return string(d.Principal.Kind), true
		}
		return d.Principal.ARN, true
	}
	return "", false
}

func reasonLabel(r *rules.Reason, name string) string {
	switch name {
	case "layer":
		return string(r.Layer)
	case "who_acts":
		return string(r.WhoActs)
	default:
		return r.Code
	}
}

// narrow makes sel choose no more than m lets through, and reports whether
// nothing of m is left to be checked.
func (sel *selection) narrow(m *labels.Matcher) bool {
	switch m.Name {
	case "principal":
		return narrowTo(&sel.Principal, m)
	case "account":
		return narrowTo(&sel.Account, m)
	case "region":
		return narrowTo(&sel.Region, m)
	case "reason", "layer", "who_acts":
		sel.narrowReasons(m)
		return true
	}
	return false
}

func narrowTo(field *string, m *labels.Matcher) bool {
	if m.Type != labels.MatchEqual || m.Value == "" || *field != "" && *field != m.Value {
		return false
	}
	*field = m.Value
	return true
}

// narrowReasons chooses those codes of the catalogue that m matches.
func (sel *selection) narrowReasons(m *labels.Matcher) {
	var codes []string
	all := rules.All()
	for i := range all {
		chosen := len(sel.Reasons) == 0 || slices.Contains(sel.Reasons, all[i].Code)
		if chosen && m.Matches(reasonLabel(&all[i], m.Name)) {
			codes = append(codes, all[i].Code)
		}
	}
	sel.Reasons = codes
	sel.none = sel.none || len(codes) == 0
}
