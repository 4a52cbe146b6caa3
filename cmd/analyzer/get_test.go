package main_test

import (
	"bufio"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/eks-authlog/eks-authlog/internal/awssim"
)

// followed starts a daemon that has found six refusals of the cluster prod, one
// a minute, and one more whose text a terminal would obey. again starts it anew.
func followed(t *testing.T) (c *child, stream *awssim.Stream, again func() *child) {
	t.Helper()
	world := awssim.NewWorld(time.Now)
	region := world.Account("111122223333").Region("eu-central-1")
	stream = addCluster(t, region, "prod", time.Hour, streamA)[0]
	quiet := addCluster(t, region, "quiet", time.Hour, streamA)[0]
	for i := range 6 {
		at := time.Now().Add(time.Duration(i-10) * time.Minute)
		stream.Put(awssim.Event{Time: at, Message: deniedLine(i, at)})
	}
	at := time.Now().Add(-20 * time.Minute)
	stream.Put(awssim.Event{Time: at, Message: strings.Replace(deniedLine(9, at), "identity is not mapped", `wipe \x1b[2J\u202e`, 1)})
	quiet.Put(awssim.Event{Time: at, Message: strings.Replace(deniedLine(9, at), "access denied", "access granted", 1)})
	aws, err := awssim.Start(world)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = aws.Close() })
	dir := t.TempDir()
	cfg := filepath.Join(dir, "analyzer.yml")
	text := "tail: {interval: 1s, lookback: 1h, step: 1h, discovery: 10s}\n" +
		"limits: {start_query_rate: 10, get_results_rate: 10, describe_rate: 10}\n" +
		"storage: {path: " + filepath.Join(dir, "analyzer.db") + "}\n"
	if err := os.WriteFile(cfg, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	address := freeAddress(t)
	again = func() *child { return start(t, aws, address, "serve", "--config.file", cfg) }
	c = again()
	until(t, "all refusals are found", func() bool { return c.ready(t) && c.counter(t, "eks_authn_denials_total") == 7 })
	return c, stream, again
}

func TestGetPrintsWhatTheDaemonFound(t *testing.T) {
	c, _, _ := followed(t)
	testscript.Run(t, testscript.Params{Dir: "testdata/get", Setup: func(env *testscript.Env) error {
		env.Setenv("EKS_AUTHLOG_SERVER", c.url)
		return nil
	}})
}

func TestGetFollowsPagesUpToItsLimit(t *testing.T) {
	c, stream, _ := followed(t)
	at := time.Now().Add(-5 * time.Second)
	for i := range 1100 {
		stream.Put(awssim.Event{Time: at, Message: deniedLine(100+i, at)})
	}
	until(t, "all refusals are found", func() bool { return c.counter(t, "eks_authn_denials_total") == 1107 })
	for limit, want := range map[string]int{"0": 1107, "1050": 1050, "1000": 1000, "3": 3} {
		status, said := runChild(t, nil, "get", "denials", "prod", "--server", c.url, "--limit", limit, "--output=json")
		var doc struct{ Denials []struct{ ID string } }
		if err := json.Unmarshal([]byte(said), &doc); err != nil || status != 0 {
			t.Fatalf("status %d: %v", status, err)
		}
		different := map[string]bool{}
		for _, d := range doc.Denials {
			different[d.ID] = true
		}
		if len(doc.Denials) != want || len(different) != want {
			t.Errorf("--limit %s: %d denials, %d different, want %d", limit, len(doc.Denials), len(different), want)
		}
	}
}

func TestGetSendsItsTokenOverTLSItTrusts(t *testing.T) {
	c, _, _ := followed(t)
	daemon, err := url.Parse(c.url)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(daemon) }}
	front := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer s3cret" {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprintf(w, `{"type":"about:blank","title":"Unauthorized","status":401,"detail":"no token \u001b[2J","instance":"/"}`)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	front.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	front.StartTLS()
	defer front.Close()
	dir := t.TempDir()
	ca, token := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "token")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: front.Certificate().Raw})
	for name, text := range map[string][]byte{ca: block, token: []byte("s3cret\n")} {
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		args   []string
		status int
		want   string
	}{
		{[]string{"--ca-file", ca, "--token-file", token}, 0, "prod "},
		{[]string{"--ca-file", ca}, 1, `no token \x1b[2J: give a token by --token-file or EKS_AUTHLOG_TOKEN`},
		{[]string{"--token-file", token}, 1, "name the authority of its certificate by --ca-file"},
		{[]string{"--server", strings.Replace(c.url, "http:", "https:", 1)}, 1, "does not speak TLS: try http:// in --server"},
	} {
		args := append([]string{"get", "clusters", "--server", front.URL}, test.args...)
		if status, said := runChild(t, nil, args...); status != test.status || !strings.Contains(said, test.want) {
			t.Errorf("%v: status %d: %s", test.args, status, said)
		}
	}
}

