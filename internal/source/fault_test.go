package source_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/awssim"
	"github.com/eks-authlog/eks-authlog/internal/source"
)

func TestReadSendsAFailedQueryAgain(t *testing.T) {
	c := busy(t)
	c.Inject(awssim.Fault{Operation: "StartQuery", Times: 2, Polls: []string{"Running", "Failed"}, Phantoms: 3})
	s := c.source(t, config())
	c.wantAll(t, read(t.Context(), t, s, c.window(t, s, time.Minute)))
	c.meter.wantQueries(t, map[string]int{"failed": 2, "complete": 1})
}

func TestReadGivesUpAQueryThatFailsThreeTimes(t *testing.T) {
	c := busy(t)
	ia := c.group(t, "ia", 1, awssim.GroupOptions{Class: awssim.InfrequentAccess})
	c.write(ia, 0, 7, time.Second)
	c.Inject(awssim.Fault{Operation: "StartQuery", Group: "/aws/eks/a/cluster", Polls: []string{"Failed"}})
	s := c.source(t, config())
	got := read(t.Context(), t, s, c.window(t, s, time.Minute))
	if len(got.errs) != 1 || got.total() != 7 {
		t.Errorf("got %d lines and errors %v, want the 7 of the other batch and one error", got.total(), got.errs)
	}
	c.meter.wantQueries(t, map[string]int{"failed": 3, "complete": 1})
}

func TestReadHalvesWhatTakesTooLong(t *testing.T) {
	for _, status := range []string{"Timeout", "Cancelled"} {
		t.Run(status, func(t *testing.T) {
			c := busy(t)
			c.Inject(awssim.Fault{Operation: "StartQuery", Times: 3, Polls: []string{"Running", status}, Phantoms: 3})
			s := c.source(t, config())
			c.wantAll(t, read(t.Context(), t, s, c.window(t, s, time.Minute)))
			// 60, 30 and 15 s take too long; 7, 8, 15... are read.
			c.meter.wantQueries(t, map[string]int{strings.ToLower(status): 3, "complete": 4})
		})
	}
}

func TestReadPartsASecondThatTakesTooLong(t *testing.T) {
	c := busy(t)
	c.Inject(awssim.Fault{Operation: "StartQuery", Times: 2, Polls: []string{"Timeout"}})
	s := c.source(t, config())
	w := c.window(t, s, time.Second)
	got := read(t.Context(), t, s, w)
	if len(got.errs) > 0 || got.total() != 6 {
		t.Errorf("got %d lines and errors %v, want 6", got.total(), got.errs)
	}
	c.meter.wantQueries(t, map[string]int{"timeout": 2, "complete": 3})
}

func TestReadReadsWithoutAQueryWhatAlwaysTakesTooLong(t *testing.T) {
	c := newCloud(t)
	g := c.group(t, "prod", 1, awssim.GroupOptions{})
	c.write(g, 0, 5, 0)
	c.write(g, 0, 5, 3*time.Second)
	c.Inject(awssim.Fault{Operation: "StartQuery", Polls: []string{"Timeout"}})
	s := c.source(t, config())
	c.wantAll(t, read(t.Context(), t, s, c.window(t, s, 4*time.Second)))
	if c.meter.overflows != 0 {
		t.Error("a slow query was counted as one with too many lines")
	}
}

func TestReadGivesUpASecondOfOneStreamThatNothingCanRead(t *testing.T) {
	c := newCloud(t)
	g := c.group(t, "prod", 1, awssim.GroupOptions{Class: awssim.InfrequentAccess})
	c.write(g, 0, 5, 0)
	c.Inject(awssim.Fault{Operation: "StartQuery", Polls: []string{"Timeout"}})
	s := c.source(t, config())
	got := read(t.Context(), t, s, c.window(t, s, 4*time.Second))
	if len(got.errs) != 1 || got.total() != 0 {
		t.Errorf("got %d lines and errors %v, want one error", got.total(), got.errs)
	}
	c.meter.wantQueries(t, map[string]int{"timeout": 3})
}

