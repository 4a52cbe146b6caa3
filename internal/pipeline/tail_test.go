package pipeline_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/pipeline"
)

// Lines come up to an hour late, in several streams, with exact twins in one
// millisecond; pages fail at random and the daemon is restarted at random.
// Every line must be found once: denials in the store, grants in the counts.
func TestEveryLineIsKeptOnceWhateverFails(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			c := newCloud(seed)
			c.trips = 0.05
			path := dbPath(t)
			c.addGroup(alpha, noon.Add(-48*time.Hour), authlog.Stream{Name: "authenticator-a", Created: noon.Add(-40 * time.Hour)},
				authlog.Stream{Name: "authenticator-b", Created: noon.Add(-40 * time.Hour)})
			beta := authlog.Cluster{Name: "beta", Account: "444455556666", Region: "eu-central-1"}
			c.addGroup(beta, noon.Add(-30*time.Minute), authlog.Stream{Name: "authenticator-c", Created: noon.Add(-30 * time.Minute)})
			var want []string
			wantGrants := 0
			for i := range 1500 {
				at := noon.Add(-30 * time.Minute).Add(time.Duration(c.rand.IntN(5_400_000)) * time.Millisecond)
				delay := time.Duration(c.rand.IntN(int(90 * time.Second)))
				if i%50 == 0 {
					delay = time.Duration(c.rand.IntN(int(30 * time.Minute)))
				}
				cl, stream := alpha, "authenticator-"+string(rune('a'+i%2))
				if i%3 == 0 {
					cl, stream = beta, "authenticator-c"
				}
				twins := 1 + i%7/6
				for range twins {
					if i%4 == 0 {
						c.put(cl, stream, granted(i, at), at, delay)
						wantGrants++
					} else {
						c.put(cl, stream, denied(i, at), at, delay)
						want = append(want, denied(i, at))
					}
				}
			}
			slices.Sort(want)
			l := begin(t, path, c, nil)
			for range 150 {
				l.cycles(t, c, 1)
				if c.rand.IntN(15) == 0 {
					l.end(t)
					l = begin(t, path, c, nil)
				}
			}
			c.trips = 0
			l.cycles(t, c, 80)
			if diff := cmp.Diff(want, l.denials(t)); diff != "" {
				t.Errorf("denials: %s", diff)
			}
			l.end(t)
			if got := grants(t, path); got != wantGrants {
				t.Errorf("%d grants counted, %d written", got, wantGrants)
			}
		})
	}
}

func TestWhatIsCountedIsWhatIsNew(t *testing.T) {
	c := newCloud(1)
	c.addGroup(alpha, noon.Add(-time.Hour), authlog.Stream{Name: "authenticator-a", Created: noon.Add(-time.Hour)})
	at := noon.Add(-time.Minute)
	for range 2 {
		c.put(alpha, "authenticator-a", denied(1, at), at, 0)
	}
	c.put(alpha, "authenticator-a", denied(1, at), at, 4*time.Minute) // a third twin, late
	c.put(alpha, "authenticator-a", "garbage \xff", at, 0)
	c.put(alpha, "authenticator-a", strings.ReplaceAll(denied(2, at), "identity is not mapped", "no such wording"), at, 0)
	c.put(alpha, "authenticator-a", `time="2026-11-24T11:59:00Z" level=info msg="Received aws-auth watch event"`, at, 0)
	path := dbPath(t)
	l := begin(t, path, c, nil)
	l.cycles(t, c, 3)
	if got := l.sum(t, "eks_authn_markers_total", "marker", "aws_auth_read"); got != 1 {
		t.Errorf("%d times aws-auth was read, want 1", got)
	}
	for _, step := range []struct {
		then                                     int
		denials, unclassified, unreadable, twins int
	}{
		{then: 0, denials: 3, unclassified: 1, unreadable: 1, twins: 2},
		{then: 30, denials: 4, unclassified: 1, unreadable: 1, twins: 3},
	} {
		l.cycles(t, c, step.then)
		got := [...]int{
			l.sum(t, "eks_authn_events_total", "outcome", "denied"),
			l.sum(t, "eks_authn_denials_total", "reason", "unclassified"),
			l.sum(t, "eks_authn_unreadable_lines_total", "cluster", "alpha"),
			l.sum(t, "eks_authn_denials_total", "reason", "arn_not_mapped"),
		}
		want := [...]int{step.denials, step.unclassified, step.unreadable, step.twins}
		if got != want {
			t.Errorf("after %d more cycles: got %v, want %v", step.then, got, want)
		}
	}
	l.end(t)

	again := begin(t, path, c, nil)
	defer again.end(t)
	again.cycles(t, c, 3)
	if got := again.sum(t, "eks_authn_events_total", "outcome", "denied"); got != 0 {
		t.Errorf("a new life counted %d old lines", got)
	}
}

