package api_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/eks-authlog/eks-authlog/internal/api"
	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// door are callers with a token and a user.
type door struct{ callers }

func (door) Schemes() []string { return []string{"Bearer", "Basic"} }

func (door) User(ctx context.Context, _ netip.Prefix, name, password string) (authlog.Caller, bool, error) {
	if name == "busy" {
		return authlog.Caller{}, false, errors.New("too many")
	}
	return authlog.Caller{Name: name, Scope: authlog.Everything(), Admin: true}, name == "ann" && password == "right", ctx.Err()
}

func TestAWrongPasswordCostsMoreThanOneRequest(t *testing.T) {
	s := serveWith(t, api.Config{Store: &fake{}, Health: &fake{}, Callers: door{teams()}, Limits: api.Limits{Rate: 20}})
	for n := 1; ; n++ {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/clusters", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.SetBasicAuth("ann", "wrong")
		switch r := s.send(t, req); {
		case r.status == http.StatusTooManyRequests:
			return
		case n > 100: // of 200 that come at once
			t.Fatalf("%d wrong passwords are answered", n)
		}
	}
}

func TestATokenOrAPasswordLetsIn(t *testing.T) {
	s := serveWith(t, api.Config{Store: &fake{}, Health: &fake{}, Callers: door{teams()}})
	for name, c := range map[string]struct {
		set  func(*http.Request)
		want int
	}{
		"token":          {func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+ownToken) }, http.StatusOK},
		"password":       {func(r *http.Request) { r.SetBasicAuth("ann", "right") }, http.StatusOK},
		"wrong password": {func(r *http.Request) { r.SetBasicAuth("ann", "wrong") }, http.StatusUnauthorized},
		"wrong name":     {func(r *http.Request) { r.SetBasicAuth("bob", "right") }, http.StatusUnauthorized},
		"token as basic": {func(r *http.Request) { r.Header.Set("Authorization", "Basic "+ownToken) }, http.StatusUnauthorized},
		"nothing":        {func(*http.Request) {}, http.StatusUnauthorized},
		"one too many":   {func(r *http.Request) { r.SetBasicAuth("busy", "right") }, http.StatusServiceUnavailable},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/clusters", nil)
		if err != nil {
			t.Fatal(err)
		}
		c.set(req)
		r := s.send(t, req)
		if r.status != c.want {
			t.Errorf("%s: status %d, want %d", name, r.status, c.want)
		}
		if asked := strings.Join(r.header.Values("WWW-Authenticate"), ", "); r.status == http.StatusUnauthorized &&
			(!strings.Contains(asked, "Bearer realm=") || !strings.Contains(asked, "Basic realm=")) {
			t.Errorf("%s: asked for %q", name, asked)
		}
		if wait := r.header.Get("Retry-After"); (wait == "1") != (c.want == http.StatusServiceUnavailable) {
			t.Errorf("%s: Retry-After %q", name, wait)
		}
	}
}

// counting are callers who count the passwords that are checked.
type counting struct {
	door
	checked *atomic.Int64
}

func (c counting) User(ctx context.Context, from netip.Prefix, name, password string) (authlog.Caller, bool, error) {
	c.checked.Add(1)
	return c.door.User(ctx, from, name, password)
}

func TestAPasswordIsCheckedOnceAndOnlyWhereItMatters(t *testing.T) {
	checked := new(atomic.Int64)
	s := serveWith(t, api.Config{Store: &fake{}, Health: &fake{ready: true}, Callers: counting{door{teams()}, checked}, OpenMetrics: true})
	for _, c := range []struct {
		path string
		want int64
	}{{"/-/healthy", 0}, {"/metrics", 0}, {"/clusters", 1}, {"/nowhere", 1}} {
		before := checked.Load()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+c.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.SetBasicAuth("ann", "right")
		s.send(t, req)
		if got := checked.Load() - before; got != c.want {
			t.Errorf("%s: a password was checked %d times, want %d", c.path, got, c.want)
		}
	}
}

