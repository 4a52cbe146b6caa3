package api_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/eks-authlog/eks-authlog/internal/api"
	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/store"
)

var staging = authlog.Cluster{Name: "staging", Account: "111122223333", Region: "eu-central-1"}

// diagnosisOf makes an open one.
func diagnosisOf(c authlog.Cluster, code, subject string, last time.Time) authlog.Diagnosis {
	return authlog.Diagnosis{
		ID: authlog.DiagnosisID(c, code, subject), Code: code, Subject: subject, Cluster: c,
		Severity: authlog.SeverityWarning, Confidence: authlog.ConfidenceHigh, State: authlog.DiagnosisOpen,
		Summary: "Out.", FirstSeen: last.Add(-time.Hour), LastSeen: last, Count: 2, AffectedTotal: 1,
	}
}

func resolved(d authlog.Diagnosis) authlog.Diagnosis {
	d.State = authlog.DiagnosisResolved
	d.Resolution = &authlog.Resolution{Time: now, By: authlog.ResolvedByGrant, Why: "It was granted.", ARN: d.Subject}
	return d
}

func saveDiagnoses(t *testing.T, st *store.SQLite, all ...authlog.Diagnosis) {
	t.Helper()
	if err := st.Save(t.Context(), authlog.Batch{Diagnoses: all}); err != nil {
		t.Fatal(err)
	}
}

type diagnosisPage struct {
	Lockouts, Diagnoses []struct{ ID, Subject string }
	Next                string
}

// subjects of all pages of a list.
func subjects(t *testing.T, s *service, path string) (found []string) {
	t.Helper()
	for next := path; next != ""; {
		r := s.get(t, next)
		page := decode[diagnosisPage](t, r, http.StatusOK)
		for _, d := range append(page.Lockouts, page.Diagnoses...) {
			found = append(found, d.Subject)
		}
		if next = linked(t, r); (next != "") != (page.Next != "") {
			t.Errorf("%s: next %q, Link %q", path, page.Next, next)
		}
	}
	return found
}

func TestLockoutsListsWhoIsOutAndChoosesByEveryParameter(t *testing.T) {
	st := openStore(t)
	at := func(minutes int) time.Time { return now.Add(-time.Duration(minutes) * time.Minute) }
	lost, never := diagnosisOf(prod, "mapping_lost", "lost", at(1)), diagnosisOf(staging, "never_mapped", "never", at(2))
	never.Severity = authlog.SeverityInfo
	far := diagnosisOf(authlog.Cluster{Name: "prod", Account: "444455556666", Region: "us-east-1"}, "role_recreated", "far", at(3))
	far.Severity = authlog.SeverityCritical
	child := diagnosisOf(prod, "mapping_lost", "child", at(0))
	child.Parent = far.ID
	probe := diagnosisOf(prod, "credential_probe", "probe", at(0)) // keeps nobody out
	over := resolved(diagnosisOf(prod, "mapping_lost", "over", at(9)))
	saveDiagnoses(t, st, lost, never, far, child, probe, over)
	s := serve(t, st, &fake{})
	for path, want := range map[string][]string{
		"/lockouts":                                   {"lost", "never", "far"},
		"/lockouts?limit=1":                           {"lost", "never", "far"},
		"/lockouts?state=open":                        {"lost", "never", "far"},
		"/lockouts?state=resolved":                    {"over"},
		"/lockouts?state=all":                         {"lost", "never", "far", "over"},
		"/lockouts?severity=critical&severity=info":   {"never", "far"},
		"/lockouts?code=never_mapped":                 {"never"},
		"/lockouts?code=never_mapped&code=clock_skew": {"never"},
		"/lockouts?cluster=prod":                      {"lost", "far"},
		"/lockouts?cluster=nowhere":                   nil,
		"/lockouts?account=444455556666":              {"far"},
		"/lockouts?region=eu-central-1&limit=1":       {"lost", "never"},
		"/clusters/prod/lockouts":                     {"lost", "far"},
		"/clusters/prod/lockouts?region=us-east-1":    {"far"},
		"/clusters/prod/lockouts?state=resolved":      {"over"},
		"/clusters/staging/lockouts?state=resolved":   nil,
		"/diagnoses?code=credential_probe":            {"probe"},
		"/diagnoses?cluster=staging":                  {"never"},
	} {
		if diff := cmp.Diff(want, subjects(t, s, path)); diff != "" {
			t.Errorf("%s: %s", path, diff)
		}
	}
	all := subjects(t, s, "/diagnoses?state=all&limit=2")
	slices.Sort(all)
	if diff := cmp.Diff([]string{"child", "far", "lost", "never", "over", "probe"}, all); diff != "" {
		t.Error(diff)
	}
	decodeProblem(t, s.get(t, "/clusters/nobody/lockouts"), http.StatusNotFound)
}