func TestAStreamListedLateIsReadFromItsBeginning(t *testing.T) {
	c := newCloud(2)
	g := c.addGroup(alpha, noon.Add(-24*time.Hour), authlog.Stream{Name: "authenticator-a", Created: noon.Add(-24 * time.Hour)})
	path := dbPath(t)
	l := begin(t, path, c, nil)
	l.cycles(t, c, 30)
	var want []string
	for i := range 60 {
		at := noon.Add(time.Duration(i) * time.Minute / 2)
		c.put(alpha, "authenticator-new", denied(i, at), at, 0)
		want = append(want, denied(i, at))
	}
	g.Streams = append(g.Streams, authlog.Stream{Name: "authenticator-new", Created: noon})
	l.cycles(t, c, 1)
	l.end(t)
	l = begin(t, path, c, nil) // the stretch of the past survives a restart
	defer l.end(t)
	l.cycles(t, c, 5)
	slices.Sort(want)
	if diff := cmp.Diff(want, l.denials(t)); diff != "" {
		t.Error(diff)
	}
}

func TestAStreamThatFellSilentIsLeftOutOfQueriesUntilItWakes(t *testing.T) {
	c := newCloud(3)
	g := c.addGroup(alpha, noon.Add(-48*time.Hour),
		authlog.Stream{Name: "authenticator-a", Created: noon.Add(-48 * time.Hour), LastIngested: noon},
		authlog.Stream{Name: "authenticator-old", Created: noon.Add(-48 * time.Hour), LastIngested: noon.Add(-30 * time.Hour)})
	path := dbPath(t)
	l := begin(t, path, c, nil)
	l.cycles(t, c, 15)
	last := c.asked[len(c.asked)-1]
	if got := last.Targets[0].Streams; !slices.Equal(got, []string{"authenticator-a"}) {
		t.Errorf("the last query names %v", got)
	}
	l.end(t)

	// It wakes, and CloudWatch tells so only 20 minutes after its first line.
	l = begin(t, path, c, nil)
	defer l.end(t)
	woke := c.now
	c.put(alpha, "authenticator-old", denied(1, woke), woke, 0)
	l.cycles(t, c, 20)
	if got := l.denials(t); len(got) != 0 {
		t.Fatalf("a silent stream was read: %v", got)
	}
	g.Streams[1].LastIngested = woke
	l.cycles(t, c, 3)
	if got := l.denials(t); len(got) != 1 {
		t.Errorf("%d denials of the stream that woke, want 1", len(got))
	}
}

func TestTheCursorOfAShardWithNothingToReadFollowsTheClock(t *testing.T) {
	for name, streams := range map[string][]authlog.Stream{
		"no stream":           nil,
		"silent for two days": {{Name: "authenticator-a", Created: noon.Add(-72 * time.Hour), LastIngested: noon.Add(-48 * time.Hour)}},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCloud(4)
			c.addGroup(alpha, noon.Add(-72*time.Hour), streams...)
			l := begin(t, dbPath(t), c, nil)
			defer l.end(t)
			l.cycles(t, c, 30)
			cursor := l.sum(t, "eks_authn_cursor_timestamp_seconds", "region", "eu-central-1")
			if behind := c.now.Sub(time.Unix(int64(cursor), 0)); behind > 10*time.Minute {
				t.Errorf("the cursor is %v behind", behind)
			}
		})
	}
}

