package source_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/google/go-cmp/cmp"
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

// config is one that waits for next to nothing.
func config() source.Config {
	cfg := source.Default()
	cfg.Index = source.IndexStream
	cfg.PollMin, cfg.PollMax = time.Millisecond, 5*time.Millisecond
	cfg.Backoff = time.Millisecond
	cfg.QueryTimeout = time.Minute
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

// A reading is what a Read yielded.
type reading struct {
	lines   map[authlog.Line]int // Ingested left out: times are compared by value
	errs    []error
	pages   int
	through map[string]time.Time // by stream
	failed  map[string]bool      // by stream
}

// read reads the window and checks the promises that hold for every page.
func read(ctx context.Context, t *testing.T, s *source.Source, w authlog.Window) reading {
	t.Helper()
	r := reading{lines: map[authlog.Line]int{}, through: map[string]time.Time{}, failed: map[string]bool{}}
	for page, err := range s.Read(ctx, w) {
		r.take(t, w, page, err)
	}
	for id, through := range r.through {
		if !r.failed[id] && !through.Equal(w.To) {
			t.Errorf("%s was read until %s only, without an error", id, through)
		}
	}
	for _, target := range w.Targets {
		for _, stream := range target.Streams {
			if id := target.Group.ARN + " " + stream; r.through[id].IsZero() && !r.failed[id] {
				t.Errorf("%s was neither read nor did it fail", id)
			}
		}
	}
	return r
}

func (r *reading) take(t *testing.T, w authlog.Window, page authlog.Page, err error) {
	t.Helper()
	r.pages++
	if !page.Through.Equal(page.Through.Truncate(time.Second)) {
		t.Errorf("page through %s parts a second", page.Through)
	}
	streams := map[authlog.Cluster][]string{}
	for _, target := range page.Targets {
		streams[target.Group.Cluster] = append(streams[target.Group.Cluster], target.Streams...)
		for _, stream := range target.Streams {
			id := target.Group.ARN + " " + stream
			at := r.through[id]
			if at.IsZero() {
				at = w.From
			}
			if !page.From.Equal(at) {
				t.Errorf("page of %s from %s, want from %s", id, page.From, at)
			}
			if r.failed[id] {
				t.Errorf("page of %s after it failed", id)
			}
			r.through[id] = page.Through
			r.failed[id] = err != nil
		}
	}
	if err != nil {
		r.errs = append(r.errs, err)
		if len(page.Lines) > 0 || !page.Through.Equal(page.From) {
			t.Errorf("error with lines or progress: %v", err)
		}
		return
	}
	if !slices.IsSortedFunc(page.Lines, func(a, b authlog.Line) int { return a.Time.Compare(b.Time) }) {
		t.Error("lines of a page are not in order")
	}
	for _, line := range page.Lines {
		if line.Time.Before(page.From) || !line.Time.Before(page.Through) {
			t.Errorf("line of %s in the page [%s, %s)", line.Time, page.From, page.Through)
		}
		if !slices.Contains(streams[line.Cluster], line.Stream) {
			t.Errorf("line of %s %s in a page without it", line.Cluster.Name, line.Stream)
		}
		line.Ingested = time.Time{}
		r.lines[line]++
	}
}

// total is the number of lines.
func (r *reading) total() int {
	n := 0
	for _, k := range r.lines {
		n += k
	}
	return n
}

// wantAll checks that each line that was written was read exactly once.
func (c *cloud) wantAll(t *testing.T, r reading) {
	t.Helper()
	for _, err := range r.errs {
		t.Errorf("unexpected error: %v", err)
	}
	if r.total() != c.lines || len(r.lines) != c.lines {
		t.Errorf("read %d lines, %d different ones; %d were written", r.total(), len(r.lines), c.lines)
	}
}

// meter keeps what it is told.
type meter struct {
	mu        sync.Mutex
	calls     map[string]int // by operation
	queries   map[string]int // by how they ended
	scanned   int64
	skipped   int64
	usd       float64
	overflows int
}

func (m *meter) Call(_, _, op string, _ error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.calls == nil {
		m.calls = map[string]int{}
	}
	m.calls[op]++
}

func (m *meter) Query(_, _, status string, _ time.Duration, scanned, skipped int64, usd float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.queries == nil {
		m.queries = map[string]int{}
	}
	m.queries[status]++
	m.scanned += scanned
	m.skipped += skipped
	m.usd += usd
}

func (m *meter) Overflow(_, _ string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.overflows++
}

// wantQueries checks how the queries ended.
func (m *meter) wantQueries(t *testing.T, want map[string]int) {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	if diff := cmp.Diff(want, m.queries); diff != "" {
		t.Errorf("queries ended otherwise (-want +got):\n%s", diff)
	}
}

// slow makes each query take that long.
func slow(d time.Duration) func(*awssim.World) {
	return func(w *awssim.World) { w.Pace.Running = d }
}
