package tailtest_test

import (
	"cmp"
	"context"
	"testing"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/awssim"
	"github.com/eks-authlog/eks-authlog/internal/source"
)

const (
	// deleted is when remade deletes log groups: after their last line was shown
	// and swept.
	deleted = 20
	// busy is how long lines are written for, in minutes; the other minutes are
	// for the last of them to be shown and swept.
	busy    = 20
	minutes = 29
	// calm is how many minutes go by after that without any fault.
	calm = 4
)

// A scene is one case of the matrix while it runs.
type scene struct {
	*world
	*settings
	groups []*awssim.LogGroup
	life   *life
	ours   *clock          // of our machine, where it has one of its own
	ctx    context.Context //nolint:containedctx // of the life: killed with it
	cancel context.CancelFunc
}

// begin starts a life.
func (s *scene) begin(t *testing.T) {
	t.Helper()
	s.ctx, s.cancel = context.WithCancel(t.Context())
	s.life = begin(t, s.world, s.settings)
}

// end ends it.
func (s *scene) end(t *testing.T) {
	t.Helper()
	s.cancel()
	s.life.end(t)
}

// Each fault is at work while more than 10,000 lines are written in two log
// groups of three streams, late by seconds, 90 seconds and minutes, with exact
// equals in one millisecond. In the end each must be found once.
func TestNoLineIsLostOrDoubled(t *testing.T) {
	always := func(f ...awssim.Fault) func(*testing.T, *scene) {
		return func(_ *testing.T, s *scene) {
			for i := range f {
				s.fault(f[i])
			}
		}
	}
	cases := []struct {
		name  string
		setup func(*testing.T, *scene)                 // before the first cycle
		step  func(t *testing.T, s *scene, minute int) // before each cycle
		busy  int                                      // minutes, where lines are not written for so long
		// unread says that queries may have ended that nobody could still ask for.
		unread bool
	}{
		{name: "late lines"},
		{name: "empty pages", setup: func(_ *testing.T, s *scene) {
			s.source.Mode = source.ModeFilter
			s.fault(awssim.Fault{Operation: "FilterLogEvents", EmptyPages: 3})
		}},
		{name: "more lines in one second than a query returns", setup: crowd},
		{name: "queries fail", setup: always(awssim.Fault{
			Operation: "StartQuery", Every: 2, Polls: []string{"Running", "Failed"}, Phantoms: 20,
		})},
		{name: "every query fails for minutes", step: during(5, 12, awssim.Fault{
			Operation: "StartQuery", Polls: []string{"Running", "Failed"}, Phantoms: 20,
		})},
		{name: "queries time out", setup: always(awssim.Fault{
			Operation: "StartQuery", Every: 3, Polls: []string{"Running", "Timeout"}, Phantoms: 20,
		})},
		{name: "queries are cancelled", setup: always(awssim.Fault{
			Operation: "StartQuery", Every: 3, Polls: []string{"Scheduled", "Cancelled"},
		})},
		{name: "queries are unknown", setup: always(awssim.Fault{
			Operation: "StartQuery", Every: 2, Polls: []string{"Unknown", "Running", "Unknown"}, Phantoms: 20,
		})},
		{name: "partial rows that are withdrawn", setup: always(awssim.Fault{
			Operation: "StartQuery", Polls: []string{"Running", "Running"}, Phantoms: 100,
		})},
		{name: "throttled", setup: always(
			awssim.Fault{Every: 2, Fail: awssim.Throttling},
			awssim.Fault{Operation: "StartQuery", Every: 3, Fail: awssim.LimitExceeded},
		)},
		{name: "storms of refusals for minutes", step: during(4, 15,
			awssim.Fault{Operation: "StartQuery", Fail: awssim.LimitExceeded},
			awssim.Fault{Skip: 20, Fail: awssim.Throttling},
		)},
		{name: "failures of AWS", setup: always(
			awssim.Fault{Every: 3, Fail: awssim.InternalFailure},
			awssim.Fault{Every: 4, Fail: awssim.ServiceUnavailable},
		)},
		{name: "AWS is down for minutes", step: during(4, 15, awssim.Fault{Skip: 3, Fail: awssim.InternalFailure}), unread: true},
		{name: "connections drop before the call", setup: always(awssim.Fault{Every: 3, Fail: awssim.DropBefore})},
		{name: "connections drop after the query was started", setup: always(
			awssim.Fault{Operation: "StartQuery", Every: 2, Fail: awssim.DropAfter},
			awssim.Fault{Operation: "GetQueryResults", Every: 5, Fail: awssim.DropAfter},
		)},
		{name: "sessions expire", setup: always(awssim.Fault{Operation: "StartQuery", Every: 4, Fail: awssim.ExpiredToken})},
		{name: "rows have another address in each query", setup: always(awssim.Fault{Operation: "StartQuery", NewPtrs: true})},
		{name: "a log group is deleted and made again", busy: deleted - 8, step: remade},
		{name: "streams rotate and are listed late", setup: rotating, step: rotate},
		{name: "our clock is set by ten minutes", setup: wrongClock, step: setClock},
		{name: "killed between cycles", step: kill},
		{name: "killed at a call", step: killAtACall, unread: true},
		{name: "killed while a page is saved", setup: killAtAPage, step: kill, unread: true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := &scene{world: newWorld(t), settings: defaults(t)}
			s.groups = []*awssim.LogGroup{s.group(t, account, "alpha"), s.group(t, account, "beta")}
			s.write(streams(s.groups...), 10_500, noon(), time.Duration(cmp.Or(c.busy, busy))*time.Minute)
			if c.setup != nil {
				c.setup(t, s)
			}
			s.begin(t)
			for minute := range minutes {
				if c.step != nil {
					c.step(t, s, minute)
				}
				s.life.cycle(s.ctx, t)
				s.clock.add(time.Minute)
			}
			for _, f := range s.faults {
				f.Remove()
			}
			for range calm {
				s.life.cycle(s.ctx, t)
				s.clock.add(time.Minute)
			}
			s.life.check(t, s.world)
			s.end(t)
			if n := s.Orphans(); n > 0 && !c.unread {
				t.Errorf("%d queries were started and neither read nor stopped", n)
			}
		})
	}
}

// during sets faults to work from one minute to another.
func during(from, to int, faults ...awssim.Fault) func(*testing.T, *scene, int) {
	var atWork []*awssim.Injected
	return func(_ *testing.T, s *scene, minute int) {
		switch minute {
		case from:
			for i := range faults {
				atWork = append(atWork, s.fault(faults[i]))
			}
		case to:
			for _, f := range atWork {
				f.Remove()
			}
		}
	}
}

// crowd lets queries return 500 rows and writes some seconds that have more in
// one stream, in several streams of a group, and over two groups.
func crowd(_ *testing.T, s *scene) {
	s.source.RowLimit = 500
	all := streams(s.groups...)
	s.write(all[:1], 700, noon().Add(3*time.Minute), time.Second)
	s.write(all[:3], 900, noon().Add(7*time.Minute), time.Second)
	s.write(all, 1200, noon().Add(11*time.Minute), 3*time.Second)
}