func TestAGroupMadeAnewIsReadFromItsCreation(t *testing.T) {
	c := newCloud(4)
	g := c.addGroup(alpha, noon.Add(-time.Hour), authlog.Stream{Name: "authenticator-a", Created: noon.Add(-time.Hour)})
	l := begin(t, dbPath(t), c, nil)
	defer l.end(t)
	c.put(alpha, "authenticator-a", denied(1, noon.Add(-time.Minute)), noon.Add(-time.Minute), 0)
	l.cycles(t, c, 20)
	made := c.now
	*g = authlog.Group{Cluster: alpha, ARN: g.ARN, Class: "STANDARD", Created: made, Streams: []authlog.Stream{{Name: "authenticator-a", Created: made}}}
	c.lines = nil
	at := made.Add(time.Second)
	c.put(alpha, "authenticator-a", denied(2, at), at, 0)
	l.cycles(t, c, 15)
	if got := l.denials(t); len(got) != 2 {
		t.Errorf("%d denials, want the old one and the new one", len(got))
	}
	for _, w := range c.asked[len(c.asked)-3:] {
		if w.From.Before(made.Truncate(time.Second)) {
			t.Errorf("asked for %v, before the group was made", w.From)
		}
	}
}

func TestOneQueryServesTheGroupsThatStandAtTheSameSecond(t *testing.T) {
	c := newCloud(5)
	for i := range 120 {
		c.addGroup(authlog.Cluster{Name: fmt.Sprintf("c%03d", i), Account: "111122223333", Region: "eu-central-1"},
			noon.Add(-2*time.Hour), authlog.Stream{Name: "authenticator-a", Created: noon.Add(-2 * time.Hour)})
	}
	l := begin(t, dbPath(t), c, nil)
	defer l.end(t)
	l.cycles(t, c, 2)
	c.asked = nil
	l.cycles(t, c, 1)
	if len(c.asked) != 1 || len(c.asked[0].Targets) != 120 {
		t.Errorf("%d windows, want one of 120 targets", len(c.asked))
	}
}

func TestAFailedWindowIsNamedAndTriedAgain(t *testing.T) {
	c := newCloud(6)
	c.addGroup(alpha, noon.Add(-time.Hour), authlog.Stream{Name: "authenticator-a", Created: noon.Add(-time.Hour)})
	l := begin(t, dbPath(t), c, nil)
	defer l.end(t)
	c.trips = 1
	l.cycles(t, c, 2)
	ready, shards := l.health.Ready()
	if ready {
		t.Error("ready although no window was read")
	}
	if got := shards[0]; got.Shard != "111122223333/eu-central-1" || !strings.Contains(got.Error, errLine.Error()) {
		t.Errorf("health %+v does not name the shard and its error", got)
	}
	if got := l.sum(t, "eks_authn_source_errors_total", "error", "other"); got != 2 {
		t.Errorf("%d errors counted, want 2", got)
	}
	c.trips = 0
	l.cycles(t, c, 1)
	ready, shards = l.health.Ready()
	if got := shards[0]; !ready || got.Error != "" || got.ReadThrough.IsZero() {
		t.Errorf("after a good cycle: %+v", got)
	}
}

func TestCatchingUpGoesInSteps(t *testing.T) {
	c := newCloud(7)
	c.addGroup(alpha, noon.Add(-48*time.Hour), authlog.Stream{Name: "authenticator-a", Created: noon.Add(-48 * time.Hour)})
	l := begin(t, dbPath(t), c, func(cfg *pipeline.Config) { cfg.Lookback = 10 * time.Hour })
	defer l.end(t)
	l.cycles(t, c, 1)
	if len(c.asked) < 10 {
		t.Fatalf("only %d windows", len(c.asked))
	}
	end := c.asked[0].From
	for _, w := range c.asked {
		if w.From.After(end) {
			t.Errorf("a gap from %v to %v", end, w.From)
		}
		if d := w.To.Sub(w.From); d > time.Hour {
			t.Errorf("a window of %v", d)
		}
		end = w.To
	}
	if !end.Equal(noon) {
		t.Errorf("read through %v, want %v", end, noon)
	}
}

