package api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/eks-authlog/eks-authlog/internal/api"
)

const pasted = `time="2026-11-24T11:55:00Z" level=warning msg="access denied" arn="arn:aws:iam::111122223333:role/deploy" ` +
	`client="127.0.0.1:50122" error="ARN is not mapped: arn:aws:iam::111122223333:role/deploy" method=POST path=/authenticate`

func (s *service) paste(t *testing.T, query, accept, text string) reply {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/explain"+query, strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if accept != "" {
		req.Header.Set("Accept", accept)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded") // what curl --data says
	return s.send(t, req)
}

func TestPastedTextIsExplainedInEveryForm(t *testing.T) {
	s := serve(t, openStore(t), &fake{})
	for accept, want := range map[string]string{
		"": "application/json", "*/*": "application/json",
		"text/plain": "text/plain; charset=utf-8", "text/markdown": "text/markdown; charset=utf-8",
	} {
		r := s.paste(t, "?cluster=prod&region=eu-central-1&mode=API", accept, pasted)
		if got := r.header.Get("Content-Type"); r.status != http.StatusOK || got != want || !strings.Contains(string(r.body), "role/deploy") {
			t.Errorf("Accept %q: %d %q %s", accept, r.status, got, r.body)
		}
		if r.header.Get("Cache-Control") != "no-store" || r.header.Get("ETag") != "" {
			t.Errorf("Accept %q: %v", accept, r.header)
		}
	}
	// Other kinds of text, held to the document by the way.
	for _, text := range []string{
		"error: You must be logged in to the server (Unauthorized)", "nonsense <script>\xff\x00",
		`{"UserId":"AROAEXAMPLE:me","Account":"111122223333","Arn":"arn:aws:sts::111122223333:assumed-role/deploy/me"}` + "\n" + pasted,
		strings.ReplaceAll(pasted, "ARN is not mapped: arn:aws:iam::111122223333:role/deploy", "sts getCallerIdentity failed: throttled"),
	} {
		if r := s.paste(t, "", "", text); r.status != http.StatusOK || strings.ContainsAny(string(r.body), "<>&") {
			t.Errorf("%q: %d %s", text, r.status, r.body)
		}
	}
	if strings.Contains(s.log.String(), "role/deploy") {
		t.Error("the log holds what was pasted")
	}
}

func TestExplainRefusesWhatItCannotRead(t *testing.T) {
	s := serve(t, openStore(t), &fake{})
	for name, c := range map[string]struct {
		query, accept, text string
		status              int
	}{
		"empty":     {"", "", " \n", http.StatusBadRequest},
		"mode":      {"?mode=api", "", pasted, http.StatusBadRequest},
		"region":    {"?region=x", "", pasted, http.StatusBadRequest},
		"form":      {"", "text/html", pasted, http.StatusNotAcceptable},
		"too long":  {"", "", strings.Repeat("x", 262_145), http.StatusRequestEntityTooLarge},
		"very long": {"", "", strings.Repeat("x", 600_000), http.StatusRequestEntityTooLarge},
	} {
		if p := decodeProblem(t, s.paste(t, c.query, c.accept, c.text), c.status); p.Detail == "" {
			t.Errorf("%s: %+v", name, p)
		}
	}
	if r := s.paste(t, "", "", strings.Repeat("x", 262_144)); r.status != http.StatusOK {
		t.Errorf("the longest text: %d", r.status)
	}
	r := s.get(t, "/explain")
	decodeProblem(t, r, http.StatusMethodNotAllowed)
	if got := r.header.Get("Allow"); got != "POST" {
		t.Errorf("Allow %q", got)
	}
}

func TestCompressedBodiesAreNotTakenForText(t *testing.T) {
	s := serve(t, openStore(t), &fake{})
	for _, path := range []string{"/explain", "/lint/aws-auth"} {
		for _, c := range []struct {
			codings []string
			status  int
		}{
			{[]string{"gzip"}, http.StatusUnsupportedMediaType},
			{[]string{"identity", "br"}, http.StatusUnsupportedMediaType},
			{[]string{"identity, x-unknown"}, http.StatusUnsupportedMediaType},
			{[]string{"Identity"}, http.StatusOK},
			{nil, http.StatusOK},
		} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+path, strings.NewReader(pasted))
			if err != nil {
				t.Fatal(err)
			}
			req.Header["Content-Encoding"] = c.codings
			r := s.send(t, req)
			if want := map[bool]string{true: "identity"}[c.status != http.StatusOK]; r.status != c.status || r.header.Get("Accept-Encoding") != want {
				t.Errorf("%s, %q: %d %v", path, c.codings, r.status, r.header)
			}
		}
	}
}

func TestWithoutAnExplainerNothingIsExplained(t *testing.T) {
	f := &fake{}
	s := serveWith(t, api.Config{Store: f, Health: f})
	decodeProblem(t, s.paste(t, "", "", pasted), http.StatusNotImplemented)
}
