package api_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

func TestAcceptChoosesTheForm(t *testing.T) {
	s := serveFake(t, &fake{denials: denialsBefore(prod, now, 2)})
	for accept, want := range map[string]string{
		"":                                    "application/json",
		"*/*":                                 "application/json",
		"application/*":                       "application/json",
		"text/html,*/*;q=0.8":                 "application/json",
		"text/csv":                            "text/csv; charset=utf-8; header=present",
		"text/*":                              "text/csv; charset=utf-8; header=present",
		"application/x-ndjson":                "application/x-ndjson",
		"application/json;q=0.2, text/csv":    "text/csv; charset=utf-8; header=present",
		"text/csv;q=0.1, application/*;q=0.9": "application/json",
		"application/json;q=0, */*":           "application/x-ndjson",
		"application/json; charset=utf-8":     "application/json",
		"text/csv; charset=utf-8; header=present, application/json; q=0.5": "text/csv; charset=utf-8; header=present",
	} {
		r := s.ask(t, "/clusters/prod/denials", "Accept", accept)
		if got := r.header.Get("Content-Type"); got != want || r.status != http.StatusOK {
			t.Errorf("Accept %q: %d %q, want %q", accept, r.status, got, want)
		}
		if !strings.Contains(strings.Join(r.header.Values("Vary"), ","), "Accept") {
			t.Errorf("Accept %q: Vary %q", accept, r.header.Values("Vary"))
		}
	}
	for _, accept := range []string{"application/xml", "image/*", "nonsense", "text/csv;q=0"} {
		p := decodeProblem(t, s.ask(t, "/clusters/prod/denials", "Accept", accept), http.StatusNotAcceptable)
		if !strings.Contains(p.Detail, "text/csv") {
			t.Errorf("Accept %q: %+v", accept, p)
		}
	}
}

