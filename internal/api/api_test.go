package api_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/eks-authlog/eks-authlog/internal/access"
	"github.com/eks-authlog/eks-authlog/internal/access/awsauth"
	"github.com/eks-authlog/eks-authlog/internal/api"
	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/explain"
	"github.com/eks-authlog/eks-authlog/internal/feed"
)

var now = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// A fake is a store and a health that answer what they were given.
type fake struct {
	mu       sync.Mutex
	clusters []authlog.ClusterSummary
	denials  []authlog.Denial // newest first
	err      error
	during   func(context.Context) // called while a question is answered
	asked    []authlog.DenialFilter

	counted    []authlog.CountFilter
	cursors    []authlog.Cursor
	diagnoses  []authlog.Diagnosis
	wanted     []authlog.DiagnosisFilter
	principals []authlog.PrincipalSummary

	ready  bool
	shards []authlog.ShardStatus
}

func (f *fake) Clusters(ctx context.Context, _ time.Time) ([]authlog.ClusterSummary, error) {
	if f.during != nil {
		f.during(ctx)
	}
	return f.clusters, f.err
}

func (f *fake) Denials(ctx context.Context, q authlog.DenialFilter) ([]authlog.Denial, error) {
	if f.during != nil {
		f.during(ctx)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	q.Scope = unlessAll(q.Scope)
	f.asked = append(f.asked, q)
	return f.denials[:min(len(f.denials), q.Limit)], f.err
}

func (f *fake) Counts(_ context.Context, q authlog.CountFilter) ([]authlog.DenialSeries, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	q.Scope = unlessAll(q.Scope)
	f.counted = append(f.counted, q)
	return nil, f.err
}

func (f *fake) Cursors(context.Context, []authlog.Cluster) ([]authlog.Cursor, error) {
	return f.cursors, f.err
}

func (f *fake) Diagnoses(_ context.Context, q authlog.DiagnosisFilter) ([]authlog.Diagnosis, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	q.Scope = unlessAll(q.Scope)
	f.wanted = append(f.wanted, q)
	return f.diagnoses[:min(len(f.diagnoses), q.Limit)], f.err
}

func (f *fake) Diagnosis(_ context.Context, id string) (authlog.Diagnosis, error) {
	for _, d := range f.diagnoses {
		if d.ID == id {
			return d, f.err
		}
	}
	return authlog.Diagnosis{}, cmp.Or(f.err, authlog.ErrNotFound)
}

func (f *fake) Principals(_ context.Context, q authlog.PrincipalFilter) ([]authlog.PrincipalSummary, error) {
	return f.principals[:min(len(f.principals), q.Limit)], f.err
}

func (f *fake) Samples(context.Context, authlog.Cluster, string, int) ([]authlog.Sample, error) {
	return nil, f.err
}

// unlessAll keeps a scope only where it leaves something out.
func unlessAll(s *authlog.Scope) *authlog.Scope {
	if s != nil && s.All() {
		return nil
	}
	return s
}

func (f *fake) ChangeBounds(context.Context) (authlog.ChangeBounds, error) {
	return authlog.ChangeBounds{}, f.err
}

func (f *fake) PrunedAfter(context.Context, int64) ([]authlog.Cluster, error) { return nil, f.err }

func (f *fake) Changes(context.Context, int64, int) ([]authlog.Change, error) { return nil, f.err }

func (f *fake) Ready() (bool, []authlog.ShardStatus) { return f.ready, f.shards }

// A service is the API on a loopback port.
type service struct {
	url string
	mux *chi.Mux
	reg *prometheus.Registry
	log *logText
}

func serve(t *testing.T, store api.Store, health api.Health) *service {
	t.Helper()
	return serveWith(t, api.Config{Store: store, Health: health, Explainer: explainer{}})
}

// serveWith serves what cfg says, and fills in the rest.
func serveWith(t *testing.T, cfg api.Config) *service {
	t.Helper()
	s := &service{reg: prometheus.NewPedanticRegistry(), log: &logText{}}
	log := zerolog.New(s.log)
	cfg.Linter = linter{}
	cfg.Gatherer, cfg.Registerer, cfg.Log, cfg.Version = s.reg, s.reg, log, "1.2.3"
	cfg.Profile = true
	cfg.Now = func() time.Time { return now }
	stop := func() {}
	if st, ok := cfg.Store.(feed.Store); ok && cfg.Feed == nil {
		cfg.Feed, stop = feedOf(t, st, feed.Config{})
	}
	s.mux = api.New(cfg)
	srv := httptest.NewUnstartedServer(nil)
	srv.Config = api.NewServer(s.mux, log)
	srv.Start()
	t.Cleanup(srv.Close)
	t.Cleanup(stop) // or the streams would keep the server from closing
	s.url = srv.URL
	return s
}

func serveFake(t *testing.T, f *fake) *service {
	t.Helper()
	return serve(t, f, f)
}

// explainer is the real one.
type explainer struct{}

func (explainer) Explain(p api.Pasted) (api.Explanation, error) {
	files, err := access.ReadFiles(p.Cluster, p.Mode, []byte(p.AWSAuth), []byte(p.AccessEntries))
	if err != nil {
		return nil, err
	}
	o := explain.Options{Cluster: p.Cluster, Facts: files.Facts(), Now: p.Now}
	if p.AWSAuth+p.AccessEntries != "" {
		o.Configuration = files.Explain
	}
	a := explain.Text(p.Text, o)
	return &a, nil
}

// linter is the real one.
type linter struct{}

func (linter) LintAWSAuth(f api.AWSAuthFile) api.LintReport {
	return awsauth.Lint(f.Text, awsauth.Options{Mode: string(f.Mode), Account: f.Account, Granted: f.Granted})
}

// logText keeps what is logged while requests go on.
type logText struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logText) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

