package api

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/alertmanager/pkg/labels"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/diagnose"
)

const (
	defaultDiagnoses = 100
	maxDiagnoses     = 500
	scanDiagnoses    = 2000 // each is a document
)

func diagnosisParams() []param {
	return append([]param{
		{name: "state"},
		{name: "severity", repeatable: true},
		{name: "code", repeatable: true},
		{name: "cluster"},
		{name: "account"},
		{name: "region"},
		{name: "start"},
		{name: "end"},
		{name: "since"},
		{name: "filter", repeatable: true},
	}, listedBy()...)
}

// lockoutParams are those of the lockouts of one cluster, which the path names.
func lockoutParams() []param {
	return slices.DeleteFunc(diagnosisParams(), func(p param) bool { return p.name == "cluster" })
}

// diagnosisSheet is how diagnoses are listed, which the list calls member.
func diagnosisSheet(member string) *sheet[lockout] {
	return &sheet[lockout]{member, []column[lockout]{
		{"id", nil, func(d *lockout) any { return d.ID }},
		{"url", nil, func(d *lockout) any { return d.URL }},
		{"code", nil, func(d *lockout) any { return d.Code }},
		{"title", nil, func(d *lockout) any { return d.Title }},
		{"subject", nil, func(d *lockout) any { return d.Subject }},
		{"cluster", clusterParts(), func(d *lockout) any { return d.Cluster }},
		{"severity", nil, func(d *lockout) any { return string(d.Severity) }},
		{"confidence", nil, func(d *lockout) any { return string(d.Confidence) }},
		{"state", nil, func(d *lockout) any { return string(d.State) }},
		{"summary", nil, func(d *lockout) any { return d.Summary }},
		{"who_acts", nil, func(d *lockout) any { return d.WhoActs }},
		{"first_seen", nil, func(d *lockout) any { return d.FirstSeen }},
		{"last_seen", nil, func(d *lockout) any { return d.LastSeen }},
		{"count", nil, func(d *lockout) any { return d.Count }},
		{"affected", nil, func(d *lockout) any { return d.Affected }},
		{"affected_total", nil, func(d *lockout) any { return d.AffectedTotal }},
		{"remedies", nil, func(d *lockout) any { return d.Remedies }},
		{"parent", nil, func(d *lockout) any { return d.Parent }},
		{"children_total", nil, func(d *lockout) any { return d.ChildrenTotal }},
		{"resolution", resolutionParts(), func(d *lockout) any { return d.Resolution }},
	}}
}

// listLockouts lists the diagnoses by which someone is kept out, without those
// that another one explains.
func listLockouts(cfg *Config) ask {
	list := diagnosesList(cfg, "lockouts", lockoutCodes(), true)
	return func(r *http.Request, q query) (document, error) { return list(r, q, q.get("cluster")) }
}

func listLockoutsOf(cfg *Config) ask {
	list := diagnosesList(cfg, "lockouts", lockoutCodes(), true)
	return func(r *http.Request, q query) (document, error) {
		name, err := clusterName(r)
		if err != nil {
			return document{}, err
		}
		doc, err := list(r, q, name)
		if err == nil && doc.empty {
			err = mustKnow(r.Context(), cfg.Store, name, cfg.Now())
		}
		return doc, err
	}
}

// listDiagnoses lists all that was found: also what keeps nobody out, and what
// another diagnosis explains.
func listDiagnoses(cfg *Config) ask {
	list := diagnosesList(cfg, "diagnoses", allCodes(), false)
	return func(r *http.Request, q query) (document, error) { return list(r, q, q.get("cluster")) }
}

// diagnosesList lists diagnoses of these codes, of a cluster if one is named.
func diagnosesList(cfg *Config, member string, codes []string, topOnly bool) func(r *http.Request, q query, cluster string) (document, error) {
	sheet := diagnosisSheet(member)
	return func(r *http.Request, q query, cluster string) (document, error) {
		layout, err := sheet.layout(r, q)
		if err != nil {
			return document{}, err
		}
		f, keep, err := q.diagnoses(codes, cluster, cfg.Now())
		if err != nil {
			return document{}, err
		}
		f.TopOnly = topOnly
		if len(f.Codes) == 0 && topOnly {
			f.Codes = codes
		}
		limit := f.Limit
		all := reading[authlog.Diagnosis]{
			next: func(ctx context.Context, n int) ([]authlog.Diagnosis, error) {
				f.Limit = n
				return cfg.Store.Diagnoses(ctx, f)
			},
			goOn: func(last *authlog.Diagnosis) { f.After = placeOf(last) },
			keep: keep, scan: scanDiagnoses,
		}
		found, last, err := all.page(r.Context(), limit)
		if err != nil {
			return document{}, err
		}
		next := ""
		if last != nil {
			next = seal(placeOfDiagnosis, stamp(last.LastSeen), last.ID)
		}
		return layout.page(r, q, wireLockouts(found), next, f.SeenSince), nil
	}
}

func placeOf(d *authlog.Diagnosis) authlog.DiagnosisPlace {
	return authlog.DiagnosisPlace{LastSeen: d.LastSeen, ID: d.ID}
}

