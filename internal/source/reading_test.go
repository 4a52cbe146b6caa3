package source_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/source"
)

// A reading is what a Read yielded.
type reading struct {
	lines   map[authlog.Line]int // Ingested left out: times are compared by value
	errs    []error
	pages   int
	through map[string]time.Time // by stream
	failed  map[string]bool      // by stream
}

func newReading() reading {
	return reading{lines: map[authlog.Line]int{}, through: map[string]time.Time{}, failed: map[string]bool{}}
}

// read reads the window and checks the promises that hold for every page.
func read(ctx context.Context, t *testing.T, s *source.Source, w authlog.Window) reading {
	t.Helper()
	r := newReading()
	for page, err := range s.Read(ctx, w) {
		r.take(t, w, page, err)
	}
	r.check(t, w)
	return r
}

// check checks that all of the window was read, or failed.
func (r *reading) check(t *testing.T, w authlog.Window) {
	t.Helper()
	for _, target := range w.Targets {
		for _, stream := range target.Streams {
			id := target.Group.ARN + " " + stream
			if through := r.through[id]; !r.failed[id] && !through.Equal(w.To) {
				t.Errorf("%s was read until %s only, without an error", id, through)
			}
		}
	}
}

// take checks a page and keeps what it tells.
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