func TestListsOfDiagnosesRefuseWhatTheyDoNotKnow(t *testing.T) {
	s := serve(t, openStore(t), &fake{})
	token := decode[diagnosisPage](t, func() reply {
		st := openStore(t)
		saveDiagnoses(t, st, diagnosisOf(prod, "mapping_lost", "a", now), diagnosisOf(prod, "mapping_lost", "b", now))
		return serve(t, st, &fake{}).get(t, "/lockouts?limit=1")
	}(), http.StatusOK).Next
	if r := s.get(t, "/lockouts?next="+token); r.status != http.StatusOK {
		t.Errorf("another replica's token: %d %s", r.status, r.body)
	}
	for query, parameter := range map[string]string{
		"state=closed": "state", "severity=high": "severity", "code=no_such_code": "code", "code=credential_probe": "code",
		"limit=501": "limit", "limit=0": "limit", "next=x": "next", "next=" + token[1:]: "next", "account=1": "account", "region=mars": "region",
		"next=AaINaMYgkC_1zgNzpW__VnX1UKc": "next", "state=open&state=open": "state", "since=soon": "since", "order=up": "order", "fields=nothing": "fields", "filter=layer%3D%22sts%22": "filter",
	} {
		p := decodeProblem(t, s.get(t, "/lockouts?"+query), http.StatusBadRequest)
		if p.Parameter != parameter {
			t.Errorf("%s: %+v", query, p)
		}
	}
	for path, kind := range map[string]string{
		"/diagnoses/06H0QQ664282VTEE0DPQARVVAO": "/problems/unknown-diagnosis", "/diagnoses/%3Cscript%3E": "/problems/unknown-diagnosis",
		"/catalogue/diagnoses/nothing": "/problems/unknown-code", "/principals/arn:nobody": "/problems/unknown-principal",
		"/principals/": "/problems/unknown-principal", "/clusters/nobody": "/problems/unknown-cluster",
		"/clusters/nobody/principals": "/problems/unknown-cluster",
	} {
		if p := decodeProblem(t, s.get(t, path), http.StatusNotFound); p.Type != kind {
			t.Errorf("%s: %+v", path, p)
		}
	}
}