// diagnoses reads which ones of a cluster, or all, a request asks for: open ones,
// if it does not say. Those of a span are those that were seen within it, be it
// that they began before or ended after.
func (q query) diagnoses(codes []string, cluster string, now time.Time) (
	f authlog.DiagnosisFilter, chosen func(*authlog.Diagnosis) bool, err error,
) {
	f.Cluster, f.Account, f.Region = cluster, q.get("account"), q.get("region")
	if f.State, err = q.state(); err != nil {
		return f, nil, err
	}
	if f.Severities, err = q.severities(); err != nil {
		return f, nil, err
	}
	f.Codes = q["code"]
	for _, code := range f.Codes {
		if !slices.Contains(codes, code) {
			return f, nil, refuseParameter("code", "does not know %q here; GET /catalogue/diagnoses lists all codes and says which are lockouts", code)
		}
	}
	if err = q.accountAndRegion(); err != nil {
		return f, nil, err
	}
	var end time.Time
	if f.SeenSince, end, err = q.span(now); err != nil {
		return f, nil, err
	}
	matchers, err := q.filters(diagnosisLabels())
	if err != nil {
		return f, nil, err
	}
	if q.get("state") == "" && slices.ContainsFunc(matchers, func(m *labels.Matcher) bool { return m.Name == "state" }) {
		f.State = ""
	}
	narrow(matchers, map[string]*string{
		"subject": &f.Subject, "principal": &f.Subject, "cluster": &f.Cluster, "account": &f.Account, "region": &f.Region,
	})
	if chosen = tried(matchers, diagnosisLabel); !end.IsZero() {
		matching := chosen
		chosen = func(d *authlog.Diagnosis) bool { return d.FirstSeen.Before(end) && (matching == nil || matching(d)) }
	}
	return f, chosen, q.diagnosesPage(&f)
}

// diagnosesPage reads how many to show, in which order, and from where.
func (q query) diagnosesPage(f *authlog.DiagnosisFilter) (err error) {
	if f.Limit, err = q.count("limit", defaultDiagnoses, maxDiagnoses); err != nil {
		return err
	}
	if f.Ascending, err = q.order(false, newestFirst); err != nil {
		return err
	}
	if token := q.get("next"); token != "" {
		parts, ok := unseal(placeOfDiagnosis, token, 2)
		if !ok {
			return refuseToken()
		}
		f.After = authlog.DiagnosisPlace{LastSeen: parseStamp(parts[0]), ID: parts[1]}
	}
	return nil
}

func (q query) severities() (list []authlog.Severity, err error) {
	for _, s := range q["severity"] {
		if !slices.Contains([]string{"critical", "warning", "info"}, s) {
			return nil, refuseParameter("severity", "must be critical, warning or info, not %q", s)
		}
		list = append(list, authlog.Severity(s))
	}
	return list, nil
}

func (q query) state() (authlog.DiagnosisState, error) {
	switch s := q.get("state"); s {
	case "", "open":
		return authlog.DiagnosisOpen, nil
	case "resolved":
		return authlog.DiagnosisResolved, nil
	case "all":
		return "", nil
	default:
		return "", refuseParameter("state", "must be open, resolved or all, not %q", s)
	}
}

func allCodes() (codes []string) {
	for _, e := range diagnose.All() {
		codes = append(codes, e.Code)
	}
	return codes
}

func lockoutCodes() (codes []string) {
	for _, e := range diagnose.All() {
		if e.Lockout {
			codes = append(codes, e.Code)
		}
	}
	return codes
}

func showDiagnosis(store Store) ask {
	return func(r *http.Request, _ query) (document, error) {
		id := pathParam(r, "id")
		d, err := store.Diagnosis(r.Context(), id)
		switch {
		case errors.Is(err, authlog.ErrNotFound):
			return document{}, refuse(unknownDiagnosis, "no diagnosis has the id %q", id)
		case err != nil:
			return document{}, err
		}
		return jsonDocument(wireDiagnosis(d)), nil
	}
}

func listCatalogue() ask {
	list := diagnose.All()
	for i := range list {
		list[i].Docs = orEmpty(list[i].Docs)
	}
	doc := jsonDocument(catalogueList{Diagnoses: list})
	return func(*http.Request, query) (document, error) { return doc, nil }
}

func showCatalogueEntry(r *http.Request, _ query) (document, error) {
	code := pathParam(r, "code")
	known, ok := diagnose.ByCode(code)
	if !ok {
		return document{}, refuse(unknownCode, "no diagnosis has the code %q; GET /catalogue/diagnoses lists all codes", code)
	}
	known.Docs = orEmpty(known.Docs)
	return jsonDocument(known), nil
}

// clusterName is the name in the path. chi takes an empty part for a name, the
// store for every cluster.
func clusterName(r *http.Request) (string, error) {
	name := pathParam(r, "name")
	if strings.TrimSpace(name) == "" {
		return "", refuse(unknownCluster, "no cluster is named")
	}
	return name, nil
}
