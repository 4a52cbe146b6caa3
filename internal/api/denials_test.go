package api_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/rules"
)

func TestDenialsShowsEveryField(t *testing.T) {
	full := denialAt(prod, now.Add(-500*time.Millisecond), 1)
	full.Principal = &authlog.Principal{
		ARN: "arn:aws:iam::111122223333:role/deploy", Kind: authlog.PrincipalRole, Account: "111122223333", Session: "ci",
		AccessKeyID: "ASIAEXAMPLE",
	}
	full.Error, full.Client, full.STSEndpoint = "ARN is not mapped", "127.0.0.1:4711", "sts.eu-central-1.amazonaws.com"
	bare := denialAt(prod, now.Add(-time.Minute), 2)
	bare.Reason = "a_code_of_a_later_version"
	s := serveFake(t, &fake{denials: []authlog.Denial{full, bare}})

	known, _ := rules.ByCode("arn_not_mapped")
	docs := make([]any, len(known.Docs))
	for i, d := range known.Docs {
		docs[i] = d
	}
	want := map[string]any{"denials": []any{
		map[string]any{
			"id": full.ID.String(), "time": "2026-11-24T11:59:59.5Z",
			"cluster": "prod", "account": "111122223333", "region": "eu-central-1",
			"reason": "arn_not_mapped", "layer": "mapping", "error": "ARN is not mapped",
			"principal": map[string]any{
				"arn": "arn:aws:iam::111122223333:role/deploy", "kind": "role", "account": "111122223333", "session": "ci",
			},
			"client": "127.0.0.1:4711", "sts_endpoint": "sts.eu-central-1.amazonaws.com",
			"who_acts": "cluster_admin", "retryable": "no", "summary": known.Summary, "docs": docs,
		},
		map[string]any{
			"id": bare.ID.String(), "time": "2026-11-24T11:59:00Z",
			"cluster": "prod", "account": "111122223333", "region": "eu-central-1",
			"reason": "a_code_of_a_later_version", "layer": "", "error": "", "principal": nil,
			"client": "", "sts_endpoint": "", "who_acts": "", "retryable": "", "summary": "", "docs": []any{},
		},
	}}
	if diff := cmp.Diff(any(want), decode[any](t, s.get(t, "/clusters/prod/denials"), http.StatusOK)); diff != "" {
		t.Error(diff)
	}
}