func TestADiagnosisIsShownWholeAndHarmless(t *testing.T) {
	st := openStore(t)
	d := lostMapping()
	d.Evidence[1].Raw = "</script><b>\xff"
	saveDiagnoses(t, st, d, diagnosisOf(prod, "a_code_of_a_later_version", "x", now))
	s := serve(t, st, &fake{})
	r := s.get(t, "/diagnoses/"+d.ID)
	if strings.ContainsAny(string(r.body), "<>&") {
		t.Errorf("%s", r.body)
	}
	got := decode[struct {
		authlog.Diagnosis
		Title   string
		WhoActs string `json:"who_acts"`
		Runbook string
	}](t, r, http.StatusOK)
	d.Evidence[1].Raw = "</script><b>\uFFFD"
	if diff := cmp.Diff(d, got.Diagnosis); diff != "" {
		t.Error(diff)
	}
	entry := decode[struct {
		Title   string
		WhoActs string `json:"who_acts"`
	}](t, s.get(t, got.Runbook), http.StatusOK)
	if got.Title == "" || entry.Title != got.Title || entry.WhoActs != got.WhoActs {
		t.Errorf("%+v, the runbook %+v", got, entry)
	}
	item := decode[struct {
		Lockouts []struct {
			URL, Title string
			Remedies   []struct{ Title string }
		}
	}](t, s.get(t, "/lockouts"), http.StatusOK)
	if l := item.Lockouts; len(l) != 1 || l[0].URL != "/diagnoses/"+d.ID || l[0].Title != got.Title || l[0].Remedies[0].Title != d.Remedies[0].Title {
		t.Errorf("%+v", l)
	}
	// Every list is one, even with nothing in it: the schema of the document
	// has no null.
	s.get(t, "/diagnoses/"+authlog.DiagnosisID(prod, "a_code_of_a_later_version", "x"))
	s.get(t, "/diagnoses")
}

func TestAListNamesAFewOfManyAffected(t *testing.T) {
	st := openStore(t)
	d := lostMapping()
	for i := range 40 {
		d.Affected = append(d.Affected, authlog.Affected{ARN: fmt.Sprint("arn:", i), Kind: authlog.PrincipalRole, FirstSeen: now, LastSeen: now})
	}
	saveDiagnoses(t, st, d)
	s := serve(t, st, &fake{})
	type affected struct{ Affected []struct{ ARN string } }
	list := decode[struct{ Lockouts []affected }](t, s.get(t, "/lockouts"), http.StatusOK).Lockouts
	whole := decode[affected](t, s.get(t, "/diagnoses/"+d.ID), http.StatusOK)
	if len(list[0].Affected) != 5 || len(whole.Affected) != 41 {
		t.Errorf("%d of %d in the list", len(list[0].Affected), len(whole.Affected))
	}
}

func TestAClusterShowsWhatIsKnownOfIt(t *testing.T) {
	const stream = "authenticator-0123456789abcdef"
	st := openStore(t, denialAt(prod, now.Add(-time.Minute), 1))
	saveDiagnoses(t, st, lostMapping(), diagnosisOf(staging, "mapping_lost", "other", now))
	err := st.Save(t.Context(), authlog.Batch{Cursors: []authlog.Cursor{
		{Cluster: prod, Through: now.Add(-90 * time.Second), Streams: []string{stream, `x"] | limit 1 #`}},
		{Cluster: staging, Through: now.Add(-time.Hour)},
	}})
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t, st, &fake{})
	type detail struct {
		Status       string
		LagSeconds   *int64  `json:"lag_seconds"`
		Logging      *string `json:"authenticator_logging"`
		Mode         *string `json:"authentication_mode"`
		Insights     struct{ URL, Query string }
		OpenLockouts []struct{ Subject string } `json:"open_lockouts"`
		Creator      *struct{ ARN, Confidence, Diagnosis string }
	}
	got := decode[detail](t, s.get(t, "/clusters/prod"), http.StatusOK)
	if got.Status != "denials" || *got.LagSeconds != 90 || *got.Logging != "yes" || got.Mode != nil || got.Creator != nil ||
		len(got.OpenLockouts) != 1 || got.OpenLockouts[0].Subject != lostMapping().Subject {
		t.Errorf("%+v", got)
	}
	if q := got.Insights.Query; !strings.Contains(q, `["`+stream+`"]`) || strings.Contains(q, "limit 1 #") {
		t.Errorf("query %s", q)
	}
	checkInsights(t, got.Insights.URL, got.Insights.Query, prod.LogGroup())
	if got := decode[detail](t, s.get(t, "/clusters/staging"), http.StatusOK); got.Status != "pending" || got.Logging != nil {
		t.Errorf("not read for an hour: %+v", got)
	}

	maker := diagnosisOf(prod, "creator_identified", "", now)
	maker.Confidence, maker.Affected = authlog.ConfidenceMedium, []authlog.Affected{{ARN: "arn:aws:iam::111122223333:role/maker", Kind: authlog.PrincipalRole, FirstSeen: now, LastSeen: now}}
	saveDiagnoses(t, st, maker)
	if c := decode[detail](t, s.get(t, "/clusters/prod"), http.StatusOK).Creator; c == nil || c.ARN != maker.Affected[0].ARN || c.Confidence != "medium" || c.Diagnosis != maker.ID {
		t.Errorf("creator %+v", c)
	}
}