type reply struct {
	status int
	header http.Header
	body   []byte
}

func (s *service) do(t *testing.T, method, path string) reply {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s.send(t, req)
}

// send follows no redirect, and holds every answer to the OpenAPI document.
func (s *service) send(t *testing.T, req *http.Request) reply {
	t.Helper()
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	read := io.ReadAll
	if res.Header.Get("Content-Type") == "text/event-stream" {
		read = firstEvent
	}
	body, err := read(res.Body)
	if err := errors.Join(err, res.Body.Close()); err != nil {
		t.Fatal(err)
	}
	r := reply{res.StatusCode, res.Header, body}
	checkDocumented(t, s.mux, req, r)
	return r
}

// ask sends a GET with headers, given as name and value by turns.
func (s *service) ask(t *testing.T, path string, headers ...string) reply {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for pair := range slices.Chunk(headers, 2) {
		req.Header.Add(pair[0], pair[1])
	}
	return s.send(t, req)
}

func (s *service) get(t *testing.T, path string) reply {
	t.Helper()
	return s.do(t, http.MethodGet, path)
}

// decode reads the JSON body of an answer with that status.
func decode[T any](t *testing.T, r reply, status int) T {
	t.Helper()
	var doc T
	if r.status != status {
		t.Fatalf("status %d, want %d: %s", r.status, status, r.body)
	}
	if err := json.Unmarshal(r.body, &doc); err != nil {
		t.Fatalf("%v in %s", err, r.body)
	}
	return doc
}

type problem struct {
	Type, Title, Detail, Instance, Parameter string
	Status                                   int
}

func decodeProblem(t *testing.T, r reply, status int) problem {
	t.Helper()
	if got := r.header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("Content-Type %q", got)
	}
	p := decode[problem](t, r, status)
	if p.Status != status || p.Title == "" || p.Type == "" || p.Instance == "" {
		t.Errorf("incomplete problem %+v", p)
	}
	return p
}

var prod = authlog.Cluster{Name: "prod", Account: "111122223333", Region: "eu-central-1"}

func summaryOf(c authlog.Cluster) authlog.ClusterSummary {
	return authlog.ClusterSummary{Cluster: c, LastEvent: now, ReadThrough: now}
}

// denialAt makes the n-th denial of c at that time.
func denialAt(c authlog.Cluster, at time.Time, n int) authlog.Denial {
	line := authlog.Line{Cluster: c, Stream: "authenticator-1", Time: at, Text: fmt.Sprint("line ", n)}
	return authlog.Denial{
		ID: authlog.NewID(at, authlog.KeyOf(&line, n)), Cluster: c, Stream: line.Stream, Time: at,
		Reason: "arn_not_mapped", Raw: line.Text,
	}
}

