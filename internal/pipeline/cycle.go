package pipeline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// Cycle is one pass of Run: it lists what there is, reads what each lane wants
// next, and says how that went. It reports whether some lane is behind and
// nothing failed, so that the next cycle need not wait.
func (t *Tail) Cycle(ctx context.Context) (behind bool) {
	var faults []error
	if err := t.identify(ctx); err != nil {
		t.arrive()
		faults = append(faults, err)
	} else {
		faults = append(faults, t.discover(ctx)...)
		t.learn()
		faults = append(faults, t.runAll(ctx, plan(t.all(), t.src.Now(), &t.cfg))...)
		if err := t.tell(ctx); err != nil {
			faults = append(faults, err)
		}
		t.ask()
	}
	if ctx.Err() != nil {
		return false
	}
	t.settle.age()
	t.report(faults)
	return len(faults) == 0 && t.behind()
}

// identify learns the shard's account, once.
func (t *Tail) identify(ctx context.Context) error {
	if t.shard.Account != "" {
		return nil
	}
	s, err := t.src.Shard(ctx)
	if err != nil {
		return err
	}
	t.shard = s
	t.reader.Shard(s.Account, s.Region)
	t.health.set(t.name, func(h *authlog.ShardStatus) { h.Shard = s.String() })
	return nil
}

// all lists the lanes, those that follow the log first: what happens now
// matters more than what happened.
func (t *Tail) all() []*lane {
	var lanes []*lane
	for _, ls := range t.lanes {
		lanes = append(lanes, ls...)
	}
	slices.SortFunc(lanes, func(a, b *lane) int {
		return cmp.Or(cmp.Compare(a.role, b.role), a.Watermark.Compare(b.Watermark))
	})
	return lanes
}

func (t *Tail) runAll(ctx context.Context, jobs []*job) (faults []error) {
	for _, j := range jobs {
		if ctx.Err() != nil {
			break
		}
		faults = append(faults, t.run(ctx, j)...)
	}
	return faults
}

// run reads one job to its end, saving page by page. A page that cannot be
// saved ends the job: what follows must not overtake it.
func (t *Tail) run(ctx context.Context, j *job) (faults []error) {
	for page, err := range t.src.Read(ctx, j.Window) {
		if err != nil {
			faults = append(faults, err)
			t.failed(err, page.Targets)
			continue
		}
		if err := t.commit(ctx, j, &page); err != nil {
			return append(faults, &storeError{fmt.Errorf("save the window from %s: %w", page.From.Format(time.RFC3339), err)})
		}
	}
	return faults
}

// failed makes a group that vanished be listed anew before it is read again.
func (t *Tail) failed(err error, targets []authlog.Target) {
	if _, gone := errors.AsType[*authlog.GoneError](err); !gone {
		return
	}
	for _, target := range targets {
		delete(t.lanes, target.Group.Cluster)
	}
	t.listed = time.Time{}
}

// commit saves what the page leads to together with the cursors that move,
// then counts it.
func (t *Tail) commit(ctx context.Context, j *job, p *authlog.Page) error {
	keys, seen, err := fresh(ctx, t.store, p.Lines)
	if err != nil {
		return err
	}
	b := authlog.Batch{Seen: seen, Cursors: j.read(p, j.asked.Add(-t.settle.value()).Truncate(time.Second))}
	events := findings(&j.join, &b, p.Lines, keys)
	if len(b.Seen) == 0 && len(b.Cursors) == 0 {
		return nil
	}
	change := t.lockouts.observe(p, &b)
	b.Diagnoses = change.Diagnoses
	if err := t.store.Save(ctx, b); err != nil {
		change.Undo()
		return err
	}
	change.Commit()
	for _, c := range b.Cursors {
		if lanes := t.lanes[c.Cluster]; len(lanes) > 0 {
			t.lanes[c.Cluster] = withCursor(lanes, c, lanes[0].group, &t.cfg)
		}
	}
	t.count(events)
	t.lockouts.saved(p, &b)
	t.measure(events, j)
	if t.cfg.Saved != nil {
		t.cfg.Saved(p)
	}
	t.log.Debug().Time("from", p.From).Time("through", p.Through).Int("lines", len(p.Lines)).
		Int("denials", len(b.Denials)).Int("groups", len(p.Targets)).Msg("page saved")
	return nil
}

// behind reports whether a lane has more to read at once.
func (t *Tail) behind() bool {
	now := t.src.Now()
	for _, lanes := range t.lanes {
		for _, l := range lanes {
			from, to, more, ok := l.window(now, &t.cfg)
			late := l.role == tailing && to.Sub(from) > t.settle.value()+t.cfg.Interval
			if ok && (more || late || l.role == backfill || l.role == past) {
				return true
			}
		}
	}
	return false
}

// report says how the cycle went: in the health, the metrics and the log.
func (t *Tail) report(faults []error) {
	for _, err := range faults {
		t.log.Warn().Err(err).Msg("will be tried again")
		t.reader.Error(t.shard.Account, t.shard.Region, kindOf(err))
	}
	through, watermark := t.progress()
	if watermark.IsZero() && len(faults) == 0 {
		// Nothing is there to read, so nothing is behind: the cursor must not
		// look stale where all streams are silent.
		watermark = t.src.Now().Add(-t.settle.value())
	}
	if !watermark.IsZero() {
		t.reader.Cursor(t.shard.Account, t.shard.Region, watermark)
	}
	t.health.set(t.name, func(h *authlog.ShardStatus) {
		h.Error = ""
		if err := errors.Join(faults...); err != nil {
			h.Error = authlog.Sanitize(err.Error())
		}
		h.ReadThrough = through
		h.Ready = h.Ready || len(faults) == 0
	})
}

// progress is the least that the lanes which follow the log have read.
func (t *Tail) progress() (through, watermark time.Time) {
	for _, lanes := range t.lanes {
		for _, l := range lanes {
			if l.role != tailing || len(l.Streams) == 0 {
				continue
			}
			if through.IsZero() || l.Through.Before(through) {
				through = l.Through
			}
			if watermark.IsZero() || l.Watermark.Before(watermark) {
				watermark = l.Watermark
			}
		}
	}
	return through, watermark
}

// A storeError is a page that could not be saved.
type storeError struct{ error }

func (e *storeError) Unwrap() error { return e.error }

// kindOf is the error's label in metrics.
func kindOf(err error) string {
	if _, ok := errors.AsType[*storeError](err); ok {
		return "store"
	}
	if _, ok := errors.AsType[*authlog.AccessError](err); ok {
		return "access"
	}
	if _, ok := errors.AsType[*authlog.GoneError](err); ok {
		return "gone"
	}
	if errors.Is(err, authlog.ErrThrottled) {
		return "throttled"
	}
	return "other"
}
