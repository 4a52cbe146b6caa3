package api_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"
	"github.com/rs/zerolog"

	"github.com/eks-authlog/eks-authlog/internal/api"
	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

func TestAStoreErrorIsLoggedAndNotShown(t *testing.T) {
	for _, c := range []struct {
		err    error
		status int
	}{
		{errors.New("open /var/lib/secret.db: disk I/O error"), http.StatusInternalServerError},
		{fmt.Errorf("query secret.db: %w", context.DeadlineExceeded), http.StatusServiceUnavailable},
	} {
		s := serveFake(t, &fake{err: c.err})
		for _, path := range []string{"/clusters", "/clusters/prod/denials"} {
			r := s.get(t, path)
			p := decodeProblem(t, r, c.status)
			if strings.Contains(string(r.body), "secret") || p.Type != "about:blank" {
				t.Errorf("%s shows %s", path, r.body)
			}
			if id := r.header.Get("Request-Id"); id == "" || !strings.Contains(p.Detail, id) || !strings.Contains(s.log.String(), id) {
				t.Errorf("%s: request id %q is not in %q and the log", path, id, p.Detail)
			}
		}
		if !strings.Contains(s.log.String(), "secret.db") {
			t.Errorf("the log lacks the cause: %s", s.log)
		}
	}
}

func TestACallerWhoLeftIsNoError(t *testing.T) {
	asked := make(chan struct{})
	f := &fake{}
	f.during = func(ctx context.Context) {
		close(asked)
		<-ctx.Done()
		f.err = ctx.Err()
	}
	s := serveFake(t, f)
	ctx, leave := context.WithCancel(t.Context())
	go func() {
		<-asked
		leave()
	}()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/clusters", nil)
	if err != nil {
		t.Fatal(err)
	}
	if res, err := http.DefaultTransport.RoundTrip(req); err == nil {
		t.Fatal("an answer although the caller left", res.Body.Close())
	}
	want := `
		# HELP eks_authn_http_requests_total HTTP requests answered, by route pattern, method and status code; 499 when the caller left first.
		# TYPE eks_authn_http_requests_total counter
		eks_authn_http_requests_total{code="499",handler="/clusters",method="GET"} 1
	`
	eventually(t, func() error {
		return testutil.GatherAndCompare(s.reg, strings.NewReader(want), "eks_authn_http_requests_total")
	})
	if strings.Contains(s.log.String(), `"level":"error"`) {
		t.Errorf("logged as an error: %s", s.log)
	}
}

// eventually waits for what another goroutine is about to do.
func eventually(t *testing.T, check func() error) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	deadline := time.After(10 * time.Second)
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal(err)
		}
	}
}

func TestAPanicIsA500AndTheServiceLivesOn(t *testing.T) {
	f := &fake{during: func(context.Context) { panic("secret cause") }}
	s := serveFake(t, f)
	r := s.get(t, "/clusters")
	decodeProblem(t, r, http.StatusInternalServerError)
	if strings.Contains(string(r.body), "secret") || !strings.Contains(s.log.String(), "secret cause") {
		t.Errorf("body %s, log %s", r.body, s.log)
	}
	f.during = nil
	if r := s.get(t, "/clusters"); r.status != http.StatusOK {
		t.Errorf("then %d", r.status)
	}
}

// brokenHalfway gathers one family that can be written and one that cannot.
func brokenHalfway() ([]*dto.MetricFamily, error) {
	one := &dto.Metric{Counter: &dto.Counter{Value: new(1.0)}}
	kind := dto.MetricType_COUNTER
	return []*dto.MetricFamily{
		{Name: new("whole_total"), Type: &kind, Metric: []*dto.Metric{one}},
		{Name: new("broken_total"), Type: &kind, Metric: []*dto.Metric{one, nil}},
	}, nil
}

func TestAPanicWithinAnAnswerBreaksTheConnection(t *testing.T) {
	log := &logText{}
	srv := httptest.NewServer(api.New(api.Config{Gatherer: prometheus.GathererFunc(brokenHalfway), Log: zerolog.New(log)}))
	defer srv.Close()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept-Encoding", "identity")
	res, err := http.DefaultTransport.RoundTrip(req)
	if err == nil {
		_, err = io.ReadAll(res.Body)
		err = errors.Join(err, res.Body.Close())
	}
	if err == nil {
		t.Error("a cut answer looks like a whole one")
	}
	if !strings.Contains(log.String(), "handler panicked") {
		t.Errorf("nothing in the log: %s", log)
	}
}

func TestEveryProblemTypeCanBeFetched(t *testing.T) {
	s := serveFake(t, &fake{})
	for path, status := range map[string]int{
		"/clusters?x=1":            http.StatusBadRequest,
		"/clusters/nobody/denials": http.StatusNotFound,
		"/reasons/nothing":         http.StatusNotFound,
		"/problems/nothing":        http.StatusNotFound,
	} {
		p := decodeProblem(t, s.get(t, path), status)
		doc := decode[struct {
			Type, Title, Help string
			Status            int
		}](t, s.get(t, p.Type), http.StatusOK)
		if doc.Type != p.Type || doc.Title != p.Title || doc.Status != status || doc.Help == "" {
			t.Errorf("%+v is described by %+v", p, doc)
		}
	}
}

func TestTextOfTheLogIsEscapedForHTMLToo(t *testing.T) {
	d := denialAt(prod, now, 0)
	d.Error = "</script><img src=x onerror=alert(1)> & \xff\xfe \u2028 end"
	s := serveFake(t, &fake{denials: []authlog.Denial{d}})
	r := s.get(t, "/clusters/prod/denials")
	for _, raw := range []string{"<", ">", "&", "\xff", "\u2028"} {
		if strings.Contains(string(r.body), raw) {
			t.Errorf("%q stands in %s", raw, r.body)
		}
	}
	doc := decode[struct{ Denials []struct{ Error string } }](t, r, http.StatusOK)
	if want := "</script><img src=x onerror=alert(1)> & \uFFFD\uFFFD \u2028 end"; doc.Denials[0].Error != want {
		t.Errorf("got %q", doc.Denials[0].Error)
	}
}

func TestTextOfThePathIsEscapedInProblems(t *testing.T) {
	r := serveFake(t, &fake{}).get(t, "/clusters/%3Cscript%3E%0A%FF/denials")
	p := decodeProblem(t, r, http.StatusNotFound)
	if bytes.ContainsAny(r.body, "<>") || !utf8.Valid(r.body) || !strings.Contains(p.Detail, `"<script>\n\xff"`) {
		t.Errorf("%s", r.body)
	}
}
