package tailtest_test

import (
	"testing"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/awssim"
)

// remade deletes a log group between two cycles and makes it again, and another
// one between the listing of its streams and the query.
func remade(t *testing.T, s *scene, minute int) {
	t.Helper()
	if minute != deleted {
		return
	}
	again := func(cluster string) {
		s.Account(account).Region(region).DeleteLogGroup("/aws/eks/" + cluster + "/cluster")
		made := s.clock.now()
		g := s.emptyGroup(t, account, cluster, made)
		for i := range streamsEach {
			s.stream(t, g, i, made)
		}
		s.write(streams(g), 700, made, 90*time.Second)
	}
	again("alpha")
	s.fault(awssim.Fault{Operation: "StartQuery", Skip: 1, Times: 1, Do: func() { again("beta") }})
}

// rotating writes nothing in advance but the first streams' lines.
func rotating(t *testing.T, s *scene) {
	t.Helper()
	s.tail.Discovery = 10 * time.Minute
}

// rotate gives each group a new stream every four minutes. It is listed only
// three minutes after its first line, and tells a creation time that is later
// than that.
func rotate(t *testing.T, s *scene, minute int) {
	t.Helper()
	if minute < 4 || minute%4 != 3 || minute >= busy-1 {
		return
	}
	first := s.clock.now().Add(-3 * time.Minute)
	for _, g := range s.groups {
		st := s.stream(t, g, 100+minute, first.Add(2*time.Second))
		s.write([]*awssim.Stream{st}, 150, first, 4*time.Minute)
	}
}

// wrongClock gives our machine a clock of its own.
func wrongClock(_ *testing.T, s *scene) {
	s.ours = &clock{at: s.clock.now()}
	s.source.Clock = s.ours.now
}

// setClock sets our clock ten minutes ahead, back, behind and back again, also
// in the middle of a query.
func setClock(_ *testing.T, s *scene, minute int) {
	if minute > 0 {
		s.ours.add(time.Minute)
	}
	switch minute {
	case 4, 16, 22:
		s.ours.add(10 * time.Minute)
	case 7, 13, 25:
		s.ours.add(-10 * time.Minute)
	case 10:
		s.fault(awssim.Fault{Operation: "StartQuery", Times: 1, Do: func() { s.ours.add(10 * time.Minute) }})
		s.fault(awssim.Fault{Operation: "GetQueryResults", Skip: 2, Times: 1, Do: func() { s.ours.add(-20 * time.Minute) }})
	case 12:
		s.ours.add(10 * time.Minute)
	}
}

// kill begins another life every two minutes.
func kill(t *testing.T, s *scene, minute int) {
	t.Helper()
	if minute%2 == 0 {
		return
	}
	s.end(t)
	s.begin(t)
}

// killAtACall ends each life at another call of AWS.
func killAtACall(t *testing.T, s *scene, minute int) {
	t.Helper()
	kill(t, s, minute)
	if minute%2 == 1 && minute < busy+5 {
		s.Inject(awssim.Fault{Skip: minute, Times: 1, Do: s.cancel})
	}
}

// killAtAPage lets a query return few rows and ends each life after another
// page was saved.
func killAtAPage(_ *testing.T, s *scene) {
	s.source.RowLimit = 500
	pages := 0
	s.tail.Saved = func(*authlog.Page) {
		pages++
		if pages%4 == 0 && s.clock.now().Before(noon().Add(busy*time.Minute)) {
			s.cancel()
		}
	}
}
