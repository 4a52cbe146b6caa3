package tailtest_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/awssim"
)

const (
	account = "111122223333"
	region  = "eu-central-1"
	// streamsEach is how many authenticator streams a log group begins with.
	streamsEach = 3
)

func noon() time.Time { return time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC) }

// A clock stands still until it is set.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// A world is a served AWS, and the account of all that was written into it.
type world struct {
	*awssim.World
	server *awssim.Server
	clock  *clock // AWS's
	rand   *rand.Rand

	lines   int
	denials map[string]int // written, by text
	grants  int
	faults  []*awssim.Injected
}

// fault sets a fault to work; in the end it must have hit something.
func (w *world) fault(f awssim.Fault) *awssim.Injected {
	in := w.Inject(f)
	w.faults = append(w.faults, in)
	return in
}

// newWorld serves an empty world at noon in which queries are complete at once
// and no rate is limited.
func newWorld(t *testing.T) *world {
	t.Helper()
	c := &clock{at: noon()}
	w := &world{World: awssim.NewWorld(c.now), clock: c, rand: rand.New(rand.NewPCG(1, 2)), denials: map[string]int{}}
	w.Pace = awssim.Pace{}
	w.Limits.PerSecond = map[string]float64{
		"StartQuery": 0, "GetQueryResults": 0, "StopQuery": 0, "DescribeQueries": 0,
		"DescribeLogGroups": 0, "DescribeLogStreams": 0, "FilterLogEvents": 0,
	}
	w.Account(account)
	server, err := awssim.Start(w.World)
	if err != nil {
		t.Fatal(err)
	}
	w.server = server
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		if n := w.RunningQueries(); n > 0 {
			t.Errorf("%d queries are left running", n)
		}
	})
	return w
}

// group makes the log group of a cluster, a day ago, with three
// authenticator streams and one of audit lines.
func (w *world) group(t *testing.T, account, cluster string) *awssim.LogGroup {
	t.Helper()
	g := w.emptyGroup(t, account, cluster, w.clock.now().Add(-24*time.Hour))
	for i := range streamsEach {
		w.stream(t, g, i, w.clock.now().Add(-24*time.Hour))
	}
	audit, err := g.CreateStream(fmt.Sprintf("kube-apiserver-audit-%032x", 1), w.clock.now().Add(-24*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	audit.SetNoise(100, 100_000)
	return g
}

func (w *world) emptyGroup(t *testing.T, account, cluster string, created time.Time) *awssim.LogGroup {
	t.Helper()
	g, err := w.Account(account).Region(region).CreateLogGroup("/aws/eks/"+cluster+"/cluster", awssim.GroupOptions{Created: created})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func (w *world) stream(t *testing.T, g *awssim.LogGroup, i int, created time.Time) *awssim.Stream {
	t.Helper()
	s, err := g.CreateStream(streamName(i), created)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func streamName(i int) string { return fmt.Sprintf("authenticator-%032x", i) }

// lateness is how much later than its event time a line is shown: seconds,
// 90 seconds, or a few minutes.
func (w *world) lateness() time.Duration {
	switch n := w.rand.IntN(20); {
	case n < 17:
		return time.Duration(1000+w.rand.IntN(5000)) * time.Millisecond
	case n < 19:
		return 90 * time.Second
	default:
		return time.Duration(120+w.rand.IntN(150)) * time.Second
	}
}

// write spreads n lines over the streams and over [from, from+span): denials,
// grants, STS responses, and in each stream exact equals within a millisecond,
// of which one may be late.
func (w *world) write(streams []*awssim.Stream, n int, from time.Time, span time.Duration) {
	events := make([][]awssim.Event, len(streams))
	for range n {
		at := from.Add(time.Duration(w.rand.Int64N(span.Milliseconds())) * time.Millisecond)
		i := w.rand.IntN(len(streams))
		events[i] = w.line(events[i], at)
	}
	for i, s := range streams {
		s.Put(events[i]...)
	}
}

// written counts the denials.
func (w *world) written() (n int) {
	for _, times := range w.denials {
		n += times
	}
	return n
}

// line adds one line to the events, now and then twice or three times.
func (w *world) line(events []awssim.Event, at time.Time) []awssim.Event {
	w.lines++
	i := w.lines
	text := denied(i, at)
	switch i % 8 {
	case 3, 4:
		text = granted(i, at)
	case 5:
		text = stsResponse(i, at)
	}
	for range 1 + i%10/8 + i%100/99 {
		shown := at.Add(w.lateness())
		events = append(events, awssim.Event{Time: at, Ingested: shown, Visible: shown, Message: text})
		switch i % 8 {
		case 3, 4:
			w.grants++
		case 5:
		default:
			w.denials[text]++
		}
	}
	return events
}

// streams are the authenticator streams of the groups.
func streams(groups ...*awssim.LogGroup) []*awssim.Stream {
	var all []*awssim.Stream
	for _, g := range groups {
		for i := range streamsEach {
			all = append(all, g.Stream(streamName(i)))
		}
	}
	return all
}

func denied(i int, at time.Time) string {
	return fmt.Sprintf(`time=%q level=warning msg="access denied" arn="arn:aws:iam::111122223333:role/r%d" client="127.0.0.1:%d" error="identity is not mapped" method=POST path=/authenticate`,
		at.Format(time.RFC3339), i%100, 1024+i%60_000)
}

func granted(i int, at time.Time) string {
	return fmt.Sprintf(`time=%q level=info msg="access granted" arn="arn:aws:iam::111122223333:role/g%d" client="127.0.0.1:%d" groups="[]" method=POST path=/authenticate uid="aws-iam-authenticator:111122223333:AROAEXAMPLE" username=u`,
		at.Format(time.RFC3339), i%20, 1024+i%60_000)
}

func stsResponse(i int, at time.Time) string {
	return fmt.Sprintf(`time=%q level=info msg="STS response" accesskeyid=ASIAEXAMPLE accountid=111122223333 arn="arn:aws:sts::111122223333:assumed-role/r/s%d" client="127.0.0.1:%d" method=POST path=/authenticate session=s%d stsendpoint=sts.eu-central-1.amazonaws.com userid=AROAEXAMPLE`,
		at.Format(time.RFC3339), i, 1024+i%60_000, i)
}
