package source_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/rs/zerolog"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/awssim"
	"github.com/eks-authlog/eks-authlog/internal/source"
)

const (
	account = "111122223333"
	region  = "eu-central-1"
)

// A cloud is a served AWS world with one account and region of interest.
type cloud struct {
	*awssim.World
	region *awssim.Region
	server *awssim.Server
	meter  *meter
	start  time.Time // an hour ago, the time that lines are written at
	lines  int       // written so far
}

// newCloud serves a world in which queries are complete at once and no rate
// is limited, but for the changes made to it.
func newCloud(tb testing.TB, changes ...func(*awssim.World)) *cloud {
	tb.Helper()
	w := awssim.NewWorld(time.Now)
	w.Pace = awssim.Pace{}
	w.Limits.PerSecond = map[string]float64{
		"StartQuery": 0, "GetQueryResults": 0, "StopQuery": 0, "DescribeQueries": 0,
		"DescribeLogGroups": 0, "DescribeLogStreams": 0, "FilterLogEvents": 0,
	}
	for _, change := range changes {
		change(w)
	}
	c := &cloud{World: w, region: w.Account(account).Region(region), meter: &meter{}}
	c.start = time.Now().UTC().Truncate(time.Second).Add(-time.Hour)
	server, err := awssim.Start(w)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := server.Close(); err != nil {
			tb.Error(err)
		}
		// Whatever a test did, no query may be left that nobody waits for.
		if n := w.RunningQueries(); n > 0 {
			tb.Errorf("%d queries are left running", n)
		}
		if n := w.Orphans(); n > 0 {
			tb.Errorf("%d queries were started and neither read nor stopped", n)
		}
	})
	c.server = server
	return c
}

// config is one that waits for next to nothing. It has room for one answer, so
// that a place that is not given back stops the test.
func config() source.Config {
	cfg := source.Default()
	cfg.Index = source.IndexStream
	cfg.PollMin, cfg.PollMax = time.Millisecond, 5*time.Millisecond
	cfg.Backoff = time.Millisecond
	cfg.QueryTimeout = time.Minute
	cfg.Answers = source.NewAnswers(1)
	cfg.Rates = source.Rates{StartQuery: 1e6, GetResults: 1e6, Describe: 1e6, Streams: 1e6, Filter: 1e6}
	return cfg
}

// quick is the SDK's retryer without its pauses.
func quick() aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return time.Millisecond, nil })
		o.RateLimiter = ratelimit.None
	})
}

func (c *cloud) source(tb testing.TB, cfg source.Config) *source.Source {
	tb.Helper()
	awscfg := c.server.Config(region)
	awscfg.Retryer = quick
	return source.New(awscfg, cfg, c.meter, zerolog.New(zerolog.NewTestWriter(tb)))
}

// group makes the log group of a cluster with streams authenticator-…0 to
// …n-1, and one of audit lines that must never be read.
func (c *cloud) group(tb testing.TB, cluster string, streams int, opts awssim.GroupOptions) *awssim.LogGroup {
	tb.Helper()
	if opts.Created.IsZero() {
		opts.Created = c.start.Add(-24 * time.Hour)
	}
	g, err := c.region.CreateLogGroup("/aws/eks/"+cluster+"/cluster", opts)
	if err != nil {
		tb.Fatal(err)
	}
	for i := range streams {
		if _, err := g.CreateStream(streamName(i), opts.Created); err != nil {
			tb.Fatal(err)
		}
	}
	audit, err := g.CreateStream(fmt.Sprintf("kube-apiserver-audit-%032x", 1), opts.Created)
	if err != nil {
		tb.Fatal(err)
	}
	audit.Put(awssim.Event{Time: c.start.Add(time.Second), Message: "audit"})
	audit.SetNoise(100, 100_000)
	return g
}

func streamName(i int) string { return fmt.Sprintf("authenticator-%032x", i) }

// write puts n different lines at that time after c.start into stream i.
func (c *cloud) write(g *awssim.LogGroup, i, n int, after time.Duration) {
	events := make([]awssim.Event, n)
	for k := range events {
		c.lines++
		at := c.start.Add(after)
		events[k] = awssim.Event{Time: at, Ingested: at.Add(1500 * time.Millisecond), Message: fmt.Sprintf("line %d", c.lines)}
	}
	g.Stream(streamName(i)).Put(events...)
}

// window spans the given time after c.start for all groups that are listed.
func (c *cloud) window(tb testing.TB, s *source.Source, span time.Duration) authlog.Window {
	tb.Helper()
	groups, err := s.Groups(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	w := authlog.Window{From: c.start, To: c.start.Add(span)}
	for _, g := range groups {
		target := authlog.Target{Group: g}
		for _, st := range g.Streams {
			target.Streams = append(target.Streams, st.Name)
		}
		w.Targets = append(w.Targets, target)
	}
	return w
}

// slow makes each query take that long.
func slow(d time.Duration) func(*awssim.World) {
	return func(w *awssim.World) { w.Pace.Running = d }
}

// busy is a cloud with three clusters of two streams and 300 lines.
func busy(t *testing.T, changes ...func(*awssim.World)) *cloud {
	t.Helper()
	c := newCloud(t, changes...)
	for _, cluster := range []string{"a", "b", "c"} {
		g := c.group(t, cluster, 2, awssim.GroupOptions{})
		for i := range 100 {
			c.write(g, i%2, 1, time.Duration(i)*500*time.Millisecond)
		}
	}
	return c
}

// the log API with its body, and may change the answer before it goes back.
func (c *cloud) behind(t *testing.T, answered func(r *http.Request, operation string, body, answer []byte) []byte) aws.Config {
	t.Helper()
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		out, err := http.NewRequestWithContext(r.Context(), r.Method, c.server.URL()+r.URL.Path, bytes.NewReader(body))
		if err != nil {
			t.Error(err)
			return
		}
		out.Header, out.Host = r.Header, r.Host // both are signed
		resp, err := http.DefaultTransport.RoundTrip(out)
		if err != nil {
			t.Error(err)
			return
		}
		answer, err := io.ReadAll(resp.Body)
		if err = errors.Join(err, resp.Body.Close()); err != nil {
			t.Error(err)
		}
		if _, op, ok := strings.Cut(r.Header.Get("X-Amz-Target"), "."); ok {
			answer = answered(r, op, body, answer)
		}
		w.Header().Set("Content-Type", resp.Header.Get("Content-Type"))
		w.WriteHeader(resp.StatusCode)
		_, _ = w.Write(answer) // the caller may have hung up
	}))
	t.Cleanup(proxy.Close)
	cfg := c.server.Config(region)
	cfg.BaseEndpoint = aws.String(proxy.URL)
	cfg.Retryer = quick
	return cfg
}