func TestNDJSONHoldsTheSameDenialsAsJSON(t *testing.T) {
	list := denialsBefore(prod, now, 3)
	list[1].Principal = &authlog.Principal{ARN: "arn:aws:iam::111122223333:role/x", Kind: authlog.PrincipalRole}
	list[1].Error = "two\nlines"
	s := serveFake(t, &fake{denials: list})
	want := decode[struct{ Denials []any }](t, s.get(t, "/clusters/prod/denials"), http.StatusOK).Denials
	var got []any
	body := s.ask(t, "/clusters/prod/denials", "Accept", "application/x-ndjson").body
	for line := range bytes.Lines(body) {
		var v any
		if err := json.Unmarshal(line, &v); err != nil {
			t.Fatal(err)
		}
		got = append(got, v)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestCSVHasEveryFieldAndNoFormula(t *testing.T) {
	d := denialAt(prod, now, 1)
	d.Reason = "a_code_of_a_later_version" // its catalogue fields are empty
	d.Error = "=HYPERLINK(\"http://evil\")\nsecond, line\xff"
	d.Client = "+1;=2;3 - 4"
	d.STSEndpoint = "@x"
	d.Principal = &authlog.Principal{ARN: "-1", Kind: authlog.PrincipalUnknown, Account: "＝1", Session: "\tcmd"}
	bare := denialAt(prod, now.Add(-time.Second), 2)
	bare.Reason, bare.Error = "a_code_of_a_later_version", "harmless = text"
	s := serveFake(t, &fake{denials: []authlog.Denial{d, bare}})
	got, err := csv.NewReader(bytes.NewReader(s.ask(t, "/clusters/prod/denials", "Accept", "text/csv").body)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	want := [][]string{
		{
			"id", "time", "cluster", "account", "region", "reason", "layer", "error",
			"principal.arn", "principal.kind", "principal.account", "principal.session",
			"client", "sts_endpoint", "who_acts", "retryable", "summary", "docs",
		},
		{
			d.ID.String(), "2026-11-24T12:00:00Z", "prod", "111122223333", "eu-central-1", "a_code_of_a_later_version", "",
			"'=HYPERLINK(\"http://evil\")\nsecond, line\uFFFD", "'-1", "unknown", "'＝1", "'\tcmd", "'+1;'=2;3 - 4", "'@x", "", "", "", "",
		},
		{
			bare.ID.String(), "2026-11-24T11:59:59Z", "prod", "111122223333", "eu-central-1", "a_code_of_a_later_version", "",
			"harmless = text", "", "", "", "", "", "", "", "", "", "",
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestFieldsChoosesWhatIsShown(t *testing.T) {
	d := denialAt(prod, now, 1)
	d.Principal = &authlog.Principal{ARN: "arn:aws:iam::111122223333:role/x", Kind: authlog.PrincipalRole}
	s := serveFake(t, &fake{denials: []authlog.Denial{d, d}})
	const path = "/clusters/prod/denials?limit=1&fields=time,principal,reason"
	const row = `{"principal":{"arn":"arn:aws:iam::111122223333:role/x","kind":"role","account":"","session":""},"reason":"arn_not_mapped","time":"2026-11-24T12:00:00Z"}`

	got := decode[map[string]any](t, s.get(t, path), http.StatusOK)
	if diff := cmp.Diff([]any{asJSON(t, []byte(row))}, got["denials"]); diff != "" || got["next"] == nil {
		t.Error(diff, got)
	}
	if got := s.ask(t, path, "Accept", "application/x-ndjson").body; string(got) != row+"\n" {
		t.Errorf("NDJSON %s", got)
	}
	const table = "time,principal.arn,principal.kind,principal.account,principal.session,reason\n" +
		"2026-11-24T12:00:00Z,arn:aws:iam::111122223333:role/x,role,,,arn_not_mapped\n"
	if got := s.ask(t, path, "Accept", "text/csv").body; string(got) != table {
		t.Errorf("CSV %s", got)
	}
}

func TestEveryFormLinksTheNextPage(t *testing.T) {
	st := openStore(t, denialsBefore(prod, now, 10)...)
	s := serve(t, st, &fake{})
	want := idsOf(ordered(t, st))
	for _, accept := range []string{"application/json", "application/x-ndjson", "text/csv"} {
		var got []string
		next := "/clusters/prod/denials?limit=3&fields=id&since=1h&filter=" + url.QueryEscape(`kind=""`)
		for next != "" {
			r := s.ask(t, next, "Accept", accept)
			for _, word := range strings.FieldsFunc(string(r.body), func(r rune) bool { return !strings.ContainsRune("0123456789ABCDEFGHIJKLMNOPQRSTUV", r) }) {
				if len(word) == 26 {
					got = append(got, word)
				}
			}
			next = linked(t, r)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", accept, diff)
		}
	}
}

// linked is the reference of the header Link, or "".
func linked(t *testing.T, r reply) string {
	t.Helper()
	link := r.header.Get("Link")
	if link == "" {
		return ""
	}
	ref, ok := strings.CutSuffix(link, `>; rel="next"`)
	ref, ok2 := strings.CutPrefix(ref, "<")
	if !ok || !ok2 {
		t.Fatalf("Link: %s", link)
	}
	return ref
}

func TestTheLinkKeepsTheSpanOfTheFirstPage(t *testing.T) {
	s := serveFake(t, &fake{denials: denialsBefore(prod, now, 10)})
	r := s.get(t, "/clusters/prod/denials?since=90m&limit=2&reason=arn_not_mapped&reason=token_expired")
	u, err := url.Parse(linked(t, r))
	if err != nil {
		t.Fatal(err)
	}
	want := url.Values{
		"start": {"2026-11-24T10:30:00Z"}, "limit": {"2"}, "reason": {"arn_not_mapped", "token_expired"},
		"next": {decode[denialPage](t, r, http.StatusOK).Next},
	}
	if diff := cmp.Diff(want, u.Query()); diff != "" || u.Path != "/clusters/prod/denials" {
		t.Error(u, diff)
	}
}

func TestHEADPromisesNoLengthThatGETMayNotHave(t *testing.T) {
	s := serveFake(t, &fake{denials: denialsBefore(prod, now, 50)})
	for _, accept := range []string{"gzip", "zstd"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodHead, s.url+"/clusters/prod/denials", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept-Encoding", accept)
		if r := s.send(t, req); r.status != http.StatusOK || r.header.Get("Content-Length") != "" {
			t.Errorf("%s: %d, Content-Length %q", accept, r.status, r.header.Get("Content-Length"))
		}
	}
}