func TestParametersChooseDenials(t *testing.T) {
	at := func(s string) time.Time {
		v, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for _, c := range []struct {
		query string
		want  authlog.DenialFilter
	}{
		{"", authlog.DenialFilter{}},
		{"&&", authlog.DenialFilter{}},
		{"start=2026-11-24T10:00:00Z&end=2026-11-24T11:00:00.5Z", authlog.DenialFilter{Start: at("2026-11-24T10:00:00Z"), End: at("2026-11-24T11:00:00.5Z")}},
		{"start=2026-11-24T10:00:00%2B02:00", authlog.DenialFilter{Start: at("2026-11-24T08:00:00Z")}},
		{"start=1795514400&end=1795514400.25", authlog.DenialFilter{Start: at("2026-11-24T10:00:00Z"), End: at("2026-11-24T10:00:00.25Z")}},
		{"start=1795514400.0001", authlog.DenialFilter{Start: at("2026-11-24T10:00:00.001Z")}},
		{"end=0", authlog.DenialFilter{End: time.Unix(0, 0).UTC()}},
		{"since=15m", authlog.DenialFilter{Start: now.Add(-15 * time.Minute)}},
		{"since=7d", authlog.DenialFilter{Start: now.AddDate(0, 0, -7)}},
		{"since=1.5h", authlog.DenialFilter{Start: now.Add(-90 * time.Minute)}},
		{"since=1h&end=2026-11-20T00:00:00Z", authlog.DenialFilter{Start: at("2026-11-19T23:00:00Z"), End: at("2026-11-20T00:00:00Z")}},
		{"reason=arn_not_mapped&reason=token_expired", authlog.DenialFilter{Reasons: []string{"arn_not_mapped", "token_expired"}}},
		{"principal=" + url.QueryEscape("arn:aws:iam::111122223333:role/a+b c"), authlog.DenialFilter{Principal: "arn:aws:iam::111122223333:role/a+b c"}},
		{"account=111122223333&region=us-gov-west-1", authlog.DenialFilter{Account: "111122223333", Region: "us-gov-west-1"}},
	} {
		f := &fake{clusters: []authlog.ClusterSummary{summaryOf(prod)}}
		if r := serveFake(t, f).get(t, "/clusters/prod/denials?"+c.query); r.status != http.StatusOK {
			t.Errorf("%s: %d %s", c.query, r.status, r.body)
			continue
		}
		c.want.Cluster, c.want.Limit = "prod", 51 // one more than shown, to know whether there is a next page
		if diff := cmp.Diff([]authlog.DenialFilter{c.want}, f.asked); diff != "" {
			t.Errorf("%s: %s", c.query, diff)
		}
	}
}

func TestLimitBoundsThePage(t *testing.T) {
	s := serveFake(t, &fake{denials: denialsBefore(prod, now, 1500)})
	for query, want := range map[string]int{"": 50, "limit=1": 1, "limit=1000": 1000} {
		doc := decode[denialPage](t, s.get(t, "/clusters/prod/denials?"+query), http.StatusOK)
		if len(doc.Denials) != want || doc.Next == "" {
			t.Errorf("%s: %d denials, next %q", query, len(doc.Denials), doc.Next)
		}
	}
}

type denialPage struct {
	Denials []struct{ ID, Account, Region string }
	Next    string
}

func TestBadParametersAreNamed(t *testing.T) {
	s := serveFake(t, &fake{denials: denialsBefore(prod, now, 3)})
	next := decode[denialPage](t, s.get(t, "/clusters/prod/denials?limit=1"), http.StatusOK).Next
	for _, c := range []struct{ query, parameter, detail string }{
		{"x=1", "x", "known are start, end, since, reason"},
		{"Start=1", "Start", "unknown"},
		{"=1", "", "unknown"},
		{"limit=1&limit=2", "limit", "more than once"},
		{"principal=arn:a&principal=arn:b", "principal", "more than once"},
		{"limit", "limit", "no value"},
		{"reason=", "reason", "no value"},
		{"limit=0", "limit", "from 1 to 1000"},
		{"limit=1001", "limit", "from 1 to 1000"},
		{"limit=-1", "limit", "from 1 to 1000"},
		{"limit=1e2", "limit", "from 1 to 1000"},
		{"limit=99999999999999999999", "limit", "from 1 to 1000"},
		{"start=yesterday", "start", "RFC 3339"},
		{"start=2026-11-24", "start", "RFC 3339"},
		{"start=2026-11-24T10:00:00+01:00", "start", "%2B"},
		{"start=-1", "start", "RFC 3339"},
		{"start=NaN", "start", "RFC 3339"},
		{"start=1795514400000", "start", "RFC 3339"},
		{"end=999999999999", "end", "1970 to 9999"},
		{"end=0001-01-01T00:00:00Z", "end", "1970 to 9999"},
		{"start=5&end=5", "start", "before end"},
		{"start=6&end=5", "start", "before end"},
		{"since=0", "since", "positive duration"},
		{"since=-5m", "since", "positive duration"},
		{"since=5", "since", "positive duration"},
		{"since=1h&start=5", "since", "start"},
		{"reason=arn_not_mapped&reason=nonsense", "reason", `"nonsense"`},
		{"principal=deploy", "principal", "ARN"},
		{"order=newest", "order", "desc"},
		{"order=asc&order=desc", "order", "more than once"},
		{"fields=id,nothing", "fields", `"nothing"; known are id, time, cluster`},
		{"fields=id,", "fields", `""`},
		{"fields=id,time,id", "fields", `"id" twice`},
		{"filter=reason", "filter", "reason=\"arn_not_mapped\""},
		{"filter=" + url.QueryEscape(`reason="a" and kind="b"`), "filter", "matcher"},
		{"filter=" + url.QueryEscape(`client="127.0.0.1"`), "filter", `"client"; known are reason`},
		{"filter=" + url.QueryEscape(`principal=~"("`), "filter", "missing closing )"},
		{"filter=" + url.QueryEscape(`principal=~"((a{100}){100}){100}"`), "filter", "invalid repeat count"},
		{"account=1234", "account", "12 digits"},
		{"region=Frankfurt", "region", "eu-central-1"},
		{"next=abc", "next", "earlier answer"},
		{"next=" + next[1:], "next", "earlier answer"},
		{"next=A" + next[1:] + "A", "next", "earlier answer"},
		{"principal=%zz", "principal", "percent-encoded"},
		{"principal=arn:%ff", "principal", "UTF-8"},
		{"principal=arn:a;b", "principal", "semicolon"},
		{"%ff=1", "%ff", "percent-encoded"},
	} {
		p := decodeProblem(t, s.get(t, "/clusters/prod/denials?"+c.query), http.StatusBadRequest)
		if p.Parameter != c.parameter || p.Type != "/problems/bad-parameter" || !strings.Contains(p.Detail, c.detail) {
			t.Errorf("%s: %+v", c.query, p)
		}
	}
}

func TestAChangedTokenIsRefused(t *testing.T) {
	s := serveFake(t, &fake{denials: denialsBefore(prod, now, 3)})
	next := decode[denialPage](t, s.get(t, "/clusters/prod/denials?limit=1"), http.StatusOK).Next
	for i := range next {
		changed := []byte(next)
		if changed[i]++; changed[i] == 'z'+1 || changed[i] == 'Z'+1 || changed[i] == '9'+1 || changed[i] == '_'+1 || changed[i] == '-'+1 {
			changed[i] = 'k'
		}
		p := decodeProblem(t, s.get(t, "/clusters/prod/denials?next="+string(changed)), http.StatusBadRequest)
		if p.Parameter != "next" {
			t.Errorf("changed at %d: %+v", i, p)
		}
	}
}

func TestOtherListsKnowNoParameters(t *testing.T) {
	s := serveFake(t, &fake{})
	for _, path := range []string{"/reasons?limit=5", "/catalogue/diagnoses?limit=5", "/reasons/arn_not_mapped?limit=5"} {
		if p := decodeProblem(t, s.get(t, path), http.StatusBadRequest); p.Parameter != "limit" {
			t.Errorf("%s: %+v", path, p)
		}
	}
}

func TestUnknownClusterIsNamedAndAQuietOneIsNot(t *testing.T) {
	s := serveFake(t, &fake{clusters: []authlog.ClusterSummary{summaryOf(prod)}})
	p := decodeProblem(t, s.get(t, "/clusters/prof/denials"), http.StatusNotFound)
	if p.Type != "/problems/unknown-cluster" || !strings.Contains(p.Detail, `"prof"`) {
		t.Errorf("%+v", p)
	}
	if p := decodeProblem(t, s.get(t, "/clusters//denials"), http.StatusNotFound); p.Type != "/problems/unknown-cluster" {
		t.Errorf("%+v", p)
	}
	if r := s.get(t, "/clusters/prod/denials"); string(r.body) != "{\"denials\":[]}\n" {
		t.Errorf("%d %s", r.status, r.body)
	}
}
