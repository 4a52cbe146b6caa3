package source_test

import (
	"errors"
	"testing"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/awssim"
	"github.com/eks-authlog/eks-authlog/internal/source"
)

// filtering is a config that reads with FilterLogEvents.
func filtering() source.Config {
	cfg := config()
	cfg.Mode = source.ModeFilter
	return cfg
}

func TestFilterModeReadsTheSameLinesWithoutAQuery(t *testing.T) {
	c := busy(t)
	queries, filters := c.source(t, config()), c.source(t, filtering())
	w := c.window(t, filters, time.Minute)
	got := read(t.Context(), t, filters, w)
	c.wantAll(t, got)
	if n := c.Calls("StartQuery"); n > 0 {
		t.Errorf("%d queries", n)
	}
	want := read(t.Context(), t, queries, w)
	for line := range want.lines {
		if got.lines[line] != 1 {
			t.Errorf("line %v is missing", line)
		}
	}
}

func TestFilterModeGoesOnAfterEmptyPages(t *testing.T) {
	c := busy(t)
	c.Inject(awssim.Fault{Operation: "FilterLogEvents", EmptyPages: 3})
	s := c.source(t, filtering())
	c.wantAll(t, read(t.Context(), t, s, c.window(t, s, time.Minute)))
}

func TestFilterModeTakesTheFirstMillisecondAndLeavesTheLast(t *testing.T) {
	c := newCloud(t)
	g := c.group(t, "prod", 1, awssim.GroupOptions{})
	for _, ms := range []int{-1, 0, 999, 59_999, 60_000} {
		c.write(g, 0, 1, time.Duration(ms)*time.Millisecond)
	}
	s := c.source(t, filtering())
	if n := read(t.Context(), t, s, c.window(t, s, time.Minute)); n.total() != 3 {
		t.Errorf("read %d lines, want 3", n.total())
	}
}

func TestFilterModeReadsOnlyTheStreamsOfItsTargets(t *testing.T) {
	c := newCloud(t)
	g := c.group(t, "prod", 20, awssim.GroupOptions{})
	for i := range 20 {
		c.write(g, i, 1, time.Second)
	}
	s := c.source(t, filtering())
	w := c.window(t, s, time.Minute)
	w.Targets[0].Streams = []string{streamName(1), streamName(17)}
	if got := read(t.Context(), t, s, w); got.total() != 2 {
		t.Errorf("read %d lines, want 2", got.total())
	}
}

func TestFilterModeHandsOutLinesBeforeItHasAll(t *testing.T) {
	c := newCloud(t)
	g := c.group(t, "prod", 2, awssim.GroupOptions{})
	for second := range 40 {
		c.write(g, 0, 30, time.Duration(second)*time.Second)
		c.write(g, 1, 30, time.Duration(second)*time.Second+time.Millisecond)
	}
	cfg := filtering()
	cfg.RowLimit = 500
	s := c.source(t, cfg)
	got := read(t.Context(), t, s, c.window(t, s, time.Minute))
	c.wantAll(t, got)
	if got.pages < 4 {
		t.Errorf("2,400 lines came in %d pages", got.pages)
	}
}

func TestFilterModeGoesOnWithoutAGroupThatFails(t *testing.T) {
	c := busy(t)
	s := c.source(t, filtering())
	w := c.window(t, s, time.Minute)
	c.region.DeleteLogGroup("/aws/eks/a/cluster")
	c.Inject(awssim.Fault{Operation: "FilterLogEvents", Group: "/aws/eks/b/cluster", Fail: awssim.AccessDenied})
	got := read(t.Context(), t, s, w)
	if got.total() != 100 || len(got.errs) != 2 {
		t.Fatalf("got %d lines and errors %v, want the 100 of c and two errors", got.total(), got.errs)
	}
	var gone, access bool
	for _, err := range got.errs {
		if e, ok := errors.AsType[*authlog.GoneError](err); ok {
			gone = e.LogGroup == w.Targets[0].Group.ARN
		}
		if e, ok := errors.AsType[*authlog.AccessError](err); ok {
			access = e.Action == "logs:FilterLogEvents"
		}
	}
	if !gone || !access {
		t.Errorf("errors %v, want a GoneError of a and an AccessError of logs:FilterLogEvents", got.errs)
	}
}

func TestFilterModeOutlastsThrottling(t *testing.T) {
	c := busy(t)
	c.Inject(awssim.Fault{Operation: "FilterLogEvents", Every: 2, Times: 20, Fail: awssim.Throttling})
	s := c.source(t, filtering())
	c.wantAll(t, read(t.Context(), t, s, c.window(t, s, time.Minute)))
}
