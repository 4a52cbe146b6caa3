package api

import (
	"slices"
	"strings"

	"github.com/prometheus/alertmanager/matcher/parse"
	"github.com/prometheus/alertmanager/pkg/labels"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/diagnose"
	"github.com/eks-authlog/eks-authlog/internal/rules"
)

// matchers reads filter: Alertmanager's matchers, all of which must hold. A
// denial without a principal has an empty principal and kind. What the store
// can look up goes into the filter of sel, the rest into sel.keep.
func (q query) matchers(sel *selection) error {
	parsed, err := q.filters(denialLabels())
	if err != nil {
		return err
	}
	var rest labels.Matchers
	for _, m := range parsed {
		if !sel.narrow(m) {
			rest = append(rest, m)
			sel.who = sel.who || m.Name == "principal" || m.Name == "kind"
		}
	}
	sel.keep = tried(rest, labelOf)
	return nil
}

// filters reads filter; each matcher must be of one of these labels.
func (q query) filters(known []string) (found labels.Matchers, err error) {
	for _, text := range q["filter"] {
		parsed, err := parse.Matchers(text)
		if err != nil {
			return nil, refuseParameter("filter", `must be a matcher such as reason="arn_not_mapped" or principal=~".*deploy.*": %s`, err)
		}
		for _, m := range parsed {
			if !slices.Contains(known, m.Name) {
				return nil, refuseParameter("filter", "knows no label %q; known are %s", m.Name, strings.Join(known, ", "))
			}
		}
		found = append(found, parsed...)
	}
	return found, nil
}

// denialLabels are those that a matcher of denials may name.
func denialLabels() []string {
	return []string{"reason", "layer", "who_acts", "principal", "kind", "cluster", "account", "region"}
}

// labelOf is what a matcher of that name is compared with; "" for what the
// denial does not have.
func labelOf(d *authlog.Denial, name string) string {
	switch name {
	case "reason":
		return d.Reason
	case "layer", "who_acts":
		r, _ := rules.ByCode(d.Reason)
		return reasonLabel(&r, name)
	case "principal":
		if d.Principal != nil {
			return d.Principal.ARN
		}
	case "kind":
		if d.Principal != nil {
			return string(d.Principal.Kind)
		}
	}
	return clusterLabel(d.Cluster, name)
}

// diagnosisLabels are those that a matcher of diagnoses may name.
func diagnosisLabels() []string {
	return []string{"code", "severity", "confidence", "state", "who_acts", "subject", "principal", "cluster", "account", "region"}
}

// diagnosisLabel is what a matcher of that name is compared with; "" for what
// the diagnosis does not have.
func diagnosisLabel(d *authlog.Diagnosis, name string) string {
	switch name {
	case "code":
		return d.Code
	case "severity":
		return string(d.Severity)
	case "confidence":
		return string(d.Confidence)
	case "state":
		return string(d.State)
	case "who_acts":
		known, _ := diagnose.ByCode(d.Code)
		return string(known.WhoActs)
	case "subject":
		return d.Subject
	case "principal":
		if strings.HasPrefix(d.Subject, "arn:") {
			return d.Subject
		}
	}
	return clusterLabel(d.Cluster, name)
}

// clusterLabel is what a matcher of a cluster's label is compared with.
func clusterLabel(c authlog.Cluster, name string) string {
	switch name {
	case "cluster":
		return c.Name
	case "account":
		return c.Account
	case "region":
		return c.Region
	}
	return ""
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