// watch runs get --watch and reads what it prints.
func (c *child) watch(t *testing.T, what ...string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	args := slices.Concat([]string{"get"}, what, []string{"--server", c.url, "--watch", "--output=json"})
	watch := exec.CommandContext(t.Context(), os.Args[0], args...)
	watch.Env = append(os.Environ(), asAnalyzer+"=1")
	out, err := watch.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := watch.Start(); err != nil {
		t.Fatal(err)
	}
	return watch, bufio.NewScanner(out)
}

// A cluster is printed again when something of it has changed, also while the
// daemon is started anew.
func TestGetWatchPrintsWhatHasChanged(t *testing.T) {
	c, stream, again := followed(t)
	watch, lines := c.watch(t, "clusters", "--interval=1s")
	until := func(denials int) {
		t.Helper()
		for lines.Scan() {
			var row struct {
				Name    string
				Denials int `json:"denials_24h"`
			}
			if err := json.Unmarshal(lines.Bytes(), &row); err != nil {
				t.Fatal(err)
			}
			if row.Name == "prod" && row.Denials == denials {
				return
			}
		}
		t.Fatalf("the output ended before prod had %d denials: %v", denials, lines.Err())
	}
	put := func(n int) {
		at := time.Now()
		stream.Put(awssim.Event{Time: at, Message: deniedLine(n, at)})
	}
	until(7)
	put(20)
	until(8)
	if err := c.signal(t, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	put(21)
	again()
	until(9)
	if err := watch.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() {
		if !json.Valid(lines.Bytes()) {
			t.Errorf("a line is cut: %s", lines.Text())
		}
	}
	if err := watch.Wait(); err != nil {
		t.Errorf("ended by Ctrl-C: %v", err)
	}
}

// Refusals that come while it watches, late ones among them, and those that come
// while the daemon is started anew, are printed once each, and the end is that
// of the user.
func TestGetWatchPrintsEachNewRefusalOnce(t *testing.T) {
	c, stream, again := followed(t)
	watch, lines := c.watch(t, "denials", "prod")
	seen := map[string]int{}
	read := func(n int) {
		for range n {
			if !lines.Scan() {
				t.Fatalf("the output ended after %v: %v", seen, lines.Err())
			}
			var d struct {
				ID        string
				Principal struct{ ARN string }
			}
			if err := json.Unmarshal(lines.Bytes(), &d); err != nil {
				t.Fatal(err)
			}
			seen[d.Principal.ARN]++
		}
	}
	read(7)
	put := func(n int, late time.Duration) {
		at := time.Now().Add(-late)
		stream.Put(awssim.Event{Time: at, Message: deniedLine(n, at)})
	}
	for i, late := range []time.Duration{0, 2 * time.Minute, 30 * time.Second} {
		put(20+i, late)
	}
	read(3)
	if err := c.signal(t, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	put(30, time.Minute)
	again()
	put(31, 0)
	read(2)
	for _, n := range []string{"r0", "r5", "r9", "r20", "r21", "r22", "r30", "r31"} {
		if seen["arn:aws:iam::111122223333:role/"+n] != 1 {
			t.Errorf("%s was printed %d times", n, seen["arn:aws:iam::111122223333:role/"+n])
		}
	}
	if err := watch.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if lines.Scan() {
		t.Errorf("one more: %s", lines.Text())
	}
	if err := watch.Wait(); err != nil {
		t.Errorf("ended by Ctrl-C: %v", err)
	}
}

// A daemon that lost its database knows neither the cluster, at first, nor where
// the stream was.
func TestGetWatchOutlivesTheDatabase(t *testing.T) {
	c, stream, again := followed(t)
	watch, lines := c.watch(t, "denials", "prod")
	var said strings.Builder
	read := func(role string) {
		t.Helper()
		for lines.Scan() {
			fmt.Fprintln(&said, lines.Text())
			if strings.Contains(lines.Text(), "role/"+role+`"`) {
				return
			}
		}
		t.Fatalf("the output ended before %s: %s", role, &said)
	}
	read("r5")
	if err := c.signal(t, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	config := c.cmd.Args[slices.Index(c.cmd.Args, "--config.file")+1]
	files, err := filepath.Glob(filepath.Join(filepath.Dir(config), "analyzer.db*"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
	put := func(n int) {
		at := time.Now()
		stream.Put(awssim.Event{Time: at, Message: deniedLine(n, at)})
	}
	put(20)
	again()
	read("r20")
	put(21)
	read("r21")
	if err := watch.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() {
	}
	if err := watch.Wait(); err != nil {
		t.Errorf("ended by Ctrl-C: %v", err)
	}
}
