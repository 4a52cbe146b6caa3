package main_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/eks-authlog/eks-authlog/internal/awssim"
)

// A child is the daemon as a process of its own.
type child struct {
	cmd    *exec.Cmd
	url    string
	stdout *strings.Builder
	stderr *strings.Builder
	exited chan error
}

// freeAddress is one that nobody listens on now.
func freeAddress(t *testing.T) string {
	t.Helper()
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// start runs the program with these arguments against the simulated AWS.
func start(t *testing.T, aws *awssim.Server, address string, args ...string) *child {
	t.Helper()
	c := &child{url: "http://" + address, stdout: &strings.Builder{}, stderr: &strings.Builder{}, exited: make(chan error, 1)}
	if address != "" {
		args = append(args, "--web.listen-address", address)
	}
	c.cmd = exec.Command(os.Args[0], args...) //nolint:noctx // it is killed by the test itself
	c.cmd.Stdout, c.cmd.Stderr = c.stdout, c.stderr
	c.cmd.Env = []string{
		asAnalyzer + "=1", "HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH"),
		"AWS_REGION=eu-central-1", "AWS_EC2_METADATA_DISABLED=true",
	}
	if aws != nil {
		keys := aws.Credentials()
		c.cmd.Env = append(c.cmd.Env, "AWS_ENDPOINT_URL="+aws.URL(),
			"AWS_ACCESS_KEY_ID="+keys.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+keys.SecretAccessKey)
	}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { c.exited <- c.cmd.Wait() }()
	t.Cleanup(func() {
		_ = c.cmd.Process.Kill()
		if t.Failed() {
			t.Log(c.stderr)
		}
	})
	return c
}

func (c *child) signal(t *testing.T, s os.Signal) error {
	t.Helper()
	if err := c.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-c.exited:
		return err
	case <-time.After(10 * time.Second):
		t.Fatalf("still running 10 s after %v", s)
		return nil
	}
}

// until asks again and again for what must come true, for at most a minute.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(time.Minute)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not within a minute: %s", what)
		}
	}
}

func (c *child) get(ctx context.Context, path string) ([]byte, int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url+path, http.NoBody)
	if err != nil {
		return nil, 0, err
	}
	resp, err := (&http.Client{Timeout: 10 * time.Second}).Do(req)
	if err != nil {
		return nil, 0, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return body, resp.StatusCode, err
}

func (c *child) ready(t *testing.T) bool {
	t.Helper()
	select {
	case err := <-c.exited:
		t.Fatalf("the daemon ended: %v\n%s", err, c.stderr)
	default:
	}
	_, status, err := c.get(t.Context(), "/-/ready")
	return err == nil && status == http.StatusOK
}

// denials pages through all denials of a cluster and counts each error text.
func (c *child) denials(t *testing.T, cluster string) map[string]int {
	t.Helper()
	found := map[string]int{}
	path := "/clusters/" + cluster + "/denials?limit=1000"
	for next := ""; ; {
		body, status, err := c.get(t.Context(), path+next)
		if err != nil || status != http.StatusOK {
			t.Fatalf("status %d, %v: %s", status, err, body)
		}
		var page struct {
			Denials []struct {
				Principal struct{ ARN string } `json:"principal"`
			} `json:"denials"`
			Next string `json:"next"`
		}
		if err := json.Unmarshal(body, &page); err != nil {
			t.Fatal(err)
		}
		for _, d := range page.Denials {
			found[d.Principal.ARN]++
		}
		if page.Next == "" {
			return found
		}
		next = "&next=" + page.Next
	}
}