// checkInsights undoes the link's encoding.
func checkInsights(t *testing.T, link, query, group string) {
	t.Helper()
	u, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	detail, ok := strings.CutPrefix(u.Fragment, "logsV2:logs-insights$3FqueryDetail$3D~(")
	plain, err := url.PathUnescape(strings.ReplaceAll(detail, "*", "%"))
	if !ok || err != nil || u.Host != "eu-central-1.console.aws.amazon.com" || u.Query().Get("region") != "eu-central-1" {
		t.Fatalf("%s: %v", link, err)
	}
	if !strings.Contains(plain, "editorString~'"+query+"~source~(~'"+group+"))") {
		t.Errorf("%s", plain)
	}
}

func TestAClusterNameOfManyAsksWhich(t *testing.T) {
	other := authlog.Cluster{Name: "prod", Account: "444455556666", Region: "cn-north-1"}
	s := serve(t, openStore(t, denialAt(prod, now, 1), denialAt(other, now, 2)), &fake{})
	p := decodeProblem(t, s.get(t, "/clusters/prod"), http.StatusConflict)
	if p.Type != "/problems/ambiguous-cluster" || !strings.Contains(p.Detail, "account=444455556666&region=cn-north-1") {
		t.Errorf("%+v", p)
	}
	for _, query := range []string{"?account=444455556666", "?region=cn-north-1", "?account=444455556666&region=cn-north-1"} {
		got := decode[struct {
			Account  string
			Insights struct{ URL string }
		}](t, s.get(t, "/clusters/prod"+query), http.StatusOK)
		if got.Account != other.Account || !strings.HasPrefix(got.Insights.URL, "https://cn-north-1.console.amazonaws.cn/") {
			t.Errorf("%s: %+v", query, got)
		}
	}
	decodeProblem(t, s.get(t, "/clusters/prod?region=eu-west-1"), http.StatusNotFound)
}

// known is what EKS would say.
type known authlog.ClusterFacts

func (k known) Facts(authlog.Cluster) authlog.ClusterFacts { return authlog.ClusterFacts(k) }

func (k known) Access(authlog.Cluster) *authlog.Access { return nil }

func (k known) Clusters(authlog.Shard) []authlog.Cluster { return nil }

func TestAClusterShowsWhatIsKnownFromElsewhere(t *testing.T) {
	st := openStore(t, denialAt(prod, now, 1))
	maker := diagnosisOf(prod, "creator_identified", "", now)
	maker.Affected = []authlog.Affected{{ARN: "arn:guessed"}}
	saveDiagnoses(t, st, maker)
	s := serveWith(t, api.Config{Store: st, Health: &fake{}, Access: known{
		Status: "ACTIVE", Mode: authlog.ModeBoth, Logging: authlog.No,
		Creator: authlog.Creator{ARN: deploy, Source: "CloudTrail CreateCluster", Exists: authlog.No},
	}})
	got := decode[map[string]any](t, s.get(t, "/clusters/prod"), http.StatusOK)
	for name, want := range map[string]any{
		"eks_status": "ACTIVE", "authentication_mode": "API_AND_CONFIG_MAP", "authenticator_logging": "no",
		"creator": map[string]any{"arn": deploy, "confidence": "certain", "source": "CloudTrail CreateCluster", "exists": "no"},
	} {
		if diff := cmp.Diff(want, got[name]); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}