func TestOneAddressIsLimitedInWhatItAsksFor(t *testing.T) {
	s := serveWith(t, api.Config{Store: &fake{}, Health: &fake{ready: true}, Limits: api.Limits{Rate: 0.001}})
	if r := s.get(t, "/clusters"); r.status != http.StatusOK {
		t.Fatalf("the first request: status %d", r.status)
	}
	r := s.get(t, "/clusters")
	if decodeProblem(t, r, http.StatusTooManyRequests); r.header.Get("Retry-After") != "1000" {
		t.Errorf("Retry-After %q", r.header.Get("Retry-After"))
	}
	// A page is told of it too.
	const page = "https://grafana.example.com"
	open := serveWith(t, api.Config{
		Store: &fake{}, Health: &fake{}, Limits: api.Limits{Rate: 0.001}, Origins: regexp.MustCompile("^" + page + "$"),
	})
	open.get(t, "/clusters")
	r = open.ask(t, "/clusters", "Origin", page)
	if decodeProblem(t, r, http.StatusTooManyRequests); r.header.Get("Access-Control-Allow-Origin") != page {
		t.Errorf("a page may not read why: %v", r.header)
	}
	// Another address is not.
	for address, want := range map[string]int{
		"192.0.2.1:1": http.StatusOK, "[2001:db8::1]:1": http.StatusOK, "[2001:db8:0:1::1]:1": http.StatusOK, "@": http.StatusOK,
	} {
		if got := serveFrom(t, s, address); got != want {
			t.Errorf("from %s: status %d", address, got)
		}
	}
	// Of an IPv6 network all addresses are one.
	if got := serveFrom(t, s, "[2001:db8::2]:1"); got != http.StatusTooManyRequests {
		t.Errorf("another address of the same network: status %d", got)
	}
}

// A client that is busy behind the same address neither has the service killed
// nor keeps Prometheus out, and Prometheus does not keep it out.
func TestProbesAreNotLimitedAndScrapesCountApart(t *testing.T) {
	s := serveWith(t, api.Config{
		Store: &fake{}, Health: &fake{ready: true}, Callers: door{teams()}, OpenMetrics: true, Limits: api.Limits{Rate: 0.001},
	})
	for _, first := range []string{"/metrics", "/clusters"} {
		if r := s.get(t, first); r.status == http.StatusTooManyRequests {
			t.Errorf("the first %s is limited", first)
		}
		decodeProblem(t, s.get(t, first), http.StatusTooManyRequests)
	}
	for range 3 {
		for _, probe := range []string{"/-/healthy", "/-/ready"} {
			for _, method := range []string{http.MethodGet, http.MethodHead} {
				if r := s.do(t, method, probe); r.status != http.StatusOK {
					t.Errorf("%s %s: status %d", method, probe, r.status)
				}
			}
		}
	}
	// What tries a password, and what is no probe, is limited there too.
	decodeProblem(t, s.ask(t, "/-/ready", "Authorization", "Basic YW5uOndyb25n"), http.StatusTooManyRequests)
	for _, path := range []string{"/-/%68ealthy", "/-/healthy/"} {
		decodeProblem(t, s.get(t, path), http.StatusTooManyRequests)
	}
	off := serveWith(t, api.Config{Store: &fake{}, Health: &fake{}, NoHealth: true, Limits: api.Limits{Rate: 0.001}})
	decodeProblem(t, off.get(t, "/-/healthy"), http.StatusNotFound)
	decodeProblem(t, off.get(t, "/-/healthy"), http.StatusTooManyRequests)
}

// Whatever is documented may be refused for either limit, if it is not a probe,
// and says so; where it says so, it may.
func TestTheLimitsAreDocumentedWhereTheyHold(t *testing.T) {
	doc, err := strict()
	if err != nil {
		t.Fatal(err)
	}
	s := serveWith(t, api.Config{Store: &fake{}, Health: &fake{ready: true}, Limits: api.Limits{Rate: 0.001}})
	s.get(t, "/clusters")
	s.get(t, "/metrics")
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			concrete := strings.NewReplacer("{", "", "}", "").Replace(path)
			r := s.request(t, method, concrete, "", "")
			documented, probe := op.Responses.Status(r.status) != nil, strings.HasPrefix(path, "/-/") && method == http.MethodGet
			if limited := r.status == http.StatusTooManyRequests; !documented || limited == probe {
				t.Errorf("%s %s: status %d, documented: %v", method, path, r.status, documented)
			}
		}
	}
}

// serveFrom asks for the clusters as if from that address.
func serveFrom(t *testing.T, s *service, address string) int {
	t.Helper()
	req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/clusters", nil)
	req.RemoteAddr = address
	w := httptest.NewRecorder()
	s.mux.ServeHTTP(w, req)
	return w.Code
}

func TestBeyondTheMostRequestsOnlyProbesAreAnswered(t *testing.T) {
	begun, end := make(chan struct{}), make(chan struct{})
	f := &fake{ready: true}
	f.during = func(context.Context) {
		begun <- struct{}{}
		<-end
	}
	s := serveWith(t, api.Config{Store: f, Health: f, Limits: api.Limits{Requests: 2}})
	var wait sync.WaitGroup
	for range 2 {
		wait.Go(func() {
			if r := s.get(t, "/clusters"); r.status != http.StatusOK {
				t.Errorf("status %d", r.status)
			}
		})
		<-begun
	}
	if r := s.get(t, "/reasons"); r.status != http.StatusServiceUnavailable || r.header.Get("Retry-After") == "" {
		t.Errorf("the third request: status %d, %v", r.status, r.header)
	}
	for _, path := range []string{"/-/healthy", "/-/ready"} {
		if r := s.get(t, path); r.status != http.StatusOK {
			t.Errorf("%s: status %d", path, r.status)
		}
	}
	close(end)
	wait.Wait()
	if r := s.get(t, "/reasons"); r.status != http.StatusOK {
		t.Errorf("after them: status %d", r.status)
	}
}

