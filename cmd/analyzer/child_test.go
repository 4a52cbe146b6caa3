package main_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/eks-authlog/eks-authlog/internal/awssim"
	"github.com/eks-authlog/eks-authlog/internal/client"
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
	return startWith(t, aws, address, nil, args...)
}

// startWith is start with a command that edit, unless it is nil, may change.
func startWith(t *testing.T, aws *awssim.Server, address string, edit func(*exec.Cmd), args ...string) *child {
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
	if edit != nil {
		edit(c.cmd)
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

// api asks the daemon as any program would.
func (c *child) api(t *testing.T) *client.ClientWithResponses {
	t.Helper()
	api, err := client.NewClientWithResponses(c.url, client.WithHTTPClient(&http.Client{Timeout: 10 * time.Second}))
	if err != nil {
		t.Fatal(err)
	}
	return api
}

func (c *child) ready(t *testing.T) bool {
	t.Helper()
	select {
	case err := <-c.exited:
		t.Fatalf("the daemon ended: %v\n%s", err, c.stderr)
	default:
	}
	res, err := c.api(t).GetReadyWithResponse(t.Context())
	return err == nil && res.JSON200 != nil && res.JSON200.Ready
}

// denials pages through all denials of the cluster prod and counts those of each
// ARN.
func (c *child) denials(t *testing.T) map[string]int {
	t.Helper()
	found := map[string]int{}
	params := client.ListDenialsParams{Limit: new(1000)}
	for {
		res, err := c.api(t).ListDenialsWithResponse(t.Context(), "prod", &params)
		if err != nil || res.JSON200 == nil {
			t.Fatalf("%v: %s", err, res.Body)
		}
		for _, d := range res.JSON200.Denials {
			found[d.Principal.ARN]++
		}
		if params.Next = res.JSON200.Next; params.Next == nil {
			return found
		}
	}
}

// counter adds up the series of a counter.
func (c *child) counter(t *testing.T, name string) int {
	t.Helper()
	res, err := c.api(t).GetMetricsWithResponse(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(res.Body))
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, m := range families[name].GetMetric() {
		sum += m.GetCounter().GetValue()
	}
	return int(sum)
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

func deniedLine(n int, at time.Time) string {
	return fmt.Sprintf(`time=%q level=warning msg="access denied" arn="arn:aws:iam::111122223333:role/r%d" client="127.0.0.1:%d" error="identity is not mapped" method=POST path=/authenticate`,
		at.UTC().Format(time.RFC3339), n, 1024+n)
}

// addCluster makes the log group of a cluster of that age with one
// authenticator stream for each name.
func addCluster(t *testing.T, r *awssim.Region, name string, age time.Duration, streams ...string) []*awssim.Stream {
	t.Helper()
	created := time.Now().Add(-age)
	group, err := r.CreateLogGroup("/aws/eks/"+name+"/cluster", awssim.GroupOptions{Created: created})
	if err != nil {
		t.Fatal(err)
	}
	var made []*awssim.Stream
	for _, s := range streams {
		stream, err := group.CreateStream(s, created)
		if err != nil {
			t.Fatal(err)
		}
		made = append(made, stream)
	}
	return made
}

// The streams of the tests' clusters.
const (
	streamA = "authenticator-0123456789abcdef0123456789abcdef"
	streamB = "authenticator-fedcba9876543210fedcba9876543210"
)