func TestReadStopsAQueryAfterItsTimeAndHalvesIt(t *testing.T) {
	c := busy(t)
	c.Inject(awssim.Fault{Operation: "StartQuery", Times: 1, Polls: slices.Repeat([]string{"Running"}, 100_000)})
	cfg := config()
	cfg.QueryTimeout = 50 * time.Millisecond
	s := c.source(t, cfg)
	got := read(t.Context(), t, s, c.window(t, s, time.Minute))
	c.wantAll(t, got)
	if c.meter.queries["stopped"] < 1 || c.meter.queries["complete"] < 2 {
		t.Errorf("queries ended %v", c.meter.queries)
	}
}

func TestReadOutlastsAStormOfRefusals(t *testing.T) {
	for name, fail := range map[string]awssim.Failure{
		"throttling":     awssim.Throttling,
		"limit exceeded": awssim.LimitExceeded,
		"500":            awssim.InternalFailure,
		"503":            awssim.ServiceUnavailable,
		"dropped before": awssim.DropBefore,
	} {
		t.Run(name, func(t *testing.T) {
			c := busy(t)
			for _, op := range []string{"StartQuery", "GetQueryResults"} {
				c.Inject(awssim.Fault{Operation: op, Times: 4, Fail: fail})
			}
			s := c.source(t, config())
			c.wantAll(t, read(t.Context(), t, s, c.window(t, s, time.Minute)))
		})
	}
}

func TestReadSaysWhenItIsThrottledForGood(t *testing.T) {
	for _, op := range []string{"StartQuery", "GetQueryResults"} {
		t.Run(op, func(t *testing.T) {
			c := busy(t, slow(time.Hour))
			s := c.source(t, config())
			w := c.window(t, s, time.Minute)
			c.Inject(awssim.Fault{Operation: op, Fail: awssim.LimitExceeded})
			got := read(t.Context(), t, s, w)
			if len(got.errs) != 1 || !errors.Is(got.errs[0], authlog.ErrThrottled) {
				t.Errorf("errors %v, want one that is ErrThrottled", got.errs)
			}
		})
	}
}

func TestReadStaysBelowTheQuotaOfQueries(t *testing.T) {
	c := newCloud(t, slow(50*time.Millisecond), func(w *awssim.World) { w.Limits.Queries = 2 })
	limits := config()
	limits.MaxConcurrent = 2
	cfg := config()
	cfg.Limits = source.NewLimits(limits)
	for i := range 6 { // batches of one group each
		g := c.group(t, fmt.Sprintf("c%d", i), 190, awssim.GroupOptions{})
		c.write(g, 0, 3, time.Second)
	}
	s := c.source(t, cfg)
	c.wantAll(t, read(t.Context(), t, s, c.window(t, s, time.Minute)))
	if n := c.Refusals()["LimitExceededException"]; n > 0 {
		t.Errorf("%d queries were refused", n)
	}
}

func TestReadGoesOnWithoutAGroupThatIsGone(t *testing.T) {
	c := busy(t)
	s := c.source(t, config())
	w := c.window(t, s, time.Minute)
	c.region.DeleteLogGroup("/aws/eks/b/cluster")
	got := read(t.Context(), t, s, w)
	if len(got.errs) != 1 || got.total() != 200 {
		t.Fatalf("got %d lines and errors %v, want the 200 of the other groups and one error", got.total(), got.errs)
	}
	gone, ok := errors.AsType[*authlog.GoneError](got.errs[0])
	if !ok || gone.LogGroup != w.Targets[1].Group.ARN {
		t.Errorf("error %v, want a GoneError of %s", got.errs[0], w.Targets[1].Group.ARN)
	}
}