func TestOverLoopbackOnlyThisMachineIsAskedFor(t *testing.T) {
	s := serveWith(t, api.Config{Store: &fake{}, Health: &fake{}, Hosts: []string{"proxy.example.com", "B.Example.", "authlog.example:443"}})
	for host, want := range map[string]int{
		"localhost": http.StatusOK, "localhost:8484": http.StatusOK, "LOCALHOST.": http.StatusOK, "a.localhost": http.StatusOK,
		"127.0.0.1:1": http.StatusOK, "127.8.8.8": http.StatusOK, "[::1]:8484": http.StatusOK, "[::1]": http.StatusOK,
		"proxy.example.com": http.StatusOK, "Proxy.example.com:443": http.StatusOK,
		"b.example": http.StatusOK, "authlog.example": http.StatusOK, "authlog.example:8443": http.StatusOK,
		"evil.example.com": http.StatusMisdirectedRequest, "127.0.0.1.evil.example.com": http.StatusMisdirectedRequest,
		"localhost.evil.example.com": http.StatusMisdirectedRequest, "10.0.0.1": http.StatusMisdirectedRequest,
		"evillocalhost": http.StatusMisdirectedRequest, "127.0.0.1@evil": http.StatusMisdirectedRequest,
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/clusters", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = host
		if r := s.send(t, req); r.status != want {
			t.Errorf("Host %q: status %d, want %d", host, r.status, want)
		}
	}
}

func TestOnlyPagesOfAllowedOriginsMayReadAnswers(t *testing.T) {
	s := serveWith(t, api.Config{
		Store: &fake{}, Health: &fake{}, Callers: teams(), Origins: regexp.MustCompile(`^(?:https://grafana\.example\.com)$`),
	})
	none := serveWith(t, api.Config{Store: &fake{}, Health: &fake{}})
	for origin, allowed := range map[string]bool{
		"https://grafana.example.com": true, "https://grafana.example.com.evil.org": false, "http://grafana.example.com": false, "null": false,
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodOptions, s.url+"/clusters", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Origin", origin)
		req.Header.Set("Access-Control-Request-Method", http.MethodGet)
		req.Header.Set("Access-Control-Request-Headers", "authorization")
		res, err := http.DefaultTransport.RoundTrip(req) // a preflight is in no OpenAPI document
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		h := res.Header
		if got := h.Get("Access-Control-Allow-Origin") == origin; res.StatusCode >= 300 || got != allowed {
			t.Errorf("preflight from %s: %d %v", origin, res.StatusCode, h)
		}
		if allowed && !strings.Contains(strings.ToLower(h.Get("Access-Control-Allow-Headers")), "authorization") {
			t.Errorf("a page may not show a token: %v", h)
		}
		r := s.ask(t, "/clusters", "Origin", origin, "Authorization", "Bearer "+ownToken)
		if got := r.header.Get("Access-Control-Allow-Origin") == origin; got != allowed || r.header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("from %s: %v", origin, r.header)
		}
		if r := none.ask(t, "/clusters", "Origin", origin); r.header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("from %s where no origin is allowed: %v", origin, r.header)
		}
	}
}

// The browser of an admin may keep a password, and reaches loopback addresses.
func TestPagesOfOtherOriginsDoNotReload(t *testing.T) {
	s := serveWith(t, api.Config{Store: &fake{}, Health: &fake{}, Manager: manager{}, Origins: regexp.MustCompile(`^https://grafana\.example\.com$`)})
	for _, method := range []string{http.MethodPost, http.MethodPut} {
		for origin, want := range map[string]int{
			"": http.StatusOK, s.url: http.StatusOK, "https://evil.example.com": http.StatusForbidden,
			"https://grafana.example.com": http.StatusForbidden, "null": http.StatusForbidden,
		} {
			req, err := http.NewRequestWithContext(t.Context(), method, s.url+"/-/reload", nil)
			if err != nil {
				t.Fatal(err)
			}
			if origin != "" {
				req.Header.Set("Origin", origin)
			}
			if r := s.send(t, req); r.status != want {
				t.Errorf("%s from %q: status %d, want %d", method, origin, r.status, want)
			}
		}
	}
}

