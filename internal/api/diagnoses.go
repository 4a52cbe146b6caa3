package api

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/diagnose"
)

const (
	defaultDiagnoses = 100
	maxDiagnoses     = 500
)

func diagnosisParams() []param {
	return []param{
		{name: "state"},
		{name: "severity", repeatable: true},
		{name: "code", repeatable: true},
		{name: "cluster"},
		{name: "account"},
		{name: "region"},
		{name: "limit"},
		{name: "next"},
	}
}

// lockoutParams are those of the lockouts of one cluster, which the path names.
func lockoutParams() []param {
	return slices.DeleteFunc(diagnosisParams(), func(p param) bool { return p.name == "cluster" })
}

// listLockouts lists the diagnoses by which someone is kept out, without those
// that another one explains.
func listLockouts(store Store) ask {
	return func(r *http.Request, q query) (document, error) {
		f, err := q.diagnoses(lockoutCodes())
		if err != nil {
			return document{}, err
		}
		return lockouts(r, store, f, q)
	}
}

func listLockoutsOf(store Store, now func() time.Time) ask {
	return func(r *http.Request, q query) (document, error) {
		f, err := q.diagnoses(lockoutCodes())
		if err == nil {
			f.Cluster, err = clusterName(r)
		}
		if err != nil {
			return document{}, err
		}
		doc, err := lockouts(r, store, f, q)
		if err == nil && doc.empty {
			err = mustKnow(r.Context(), store, f.Cluster, now())
		}
		return doc, err
	}
}

func lockouts(r *http.Request, store Store, f authlog.DiagnosisFilter, q query) (document, error) {
	f.TopOnly = true
	if len(f.Codes) == 0 {
		f.Codes = lockoutCodes()
	}
	list, next, err := diagnosesPage(r, store, f)
	if err != nil {
		return document{}, err
	}
	return pageDocument(lockoutList{Lockouts: list, Next: next}, len(list), next, r.URL, q), nil
}

// listDiagnoses lists all that was found: also what keeps nobody out, and what
// another diagnosis explains.
func listDiagnoses(store Store) ask {
	return func(r *http.Request, q query) (document, error) {
		f, err := q.diagnoses(allCodes())
		if err != nil {
			return document{}, err
		}
		list, next, err := diagnosesPage(r, store, f)
		if err != nil {
			return document{}, err
		}
		return pageDocument(diagnosisList{Diagnoses: list, Next: next}, len(list), next, r.URL, q), nil
	}
}

func diagnosesPage(r *http.Request, store Store, f authlog.DiagnosisFilter) (list []lockout, next string, err error) {
	limit := f.Limit
	f.Limit++ // one more than is shown tells whether another page follows
	found, err := store.Diagnoses(r.Context(), f)
	if err != nil {
		return nil, "", err
	}
	if len(found) > limit {
		found = found[:limit]
		last := &found[limit-1]
		next = seal(placeOfDiagnosis, stamp(last.LastSeen), last.ID)
	}
	return wireLockouts(found), next, nil
}

// pageDocument is a page, and where the next one is.
func pageDocument(v any, items int, next string, u *url.URL, q query) document {
	doc := jsonDocument(v)
	doc.empty = items == 0 && q.get("next") == ""
	if next != "" {
		doc.next = nextURL(u, q, next)
	}
	return doc
}

// diagnoses reads which ones a request asks for: open ones, if it does not say.
func (q query) diagnoses(codes []string) (f authlog.DiagnosisFilter, err error) {
	f.Codes, f.Cluster, f.Account, f.Region = q["code"], q.get("cluster"), q.get("account"), q.get("region")
	if f.State, err = q.state(); err != nil {
		return f, err
	}
	for _, s := range q["severity"] {
		if !slices.Contains([]string{"critical", "warning", "info"}, s) {
			return f, refuseParameter("severity", "must be critical, warning or info, not %q", s)
		}
		f.Severities = append(f.Severities, authlog.Severity(s))
	}
	for _, code := range f.Codes {
		if !slices.Contains(codes, code) {
			return f, refuseParameter("code", "does not know %q here; GET /catalogue/diagnoses lists all codes and says which are lockouts", code)
		}
	}
	if err = q.accountAndRegion(); err != nil {
		return f, err
	}
	if f.Limit, err = q.count("limit", defaultDiagnoses, maxDiagnoses); err != nil {
		return f, err
	}
	if token := q.get("next"); token != "" {
		parts, ok := unseal(placeOfDiagnosis, token, 2)
		if !ok {
			return f, refuseToken()
		}
		f.After = authlog.DiagnosisPlace{LastSeen: parseStamp(parts[0]), ID: parts[1]}
	}
	return f, nil
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
