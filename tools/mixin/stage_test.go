package mixin_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A stage is a demo that a Prometheus scrapes, with our rules in it, and an
// Alertmanager that notifies us.
type stage struct {
	began                time.Time
	analyzer, prometheus string // URLs

	mu       sync.Mutex
	notified []notification
}

// A notification is one alert in a webhook call of Alertmanager.
type notification struct {
	Status      string
	Labels      map[string]string
	Annotations map[string]string
}

// inHurry is the mixin for a Prometheus that scrapes every second.
const inHurry = `{
	interval: '1s',
	usual: '5m:5s',
	alerts: std.mapWithKey(function(name, a) a { 'for': '0s' }, super.alerts),
}`

func newStage(t *testing.T) *stage {
	t.Helper()
	prometheus, alertmanager := part(t, "prometheus"), part(t, "prometheus-alertmanager")
	dir := t.TempDir()
	if err := load(t, inHurry).Write(filepath.Join(dir, "rendered")); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "analyzer")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./cmd/analyzer")
	build.Dir = repository
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the analyzer: %v\n%s", err, out)
	}
	s := &stage{}
	hook := httptest.NewServer(http.HandlerFunc(s.notify))
	t.Cleanup(hook.Close)
	demo, am, prom := freeAddress(t), freeAddress(t), freeAddress(t)
	write(t, filepath.Join(dir, "alertmanager.yml"), fmt.Sprintf(`
route: {receiver: hook, group_by: [alertname, cluster, account, region], group_wait: 1s, group_interval: 1s}
receivers: [{name: hook, webhook_configs: [{url: %q, send_resolved: true}]}]
`, hook.URL))
	write(t, filepath.Join(dir, "prometheus.yml"), fmt.Sprintf(`
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [rendered/alerts.yaml, rendered/rules.yaml]
alerting: {alertmanagers: [{static_configs: [{targets: [%q]}]}]}
scrape_configs: [{job_name: eks-authlog, static_configs: [{targets: [%q]}]}]
`, am, demo))
	start(t, alertmanager, "--config.file="+filepath.Join(dir, "alertmanager.yml"), "--storage.path="+filepath.Join(dir, "am"),
		"--web.listen-address="+am, "--cluster.listen-address=")
	start(t, prometheus, "--config.file="+filepath.Join(dir, "prometheus.yml"), "--storage.tsdb.path="+filepath.Join(dir, "prom"),
		"--web.listen-address="+prom)
	start(t, program, "demo", "--web.listen-address="+demo)
	s.began = time.Now()
	s.analyzer, s.prometheus = "http://"+demo, "http://"+prom
	return s
}

func (s *stage) notify(_ http.ResponseWriter, r *http.Request) {
	var call struct{ Alerts []notification }
	if err := json.NewDecoder(r.Body).Decode(&call); err != nil {
		return // the notification is missed, and the test says so
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.notified = append(s.notified, call.Alerts...)
}

// told finds a notification of that status, of an alert and cluster.
func (s *stage) told(status, alert, cluster string) *notification {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.notified {
		n := &s.notified[i]
		if n.Status == status && n.Labels["alertname"] == alert && n.Labels["cluster"] == cluster {
			return n
		}
	}
	return nil
}

// query asks Prometheus's API, and reads its data into to.
func (s *stage) query(ctx context.Context, to any, path string, params url.Values) error {
	var answer struct {
		Status, Error string
		Data          json.RawMessage
	}
	if err := getJSON(ctx, s.prometheus+"/api/v1/"+path+"?"+params.Encode(), &answer); err != nil {
		return err
	}
	if answer.Status != "success" {
		return errors.New(answer.Error)
	}
	return json.Unmarshal(answer.Data, to)
}

func getJSON(ctx context.Context, url string, to any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	resp, err := (&http.Client{Timeout: 10 * time.Second}).Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, to); err != nil || resp.StatusCode >= 500 {
		return fmt.Errorf("status %d, %w: %s", resp.StatusCode, err, body)
	}
	return nil
}

// until asks again and again for what must come true. What ok returns says
// what is missing.
func until(t *testing.T, limit time.Duration, ok func() error) {
	t.Helper()
	deadline := time.After(limit)
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for {
		missing := ok()
		if missing == nil {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not within %v: %v", limit, missing)
		}
	}
}

// start runs a program until the test ends.
func start(t *testing.T, program string, args ...string) {
	t.Helper()
	var out bytes.Buffer
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Wait() // it was told to end
		if t.Failed() {
			t.Logf("%s:\n%s", filepath.Base(program), tail(out.String(), 40))
		}
	})
}

func tail(text string, lines int) string {
	all := strings.Split(text, "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

func freeAddress(t *testing.T) string {
	t.Helper()
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
