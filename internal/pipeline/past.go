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

// Backfill reads what lies in [start, end) and was never asked for before, of
// every log group of the shard, oldest first. It returns when that is done,
// when ctx is, or when a window fails; what was saved until then is not read
// again by a later call, nor by Run, which goes on with what is left.
func (t *Tail) Backfill(ctx context.Context, start, end time.Time) error {
	if err := t.identify(ctx); err != nil {
		return err
	}
	groups, err := t.groups(ctx)
	if err != nil {
		return err
	}
	if err := t.follow(ctx, groups); err != nil {
		return err
	}
	if err := t.askFor(ctx, start.Truncate(time.Second), end.Truncate(time.Second)); err != nil {
		return err
	}
	for {
		jobs := plan(t.pasts(), t.src.Now(), &t.cfg)
		if len(jobs) == 0 || ctx.Err() != nil {
			return ctx.Err()
		}
		if err := errors.Join(t.runAll(ctx, jobs[:1])...); err != nil {
			return err
		}
	}
}

// Left is how much event time Backfill has still to read, summed over the log
// groups, and how much it had.
func (t *Tail) Left() (left, all time.Duration) {
	for _, l := range t.pasts() {
		left += l.End.Sub(l.Watermark)
		all += l.End.Sub(l.Start)
	}
	return left, all
}

// pasts are the lanes of the past, oldest first.
func (t *Tail) pasts() []*lane {
	lanes := slices.DeleteFunc(t.all(), func(l *lane) bool { return l.role != past })
	slices.SortFunc(lanes, func(a, b *lane) int {
		return cmp.Or(a.Watermark.Compare(b.Watermark), cmp.Compare(a.Cluster.Name, b.Cluster.Name))
	})
	return lanes
}

// askFor adds a lane for each stretch of [start, end) that no lane covers.
func (t *Tail) askFor(ctx context.Context, start, end time.Time) error {
	now := t.src.Now()
	var b authlog.Batch
	for _, lanes := range t.lanes {
		main := lanes[0].main
		from := authlog.Latest(start, oldest(main.group, now))
		for _, gap := range gaps(from, authlog.Earliest(end, main.Start), lanes) {
			b.Cursors = append(b.Cursors, authlog.Cursor{
				Cluster: main.Cluster, Lane: pastPrefix + gap.from.Format(time.RFC3339), Created: main.Created,
				Start: gap.from, End: gap.to, Watermark: gap.from, Through: gap.from,
			})
		}
	}
	if len(b.Cursors) == 0 {
		return nil
	}
	if err := t.store.Save(ctx, b); err != nil {
		return fmt.Errorf("save cursors: %w", err)
	}
	for _, c := range b.Cursors {
		lanes := t.lanes[c.Cluster]
		main := lanes[0].main
		lanes = withCursor(lanes, c, main.group, &t.cfg)
		lanes[len(lanes)-1].main = main
		t.lanes[c.Cluster] = lanes
	}
	return nil
}

type stretch struct{ from, to time.Time }

// gaps are the parts of [from, to) that no lane of the past was asked for.
func gaps(from, to time.Time, lanes []*lane) []stretch {
	var covered []stretch
	for _, l := range lanes {
		if l.role == past {
			covered = append(covered, stretch{l.Start, l.End})
		}
	}
	slices.SortFunc(covered, func(a, b stretch) int { return a.from.Compare(b.from) })
	var free []stretch
	for _, c := range covered {
		if from.Before(c.from) && from.Before(to) {
			free = append(free, stretch{from, authlog.Earliest(c.from, to)})
		}
		from = authlog.Latest(from, c.to)
	}
	if from.Before(to) {
		free = append(free, stretch{from, to})
	}
	return free
}

// alive are the streams of the group that may hold lines of the lane's time.
func (l *lane) alive() []authlog.Stream {
	return slices.DeleteFunc(slices.Clone(l.group.Streams), func(s authlog.Stream) bool {
		born := s.Created.Add(-streamMargin)
		asleep := !s.LastIngested.IsZero() && s.LastIngested.Before(l.Start.Add(-idle))
		return !born.Before(l.End) || asleep
	})
}