func TestReadGoesOnWithoutAGroupThatMayNotBeRead(t *testing.T) {
	c := busy(t)
	s := c.source(t, config())
	w := c.window(t, s, time.Minute)
	c.Inject(awssim.Fault{Operation: "StartQuery", Group: "/aws/eks/b/cluster", Fail: awssim.AccessDenied})
	got := read(t.Context(), t, s, w)
	if len(got.errs) != 1 || got.total() != 200 {
		t.Fatalf("got %d lines and errors %v, want the 200 of the other groups and one error", got.total(), got.errs)
	}
	access, ok := errors.AsType[*authlog.AccessError](got.errs[0])
	if !ok || access.Action != "logs:StartQuery" || !strings.Contains(access.Resource, "/aws/eks/b/cluster") {
		t.Errorf("error %v, want one that names logs:StartQuery on b", got.errs[0])
	}
}

func TestReadNamesThePermissionThatIsMissing(t *testing.T) {
	c := busy(t, slow(time.Hour))
	s := c.source(t, config())
	w := c.window(t, s, time.Minute)
	c.Inject(awssim.Fault{Operation: "GetQueryResults", Fail: awssim.AccessDenied})
	got := read(t.Context(), t, s, w)
	if len(got.errs) != 1 || got.total() != 0 {
		t.Fatalf("got %d lines and errors %v, want one error", got.total(), got.errs)
	}
	access, ok := errors.AsType[*authlog.AccessError](got.errs[0])
	if !ok || access.Action != "logs:GetQueryResults" {
		t.Errorf("error %v, want one that names logs:GetQueryResults", got.errs[0])
	}
	if n := c.Calls("StartQuery"); n != 1 {
		t.Errorf("%d queries started without a right to their results", n)
	}
}

func TestReadLosesNothingWhateverGoesWrongMeanwhile(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			c := newCloud(t)
			random := rand.New(rand.NewPCG(seed, 1))
			for i := range 4 {
				class := []string{awssim.Standard, awssim.InfrequentAccess}[i%2]
				g := c.group(t, fmt.Sprintf("c%d", i), 3, awssim.GroupOptions{Class: class})
				for range 60 {
					// Many lines of one second here, none for long there.
					second := time.Duration(random.IntN(30)*random.IntN(2)+random.IntN(3)) * time.Second
					c.write(g, random.IntN(3), 1+random.IntN(20), second+time.Duration(random.IntN(1000))*time.Millisecond)
				}
			}
			cfg := config()
			cfg.RowLimit = 50 + random.IntN(100)
			cfg.Retries = 30
			s := c.source(t, cfg)
			w := c.window(t, s, 40*time.Second)
			for _, f := range []awssim.Fault{
				{Operation: "StartQuery", Every: 3, Fail: awssim.LimitExceeded},
				{Operation: "StartQuery", Every: 7, Fail: awssim.DropAfter},
				{Operation: "StartQuery", Every: 11, Fail: awssim.DropBefore},
				{Operation: "StartQuery", Every: 5, Polls: []string{"Running", "Unknown"}, Phantoms: 4, NewPtrs: true},
				{Operation: "StartQuery", Every: 9, Polls: []string{"Timeout"}},
				{Operation: "StartQuery", Every: 13, Times: 2, Polls: []string{"Running", "Failed"}},
				{Operation: "GetQueryResults", Every: 4, Fail: awssim.ServiceUnavailable},
				{Operation: "GetQueryResults", Every: 6, Fail: awssim.Throttling},
				{Operation: "FilterLogEvents", Every: 2, Fail: awssim.Throttling, EmptyPages: 1},
			} {
				f.Skip = random.IntN(4)
				c.Inject(f)
			}
			c.wantAll(t, readAgain(t, s, w))
		})
	}
}

// readAgain reads the window, and what failed once more from where it stopped,
// until nothing fails.
func readAgain(t *testing.T, s *source.Source, w authlog.Window) reading {
	t.Helper()
	r := newReading()
	todo := []authlog.Window{w}
	for round := 0; len(todo) > 0; round++ {
		if round == 100 {
			t.Fatal("something fails for ever")
		}
		now := todo[0]
		todo = todo[1:]
		for page, err := range s.Read(t.Context(), now) {
			r.take(t, w, page, err)
			if err != nil {
				todo = append(todo, authlog.Window{Targets: page.Targets, From: page.From, To: w.To})
			}
		}
		clear(r.failed)
	}
	r.errs = nil
	r.check(t, w)
	return r
}
