package source

import (
	"context"
	"iter"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// Read reads the window and yields what it finds page by page. A page holds
// every line of its targets with an event time in [From, Through) that
// CloudWatch showed, each once, sorted by time; the lines of one stream and
// second are never parted. Pages of one target follow one another without a
// gap from w.From on; those of different targets come in any order. A group
// with very many streams, or one whose lines had to be asked for in parts, may
// come as several targets with some of its streams each.
//
// What cannot be read is yielded as an error with a page that has no lines:
// its targets are not read any further from page.From on, all others go on.
// The error is an *authlog.GoneError, an *authlog.AccessError,
// authlog.ErrThrottled, the error of ctx, or one that will likely pass.
//
// When the caller stops early, or ctx ends, the queries under way are stopped
// before Read returns. The window's times must be whole seconds.
func (s *Source) Read(ctx context.Context, w authlog.Window) iter.Seq2[authlog.Page, error] {
	return func(yield func(authlog.Page, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		pieces, left := make(chan piece), make(chan struct{})
		r := &reader{Source: s, emit: func(p piece) {
			p.place.keep()
			select {
			case pieces <- p:
			case <-left: // the caller takes no more
				p.place.done()
			}
		}}
		var wait sync.WaitGroup
		wait.Go(func() {
			defer close(pieces)
			r.window(ctx, w)
		})
		defer wait.Wait()
		defer cancel()
		defer close(left)
		for p := range pieces {
			more := yield(p.page, p.err)
			p.place.done()
			if !more {
				return
			}
		}
	}
}

// A reader is one Read under way.
type reader struct {
	*Source
	// emit hands a page to the caller. After the caller has left it does
	// nothing.
	emit func(piece)
}

// A piece is a page and the place of the answer that it was cut from.
type piece struct {
	page  authlog.Page
	err   error
	place *place
}

// A job is what one goroutine reads, from front to end.
type job struct {
	batch
	from, to time.Time
	limit    int // rows of a query
}

// job makes one of a batch and the whole window.
func (r *reader) job(w authlog.Window, b batch) job {
	return job{batch: b, from: w.From, to: w.To, limit: r.cfg.RowLimit}
}

// window plans the batches and works through them, some at a time.
func (r *reader) window(ctx context.Context, w authlog.Window) {
	if !w.From.Before(w.To) {
		return
	}
	if _, err := r.Shard(ctx); err != nil {
		r.fail(r.job(w, batch{targets: w.Targets}), err)
		return
	}
	var wait errgroup.Group
	wait.SetLimit(r.cfg.MaxConcurrent)
	for _, b := range r.batches(w) {
		wait.Go(func() error {
			j := r.job(w, b)
			j.targets = r.work(ctx, j)
			r.trial(ctx, j)
			return nil
		})
	}
	_ = wait.Wait() // errors are yielded with their targets
}

// batches are the batches of the window in the configured mode.
func (r *reader) batches(w authlog.Window) []batch {
	if r.cfg.Mode == ModeFilter {
		var single []batch
		for _, t := range join(w.Targets) {
			if len(t.Streams) > 0 {
				single = append(single, batch{targets: []authlog.Target{t}})
			}
		}
		return single
	}
	batches, bad := r.plan(w)
	for _, t := range bad {
		r.fail(r.job(w, batch{targets: []authlog.Target{t}}), nameError(t.Streams))
	}
	return batches
}

// fail tells the caller that the job's targets are not read any further.
func (r *reader) fail(j job, err error) {
	r.emit(piece{page: authlog.Page{Targets: j.targets, From: j.from, Through: j.from}, err: err})
}

// work reads the job to its end and returns the targets that were read whole.
// The others were yielded with an error.
func (r *reader) work(ctx context.Context, j job) []authlog.Target {
	for len(j.targets) > 0 && j.from.Before(j.to) {
		through, err := r.attempt(ctx, j)
		j.from = through
		if err != nil {
			j = r.narrow(ctx, j, err)
		}
	}
	return j.targets
}

// attempt reads as much of the job as one query tells, and returns how far
// that is.
func (r *reader) attempt(ctx context.Context, j job) (time.Time, error) {
	if r.cfg.Mode == ModeFilter {
		return r.filter(ctx, j)
	}
	if len(j.begun()) == 0 {
		r.emit(piece{page: authlog.Page{Targets: j.targets, From: j.from, Through: j.to}})
		return j.to, nil
	}
	return r.query(ctx, j)
}

// begun are the targets whose log group was there within the job's span.
// CloudWatch refuses a query that ends before one of its groups was made, and
// has nothing to tell of that time.
func (j job) begun() []authlog.Target {
	var there []authlog.Target
	for _, t := range j.targets {
		if t.Group.Created.Before(j.to) {
			there = append(there, t)
		}
	}
	return there
}