func TestWindowsFollowHowLateLinesAre(t *testing.T) {
	c := newCloud(8)
	c.addGroup(alpha, noon.Add(-time.Hour), authlog.Stream{Name: "authenticator-a", Created: noon.Add(-time.Hour)})
	fill := func(late time.Duration) {
		for i := range 1200 {
			at := c.now.Add(time.Duration(i) * time.Second)
			c.put(alpha, "authenticator-a", granted(i, at), at, late)
		}
	}
	l := begin(t, dbPath(t), c, func(cfg *pipeline.Config) {
		cfg.SettleMin, cfg.SettleMax = 30*time.Second, 5*time.Minute
		cfg.Sweeps = []time.Duration{15 * time.Minute}
	})
	defer l.end(t)
	span := func() time.Duration { w := c.asked[len(c.asked)-1]; return w.To.Sub(w.From) }

	l.cycles(t, c, 2)
	if got := span(); got < 5*time.Minute {
		t.Errorf("a window of %v before anything was measured", got)
	}
	fill(time.Second)
	l.cycles(t, c, 15)
	if got := span(); got > 3*time.Minute {
		t.Errorf("a window of %v although lines come at once", got)
	}
	at := c.now.Add(-time.Minute)
	for i := range 5 {
		c.put(alpha, "authenticator-a", denied(i, at), at, 10*time.Minute)
	}
	l.cycles(t, c, 60)
	if got := l.denials(t); len(got) != 5 {
		t.Fatalf("%d denials, want the 5 stragglers", len(got))
	}
	fill(100 * time.Second)
	l.cycles(t, c, 15)
	if got := span(); got < 3*time.Minute {
		t.Errorf("a window of %v although lines come late", got)
	}
}

func TestBackfillReadsThePastOnceAndIsResumed(t *testing.T) {
	c := newCloud(9)
	path := dbPath(t)
	c.addGroup(alpha, noon.Add(-72*time.Hour), authlog.Stream{Name: "authenticator-a", Created: noon.Add(-72 * time.Hour)},
		authlog.Stream{Name: "authenticator-dead", Created: noon.Add(-72 * time.Hour), LastIngested: noon.Add(-40 * time.Hour)})
	var want []string
	granted48 := 0
	for i := range 400 {
		at := noon.Add(-time.Duration(i) * 9 * time.Minute) // 60 hours
		stream := "authenticator-a"
		if i > 300 {
			stream = "authenticator-dead"
		}
		c.put(alpha, stream, denied(i, at), at, 0)
		c.put(alpha, stream, granted(i, at), at, 0)
		if at.Before(noon) && !at.Before(noon.Add(-48*time.Hour)) {
			want = append(want, denied(i, at))
			granted48++
		}
	}
	slices.Sort(want)

	l := begin(t, path, c, nil) // has followed the last hour
	l.cycles(t, c, 2)
	c.trips = 0.02 // breaks off now and then
	for range 30 {
		if err := l.tail.Backfill(t.Context(), noon.Add(-48*time.Hour), noon); err == nil {
			break
		}
		l.end(t)
		l = begin(t, path, c, nil)
	}
	c.trips = 0
	if left, all := l.tail.Left(); left != 0 || all != 47*time.Hour {
		t.Errorf("%v of %v left", left, all)
	}
	if err := l.tail.Backfill(t.Context(), noon.Add(-48*time.Hour), noon); err != nil { // nothing more
		t.Error(err)
	}
	l.cycles(t, c, 3)
	got := slices.DeleteFunc(l.denials(t), func(s string) bool { return s == denied(0, noon) })
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	l.end(t)
	if got := grants(t, path); got != granted48+1 {
		t.Errorf("%d grants counted, want %d", got, granted48+1)
	}
}

func TestBackfillAsksOnlyForWhatIsMissing(t *testing.T) {
	c := newCloud(10)
	c.addGroup(alpha, noon.Add(-72*time.Hour), authlog.Stream{Name: "authenticator-a", Created: noon.Add(-72 * time.Hour)})
	l := begin(t, dbPath(t), c, nil)
	defer l.end(t)
	at := func(hours int) time.Time { return noon.Add(-time.Duration(hours) * time.Hour) }
	asked := func(from, to int) (total time.Duration) {
		c.asked = nil
		if err := l.tail.Backfill(t.Context(), at(from), at(to)); err != nil {
			t.Fatal(err)
		}
		for _, w := range c.asked {
			total += w.To.Sub(w.From)
		}
		return total
	}
	for _, step := range []struct {
		from, to int
		want     time.Duration
	}{
		{30, 20, 10 * time.Hour},
		{30, 20, 0},
		{40, 10, 20 * time.Hour}, // around what was read
		{100, 0, 41 * time.Hour}, // from the group's creation to where the tail began, less what was read
		{100, 50, 0},
	} {
		if got := asked(step.from, step.to); got != step.want {
			t.Errorf("[-%dh, -%dh): read %v, want %v", step.from, step.to, got, step.want)
		}
	}
}