// counter adds up the series of a counter.
func (c *child) counter(t *testing.T, name string) int {
	t.Helper()
	body, _, err := c.get(t.Context(), "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(string(body)))
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, m := range families[name].GetMetric() {
		sum += m.GetCounter().GetValue()
	}
	return int(sum)
}

func deniedLine(n int, at time.Time) string {
	return fmt.Sprintf(`time=%q level=warning msg="access denied" arn="arn:aws:iam::111122223333:role/r%d" client="127.0.0.1:%d" error="identity is not mapped" method=POST path=/authenticate`,
		at.UTC().Format(time.RFC3339), n, 1024+n)
}

// One life of the daemon after another is killed at a random moment while
// lines arrive, some late, some twice in one millisecond.
func TestKilledAtAnyMomentNoDenialIsLostOrDoubled(t *testing.T) {
	const lives = 20
	world := awssim.NewWorld(time.Now)
	world.Account("111122223333")
	group, err := world.Account("111122223333").Region("eu-central-1").CreateLogGroup("/aws/eks/prod/cluster",
		awssim.GroupOptions{Created: time.Now().Add(-time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	var streams []*awssim.Stream
	for _, name := range []string{"authenticator-0123456789abcdef0123456789abcdef", "authenticator-fedcba9876543210fedcba9876543210"} {
		s, err := group.CreateStream(name, time.Now().Add(-time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		streams = append(streams, s)
	}
	aws, err := awssim.Start(world)
	if err != nil {
		t.Fatal(err)
	}
	defer aws.Close()

	dir := t.TempDir()
	cfg := filepath.Join(dir, "analyzer.yml")
	text := `
tail: {interval: 1s, settle: {min: 5s, max: 5s}, lookback: 1h, step: 10m, discovery: 10s, sweep: {after: [10s], interval: 1s}}
limits: {start_query_rate: 10, get_results_rate: 10, describe_rate: 10}
storage: {path: ` + filepath.Join(dir, "analyzer.db") + `}
`
	if err := os.WriteFile(cfg, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}

	want := map[string]int{}
	written := 0
	// write puts n lines of the last span; late ones are shown up to so much
	// later.
	write := func(n int, span, late time.Duration) {
		for range n {
			at := time.Now().Add(-time.Duration(written%97) * span / 97)
			event := awssim.Event{Time: at, Visible: time.Now().Add(time.Duration(written%11) * late / 10), Message: deniedLine(written, at)}
			arn := fmt.Sprintf("arn:aws:iam::111122223333:role/r%d", written)
			streams[written%2].Put(event)
			want[arn]++
			if written%10 == 0 {
				streams[written%2].Put(event)
				want[arn]++
			}
			written++
		}
	}
	write(2000, 50*time.Minute, 0)
	for life := range lives {
		c := start(t, aws, freeAddress(t), "serve", "--config.file", cfg)
		write(50, time.Second, 4*time.Second)
		moment := time.Duration(life*life*7%1500+20) * time.Millisecond
		select {
		case <-time.After(moment):
		case err := <-c.exited:
			t.Fatalf("the daemon ended by itself: %v\n%s", err, c.stderr)
		}
		write(50, time.Second, 4*time.Second)
		if err := c.signal(t, syscall.SIGKILL); err == nil {
			t.Fatal("not killed")
		}
	}

	before := storedDenials(t, filepath.Join(dir, "analyzer.db"))
	last := start(t, aws, freeAddress(t), "serve", "--config.file", cfg)
	until(t, "the last life is ready", func() bool { return last.ready(t) })
	write(100, time.Second, 4*time.Second)
	total := 0
	for _, n := range want {
		total += n
	}
	until(t, "all lines are found", func() bool {
		found := 0
		for _, n := range last.denials(t, "prod") {
			found += n
		}
		return found >= total
	})
	got := last.denials(t, "prod")
	for arn, n := range want {
		if got[arn] != n {
			t.Errorf("%s: found %d times, written %d times", arn, got[arn], n)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d principals found, %d written", len(got), len(want))
	}
	if counted := last.counter(t, "eks_authn_denials_total"); counted != total-before {
		t.Errorf("the last life counted %d denials, it saved %d", counted, total-before)
	}
	if err := last.signal(t, syscall.SIGTERM); err != nil {
		t.Errorf("ended by SIGTERM: %v", err)
	}
	t.Logf("%d denials over %d kills; %d were saved before the last life", total, lives, before)
}

func TestDemoHasDenialsAtOnceAndEndsCleanly(t *testing.T) {
	address := freeAddress(t)
	c := start(t, nil, address, "demo")
	began := time.Now()
	until(t, "the demo has denials", func() bool {
		body, status, err := c.get(t.Context(), "/clusters/prod/denials")
		return err == nil && status == http.StatusOK && strings.Contains(string(body), `"reason":"arn_not_mapped"`)
	})
	t.Logf("denials after %v", time.Since(began))
	if err := c.signal(t, os.Interrupt); err != nil {
		t.Errorf("ended by Ctrl-C: %v", err)
	}
}

func TestServeRefusesAnAddressThatIsTaken(t *testing.T) {
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	c := start(t, nil, ln.Addr().String(), "serve")
	err = <-c.exited
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok || exit.ExitCode() != 1 || !strings.Contains(c.stderr.String(), "address already in use") {
		t.Errorf("ended with %v: %s", err, c.stderr)
	}
}

// runChild runs the program to its end and returns its exit status and what it
// said on both streams.
func runChild(t *testing.T, aws *awssim.Server, args ...string) (int, string) {
	t.Helper()
	c := start(t, aws, "", args...)
	err := <-c.exited
	said := c.stdout.String() + c.stderr.String()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode(), said
	}
	if err != nil {
		t.Fatal(err)
	}
	return 0, said
}

func TestBackfillReadsHistoryOnce(t *testing.T) {
	world := awssim.NewWorld(time.Now)
	group, err := world.Account("111122223333").Region("eu-central-1").CreateLogGroup("/aws/eks/prod/cluster",
		awssim.GroupOptions{Created: time.Now().Add(-96 * time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	stream, err := group.CreateStream("authenticator-0123456789abcdef0123456789abcdef", time.Now().Add(-96*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 72 * 6 {
		at := time.Now().Add(-time.Duration(i)*10*time.Minute - 5*time.Minute)
		stream.Put(awssim.Event{Time: at, Message: deniedLine(i, at)})
	}
	aws, err := awssim.Start(world)
	if err != nil {
		t.Fatal(err)
	}
	defer aws.Close()
	dir := t.TempDir()
	cfg, db := filepath.Join(dir, "analyzer.yml"), filepath.Join(dir, "analyzer.db")
	text := "tail: {lookback: 1h, step: 6h}\nlimits: {start_query_rate: 10, get_results_rate: 10}\nstorage: {path: " + db + "}\n"
	if err := os.WriteFile(cfg, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		status, said := runChild(t, aws, "backfill", "--config.file", cfg, "--since", "25h")
		if status != 0 || !strings.Contains(said, "111122223333/eu-central-1: ") {
			t.Fatalf("status %d: %s", status, said)
		}
		if n := storedDenials(t, db); n != 24*6 {
			t.Errorf("%d denials, want those of the 24 hours before the last one", n)
		}
	}
	if status, said := runChild(t, aws, "backfill", "--start", "2026-11-02T00:00:00Z", "--end", "2026-11-01T00:00:00Z"); status != 1 || !strings.Contains(said, "would begin") {
		t.Errorf("a span turned around: status %d: %s", status, said)
	}
}

func TestOneBrokenAccountDoesNotStopTheOthers(t *testing.T) {
	world := awssim.NewWorld(time.Now)
	home, other := world.Account("111122223333"), world.Account("444455556666")
	for account, regions := range map[*awssim.Account][]string{home: {"eu-central-1", "ap-east-1"}, other: {"eu-central-1"}} {
		for _, region := range regions {
			group, err := account.Region(region).CreateLogGroup("/aws/eks/"+account.ID()[:3]+"-"+region+"/cluster", awssim.GroupOptions{Created: time.Now().Add(-time.Hour)})
			if err != nil {
				t.Fatal(err)
			}
			stream, err := group.CreateStream("authenticator-0123456789abcdef0123456789abcdef", time.Now().Add(-time.Hour))
			if err != nil {
				t.Fatal(err)
			}
			at := time.Now().Add(-10 * time.Minute)
			stream.Put(awssim.Event{Time: at, Message: deniedLine(1, at)})
		}
	}
	role := other.AddRole(awssim.Role{Name: "reader", ExternalID: "right", Trusted: []string{home.ID()}})
	aws, err := awssim.Start(world)
	if err != nil {
		t.Fatal(err)
	}
	defer aws.Close()
	dir := t.TempDir()
	cfg := filepath.Join(dir, "analyzer.yml")
	text := "sources:\n" +
		"  - {regions: all}\n" +
		"  - {regions: [eu-central-1], role_arn: '" + role + "', external_id: wrong}\n" +
		"tail: {interval: 1s}\nstorage: {path: " + filepath.Join(dir, "analyzer.db") + "}\n"
	if err := os.WriteFile(cfg, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c := start(t, aws, freeAddress(t), "serve", "--config.file", cfg)
	until(t, "both regions of the account that can be read have their denial", func() bool {
		for _, cluster := range []string{"111-eu-central-1", "111-ap-east-1"} {
			body, status, err := c.get(t.Context(), "/clusters/"+cluster+"/denials")
			if err != nil || status != http.StatusOK || !strings.Contains(string(body), `"reason":"arn_not_mapped"`) {
				return false
			}
		}
		return true
	})
	until(t, "the broken account is named and the others are ready", func() bool {
		body, status, err := c.get(t.Context(), "/-/ready")
		return err == nil && status == http.StatusOK && strings.Contains(string(body), role) && strings.Contains(string(body), "sts:AssumeRole")
	})
	if err := c.signal(t, syscall.SIGTERM); err != nil {
		t.Errorf("ended by SIGTERM: %v", err)
	}
}

func TestPlanAndQueryReadOnly(t *testing.T) {
	demo, err := awssim.NewDemo(time.Now, 1)
	if err != nil {
		t.Fatal(err)
	}
	aws, err := awssim.Start(demo.World)
	if err != nil {
		t.Fatal(err)
	}
	defer aws.Close()
	dir := t.TempDir()
	cfg := filepath.Join(dir, "analyzer.yml")
	var text strings.Builder
	text.WriteString("sources:\n")
	for _, s := range demo.Sources {
		fmt.Fprintf(&text, "  - {regions: [%s], role_arn: '%s', external_id: %s}\n", s.Region, s.RoleARN, s.ExternalID)
	}
	if err := os.WriteFile(cfg, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	status, said := runChild(t, aws, "plan", "--config.file", cfg)
	for _, want := range []string{
		"account 444455556666, region us-east-1", "/aws/eks/prod/cluster", "INFREQUENT_ACCESS",
		"queries a minute in all", "expected with the index: at most", "expected without it: at most", "missing permissions: none",
	} {
		if status != 0 || !strings.Contains(said, want) {
			t.Errorf("plan: status %d, no %q in:\n%s", status, want, said)
		}
	}
	status, said = runChild(t, aws, "query", "prod", "--config.file", cfg)
	if status != 0 || strings.Count(said, `| filter @logStream in ["authenticator-`) != 2 || strings.Contains(said, "@logStream like") {
		t.Errorf("query: status %d:\n%s", status, said)
	}
	status, said = runChild(t, aws, "query", "nowhere", "--config.file", cfg)
	if status != 1 || !strings.Contains(said, `no log group of a cluster "nowhere"`) {
		t.Errorf("query of an unknown cluster: status %d: %s", status, said)
	}
	demo.World.Inject(awssim.Fault{Operation: "StartQuery", Fail: awssim.AccessDenied})
	status, said = runChild(t, aws, "plan", "--config.file", cfg)
	if status != 1 || !strings.Contains(said, "missing permission: logs:StartQuery") {
		t.Errorf("plan without a permission: status %d: %s", status, said)
	}
}