// denialsBefore makes n denials, newest first, one a second.
func denialsBefore(c authlog.Cluster, at time.Time, n int) []authlog.Denial {
	list := make([]authlog.Denial, n)
	for i := range list {
		list[i] = denialAt(c, at.Add(-time.Duration(i)*time.Second), i)
	}
	return list
}

func TestEveryRouteAnswersHEADAsGETWithoutBody(t *testing.T) {
	s := serveFake(t, &fake{ready: true, clusters: []authlog.ClusterSummary{summaryOf(prod)}})
	for _, path := range []string{
		"/", "/clusters", "/clusters/prod/denials", "/reasons", "/reasons/arn_not_mapped",
		"/problems/bad-parameter", "/-/healthy", "/-/ready", "/metrics",
		"/lockouts", "/diagnoses", "/clusters/prod", "/clusters/prod/lockouts", "/clusters/prod/principals",
		"/catalogue/diagnoses", "/catalogue/diagnoses/mapping_lost",
	} {
		get, head := s.get(t, path), s.do(t, http.MethodHead, path)
		if get.status != http.StatusOK || head.status != http.StatusOK || len(get.body) == 0 || len(head.body) != 0 {
			t.Errorf("%s: GET %d with %d bytes, HEAD %d with %d bytes", path, get.status, len(get.body), head.status, len(head.body))
		}
		if g, h := get.header.Get("Content-Type"), head.header.Get("Content-Type"); g != h {
			t.Errorf("%s: Content-Type %q for GET, %q for HEAD", path, g, h)
		}
	}
}

func TestOtherMethodsAreToldWhichAreAllowed(t *testing.T) {
	s := serveFake(t, &fake{})
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"} {
		r := s.do(t, method, "/clusters/prod/denials")
		p := decodeProblem(t, r, http.StatusMethodNotAllowed)
		if got := r.header.Get("Allow"); got != "GET, HEAD" {
			t.Errorf("%s: Allow %q", method, got)
		}
		if p.Type != "about:blank" || p.Instance != "/clusters/prod/denials" {
			t.Errorf("%s: %+v", method, p)
		}
	}
}

func TestWhatIsNotThereIsAProblem(t *testing.T) {
	s := serveFake(t, &fake{})
	for _, path := range []string{"/nowhere", "/clusters/", "/clusters/a/b/denials", "/clusters/a/b", "/%3Cscript%3E", "/reasons/x/y", "/diagnoses/x/y"} {
		p := decodeProblem(t, s.get(t, path), http.StatusNotFound)
		if p.Type != "about:blank" || p.Instance != path {
			t.Errorf("%s: %+v", path, p)
		}
		for _, method := range []string{"POST", "DELETE", "BREW"} {
			decodeProblem(t, s.do(t, method, path), http.StatusNotFound)
		}
	}
}

func TestEveryAnswerForbidsSniffingFramingAndReferrers(t *testing.T) {
	s := serveFake(t, &fake{})
	for _, path := range []string{"/", "/clusters", "/nowhere", "/metrics", "/-/ready", "/clusters?x=1"} {
		h := s.get(t, path).header
		if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Referrer-Policy") != "no-referrer" || h.Get("Request-Id") == "" {
			t.Errorf("%s: %v", path, h)
		}
		policy := h.Get("Content-Security-Policy")
		for _, part := range []string{"default-src 'none'", "frame-ancestors 'none'"} {
			if !bytes.Contains([]byte(policy), []byte(part)) {
				t.Errorf("%s: policy %q lacks %s", path, policy, part)
			}
		}
	}
}

func TestLandingPageLinksWhatAnswers(t *testing.T) {
	s := serveFake(t, &fake{ready: true})
	page := s.get(t, "/")
	if !bytes.Contains(page.body, []byte("1.2.3")) {
		t.Error("no version")
	}
	var links []string
	for _, part := range bytes.Split(page.body, []byte(`<a href="`))[1:] {
		link, _, _ := bytes.Cut(part, []byte(`"`))
		links = append(links, string(link))
	}
	for _, want := range []string{"/clusters", "/reasons", "/metrics", "/-/healthy", "/-/ready"} {
		if !slices.Contains(links, want) {
			t.Errorf("no link to %s", want)
		}
	}
	for _, link := range links {
		if r := s.get(t, link); r.status != http.StatusOK {
			t.Errorf("%s answers %d", link, r.status)
		}
	}
}