func TestEveryRefusalIsLoggedOnceAndNoTokenIs(t *testing.T) {
	s := serveWith(t, api.Config{Store: openStore(t), Health: &fake{}, Callers: teams(), Limits: api.Limits{Rate: 1}})
	stolen := "eksauthlog_" + strings.Repeat("x", 43)
	s.ask(t, "/clusters", "Authorization", "Bearer "+stolen)
	s.ask(t, "/clusters/x%0A%1b[31m?token="+stolen)
	s.ask(t, "/metrics", "Authorization", "Bearer "+ownToken)
	s.ask(t, "/clusters/blue-1", "Authorization", "Bearer "+ownToken)
	s.ask(t, "/clusters", "Authorization", "Bearer "+ownToken)     // not refused
	s.ask(t, "/clusters/x", "Authorization", "Bearer "+adminToken) // not there, which is no refusal
	type line struct {
		Level, Message, User, Address, Method, Path, Why string
		Status                                           int
	}
	var got []string
	lines := bufio.NewScanner(strings.NewReader(s.log.String()))
	for lines.Scan() {
		var l line
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			t.Fatal(err)
		}
		if l.Message != "request refused" {
			continue
		}
		if l.Level != "warn" || l.Method != http.MethodGet || l.Why == "" || !strings.HasPrefix(l.Address, "127.0.0.1:") {
			t.Errorf("incomplete: %s", lines.Text())
		}
		got = append(got, fmt.Sprintf("%s %d %s", l.User, l.Status, l.Path))
	}
	want := []string{" 401 /clusters", " 401 /clusters/x%0A%1b[31m", "red 403 /metrics", "red 404 /clusters/blue-1"}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for l := range strings.Lines(s.log.String()) {
		if strings.Contains(l, stolen) && !strings.Contains(l, `"level":"debug"`) {
			t.Errorf("a token stands in the log: %s", l)
		}
	}
}

func TestMetricsAndHealthAreSwitchedApart(t *testing.T) {
	const metrics, healthy = "/metrics", "/-/healthy"
	for name, c := range map[string]struct {
		cfg  api.Config
		want map[string]int
	}{
		"by token":     {api.Config{}, map[string]int{metrics: http.StatusUnauthorized, healthy: http.StatusOK}},
		"open metrics": {api.Config{OpenMetrics: true}, map[string]int{metrics: http.StatusOK, healthy: http.StatusOK}},
		"no metrics":   {api.Config{NoMetrics: true}, map[string]int{metrics: http.StatusUnauthorized, healthy: http.StatusOK}},
		"no health":    {api.Config{NoHealth: true, OpenMetrics: true}, map[string]int{metrics: http.StatusOK, healthy: http.StatusUnauthorized}},
	} {
		c.cfg.Store, c.cfg.Health, c.cfg.Callers = &fake{}, &fake{ready: true}, teams()
		s := serveWith(t, c.cfg)
		for path, want := range c.want {
			if r := s.get(t, path); r.status != want {
				t.Errorf("%s: %s: status %d, want %d", name, path, r.status, want)
			}
		}
		if c.cfg.NoMetrics {
			if r := s.request(t, http.MethodGet, metrics, "", adminToken); r.status != http.StatusNotFound {
				t.Errorf("%s: for an admin: status %d", name, r.status)
			}
		}
	}
}

func TestATelemetryListenerHasMetricsAndHealthAlone(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	cfg := api.Config{Store: &fake{}, Health: &fake{ready: true}, Gatherer: reg, Registerer: reg, Log: zerolog.Nop()}
	api.New(cfg)
	srv := httptest.NewServer(api.NewTelemetry(cfg)) // which counts together with the other
	defer srv.Close()
	s := &service{url: srv.URL}
	for path, want := range map[string]int{
		"/metrics": http.StatusOK, "/-/healthy": http.StatusOK, "/-/ready": http.StatusOK, "/clusters": http.StatusNotFound, "/": http.StatusNotFound,
	} {
		res, err := http.Get(s.url + path) //nolint:noctx // it ends with the server
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("%s: status %d, want %d", path, res.StatusCode, want)
		}
	}
}

func TestProfilesAreSwitchedOffUnlessAskedFor(t *testing.T) {
	f := &fake{}
	reg := prometheus.NewPedanticRegistry()
	srv := httptest.NewServer(api.New(api.Config{Store: f, Health: f, Gatherer: reg, Log: zerolog.Nop()}))
	defer srv.Close()
	res, err := http.Get(srv.URL + "/debug/pprof/heap") //nolint:noctx // it ends with the server
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusForbidden {
		t.Errorf("status %d", res.StatusCode)
	}
}
