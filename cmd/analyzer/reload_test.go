package main_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/awssim"
	"github.com/eks-authlog/eks-authlog/internal/callers"
)

// A desk is a directory with the files of a daemon, and the daemon.
type desk struct {
	*child
	t         *testing.T
	dir       string
	telemetry string // URL
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// openDesk starts serve with a configuration file, a tokens file and a
// telemetry address, and more arguments.
func openDesk(t *testing.T, aws *awssim.Server, cfg, tokens string, args ...string) *desk {
	t.Helper()
	d := &desk{t: t, dir: t.TempDir()}
	d.put("analyzer.yml", cfg)
	args = append([]string{"serve", "--config.file", d.path("analyzer.yml")}, args...)
	if tokens != "" {
		d.put("tokens.yml", tokens)
		args = append(args, "--web.tokens-file", d.path("tokens.yml"))
	}
	telemetry := freeAddress(t)
	d.telemetry = "http://" + telemetry
	d.child = start(t, aws, freeAddress(t), append(args, "--web.telemetry-listen-address", telemetry)...)
	until(t, "the daemon answers", func() bool {
		_, status, err := fetch(t.Context(), http.MethodGet, d.telemetry+"/-/healthy", "")
		return err == nil && status == http.StatusOK
	})
	return d
}

func (d *desk) path(name string) string { return filepath.Join(d.dir, name) }

// put writes a file of the desk; DIR stands for its directory.
func (d *desk) put(name, text string) {
	d.t.Helper()
	write(d.t, d.path(name), strings.ReplaceAll(text, "DIR", d.dir))
}

// fetch sends a request with that Authorization, if it is not empty.
func fetch(ctx context.Context, method, url, authorization string) (body string, status int, err error) {
	req, err := http.NewRequestWithContext(ctx, method, url, http.NoBody)
	if err != nil {
		return "", 0, err
	}
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	resp, err := (&http.Client{Timeout: 30 * time.Second}).Do(req)
	if err != nil {
		return "", 0, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return string(text), resp.StatusCode, err
}

// ask is fetch that must be answered.
func (d *desk) ask(method, path, authorization string) (body string, status int) {
	d.t.Helper()
	body, status, err := fetch(d.t.Context(), method, d.url+path, authorization)
	if err != nil {
		d.t.Fatal(err)
	}
	return body, status
}

// metric reports whether the metrics have that line.
func (d *desk) metric(line string) bool {
	d.t.Helper()
	body, status, err := fetch(d.t.Context(), http.MethodGet, d.telemetry+"/metrics", "")
	if err != nil || status != http.StatusOK {
		d.t.Fatalf("metrics: %d, %v", status, err)
	}
	return strings.Contains("\n"+body, "\n"+line+"\n")
}

// hangup sends SIGHUP and waits until the daemon says how it went.
func (d *desk) hangup(success bool) {
	d.t.Helper()
	if err := d.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		d.t.Fatal(err)
	}
	want := "eks_authn_config_last_reload_successful 0"
	if success {
		want = "eks_authn_config_last_reload_successful 1"
	}
	until(d.t, want, func() bool { return d.metric(want) })
}

// tokenItem is an item of a tokens file.
func tokenItem(name, token, rest string) string {
	return fmt.Sprintf("  - {name: %s, sha256: %s, %s}\n", name, callers.Hash(token), rest)
}

func TestReloadTakesOverAllOrNothing(t *testing.T) {
	world := awssim.NewWorld(time.Now)
	addCluster(t, world.Account("111122223333").Region("eu-central-1"), "prod", time.Hour, streamA)
	aws, err := awssim.Start(world)
	if err != nil {
		t.Fatal(err)
	}
	defer aws.Close()
	admin, before, after := callers.NewToken(), callers.NewToken(), callers.NewToken()
	const cfg = "storage: {path: DIR/analyzer.db}\ntail: {interval: 1s}\n"
	tokens := "tokens:\n" + tokenItem("ops", admin, "admin: true")
	d := openDesk(t, aws, cfg, tokens+tokenItem("before", before, "clusters: [a]"), "--web.enable-lifecycle")
	knows := func(token string) bool {
		t.Helper()
		_, status := d.ask(http.MethodGet, "/clusters", "Bearer "+token)
		if status != http.StatusOK && status != http.StatusUnauthorized {
			t.Fatalf("status %d", status)
		}
		return status == http.StatusOK
	}
	if !knows(before) || knows(after) || !d.metric("eks_authn_config_last_reload_successful 1") {
		t.Fatal("the files of the start are not in force")
	}

	// One file is right and another is not: nothing changes.
	d.put("tokens.yml", tokens+tokenItem("after", after, "clusters: [b]"))
	d.put("analyzer.yml", cfg+"limits:\n  query_timeout: 0s\n")
	d.hangup(false)
	if !knows(before) || knows(after) {
		t.Error("half of a bad configuration was taken over")
	}
	body, status := d.ask(http.MethodPost, "/-/reload", "Bearer "+admin)
	if status != http.StatusInternalServerError || !strings.Contains(body, "analyzer.yml:4:18: limits.query_timeout: 0s is below 1s") {
		t.Errorf("POST /-/reload: %d %s", status, body)
	}
	for _, c := range []struct {
		token  string
		status int
	}{{"", http.StatusUnauthorized}, {before, http.StatusForbidden}} {
		if body, status := d.ask(http.MethodPost, "/-/reload", "Bearer "+c.token); status != c.status {
			t.Errorf("POST /-/reload with %q: %d %s", c.token, status, body)
		}
	}
	d.put("analyzer.yml", "storage: {path: DIR/other.db}\n")
	if body, status := d.ask(http.MethodPost, "/-/reload", "Bearer "+admin); status != http.StatusInternalServerError || !strings.Contains(body, "storage.path cannot change") {
		t.Errorf("another database: %d %s", status, body)
	}

	// All are right.
	d.put("analyzer.yml", cfg+"limits:\n  query_timeout: 10s\n")
	d.hangup(true)
	if knows(before) || !knows(after) {
		t.Error("a good configuration was not taken over")
	}
	d.put("tokens.yml", tokens+tokenItem("before", before, "clusters: [a]"))
	if body, status := d.ask(http.MethodPut, "/-/reload", "Bearer "+admin); status != http.StatusOK || !knows(before) {
		t.Errorf("PUT /-/reload: %d %s", status, body)
	}
	if err := d.signal(t, syscall.SIGTERM); err != nil {
		t.Errorf("ended by SIGTERM: %v", err)
	}
	said := d.stderr.String()
	for _, want := range []string{"file=" + d.path("analyzer.yml"), "key=limits.query_timeout", "line=4", "the old one stays in force", "configuration reloaded"} {
		if !strings.Contains(said, want) {
			t.Errorf("the log has no %s: %s", want, said)
		}
	}
	for _, token := range []string{admin, before, after} {
		if strings.Contains(said, token) {
			t.Error("a token stands in the log")
		}
	}
}

func TestReloadIsSwitchedOffUnlessAskedFor(t *testing.T) {
	world := awssim.NewWorld(time.Now)
	addCluster(t, world.Account("111122223333").Region("eu-central-1"), "prod", time.Hour, streamA)
	aws, err := awssim.Start(world)
	if err != nil {
		t.Fatal(err)
	}
	defer aws.Close()
	d := openDesk(t, aws, "storage: {path: DIR/analyzer.db}\n", "")
	if body, status := d.ask(http.MethodPost, "/-/reload", ""); status != http.StatusForbidden || !strings.Contains(body, "--web.enable-lifecycle") {
		t.Errorf("%d %s", status, body)
	}
}

// While lines arrive the configuration changes again and again, and with it who
// reads them.
func TestReloadWhileLinesArriveLosesNoneAndDoublesNone(t *testing.T) {
	world := awssim.NewWorld(time.Now)
	streams := addCluster(t, world.Account("111122223333").Region("eu-central-1"), "prod", time.Hour, streamA, streamB)
	aws, err := awssim.Start(world)
	if err != nil {
		t.Fatal(err)
	}
	defer aws.Close()
	cfg := func(settle int) string {
		return fmt.Sprintf(`
tail: {interval: 1s, settle: {min: %ds, max: %ds}, lookback: 1h, step: 10m, discovery: 10s, sweep: {after: [15s], interval: 1s}}
limits: {start_query_rate: 10, get_results_rate: 10, describe_rate: 10}
storage: {path: DIR/analyzer.db}
`, settle, settle)
	}
	want := map[string]int{}
	written := 0
	put := func(n int, late time.Duration) {
		for range n {
			at := time.Now().Add(-time.Duration(written%7) * 100 * time.Millisecond)
			streams[written%2].Put(awssim.Event{Time: at, Visible: time.Now().Add(time.Duration(written%11) * late / 10), Message: deniedLine(written, at)})
			want[fmt.Sprintf("arn:aws:iam::111122223333:role/r%d", written)]++
			written++
		}
	}
	put(500, 0)
	d := openDesk(t, aws, cfg(5), "", "--web.enable-lifecycle")
	for round := range 12 {
		put(40, 4*time.Second)
		d.put("analyzer.yml", cfg(5+round%2))
		if round%2 == 0 { // both ways, and with lines on their way
			d.hangup(true)
		} else if body, status := d.ask(http.MethodPost, "/-/reload", ""); status != http.StatusOK {
			t.Fatalf("%d %s", status, body)
		}
		put(40, 4*time.Second)
		read := d.counter(t, "eks_authn_events_total")
		until(t, "the new readers read", func() bool { return d.counter(t, "eks_authn_events_total") > read || round%3 > 0 })
	}
	until(t, "all lines are found", func() bool { return len(d.denials(t)) >= len(want) })
	got := d.denials(t)
	for arn, n := range want {
		if got[arn] != n {
			t.Errorf("%s: found %d times, written %d times", arn, got[arn], n)
		}
	}
	if counted := d.counter(t, "eks_authn_denials_total"); counted != written {
		t.Errorf("counted %d denials of %d", counted, written)
	}
	if err := d.signal(t, syscall.SIGTERM); err != nil {
		t.Errorf("ended by SIGTERM: %v", err)
	}
}

func TestReloadFollowsOtherSources(t *testing.T) {
	world := awssim.NewWorld(time.Now)
	for region, name := range map[string]string{"eu-central-1": "one", "us-east-1": "two"} {
		streams := addCluster(t, world.Account("111122223333").Region(region), name, time.Hour, streamA)
		at := time.Now().Add(-10 * time.Minute)
		streams[0].Put(awssim.Event{Time: at, Message: deniedLine(1, at)})
	}
	aws, err := awssim.Start(world)
	if err != nil {
		t.Fatal(err)
	}
	defer aws.Close()
	cfg := func(region string) string {
		return "sources: [{regions: [" + region + "]}]\ntail: {interval: 1s}\nstorage: {path: DIR/analyzer.db}\n"
	}
	d := openDesk(t, aws, cfg("eu-central-1"), "")
	shards := func() string {
		body, _ := d.ask(http.MethodGet, "/-/ready", "")
		return body
	}
	ready := func() bool {
		_, status := d.ask(http.MethodGet, "/-/ready", "")
		return status == http.StatusOK
	}
	until(t, "the first region is read", func() bool {
		_, status := d.ask(http.MethodGet, "/clusters/one/denials", "")
		return status == http.StatusOK && strings.Contains(shards(), "111122223333/eu-central-1") && ready()
	})
	listing, listed := make(chan struct{}), make(chan struct{})
	world.Inject(awssim.Fault{Operation: "DescribeLogGroups", Region: "us-east-1", Times: 1, Do: func() {
		close(listing)
		<-listed
	}})
	d.put("analyzer.yml", cfg("us-east-1"))
	d.hangup(true)
	<-listing
	if !ready() { // who asks is answered by what was read before
		t.Errorf("not ready before the first window of the second region: %s", shards())
	}
	close(listed)
	until(t, "the second region is read, and the first is not", func() bool {
		_, status := d.ask(http.MethodGet, "/clusters/two/denials", "")
		return status == http.StatusOK && !strings.Contains(shards(), "eu-central-1")
	})
	if _, status := d.ask(http.MethodGet, "/clusters/one/denials", ""); status != http.StatusOK {
		t.Error("what was found before is gone")
	}
	if d.metric(`eks_authn_cursor_timestamp_seconds{account="111122223333",region="eu-central-1"}`) {
		t.Error("a region that is not read any more has a gauge")
	}
}
