package pipeline

import (
	"slices"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// A lane is one cursor at work: the one that follows the log (its name is ""),
// or one that reads a stretch of the past, such as a stream that was listed
// only after its first lines were written.
type lane struct {
	authlog.Cursor
	group authlog.Group
}

// streamMargin is how much older than its stream a line may be: event times
// are the writer's, the stream's creation is CloudWatch's.
const streamMargin = 10 * time.Minute

// newLane starts following a group that was never read.
func newLane(g authlog.Group, now time.Time, cfg *Config) *lane {
	start := latest(now.Add(-cfg.Lookback).Truncate(time.Second), oldest(g, now))
	l := &lane{group: g}
	l.Cursor = authlog.Cursor{
		Cluster: g.Cluster, Created: g.Created, Start: start, Watermark: start, Through: start,
		Streams: streamNames(g.Streams),
	}
	return l
}

// oldest is the first moment of the group that can be queried: neither before
// it was made nor before its retention.
func oldest(g authlog.Group, now time.Time) time.Time {
	if g.Retention == 0 {
		return g.Created.Truncate(time.Second)
	}
	return latest(g.Created, now.Add(-g.Retention)).Truncate(time.Second)
}

func streamNames(streams []authlog.Stream) []string {
	names := make([]string, len(streams))
	for i, s := range streams {
		names[i] = s.Name
	}
	slices.Sort(names)
	return names
}

// window is the span that the lane wants to read next; ok is false when there
// is nothing to read.
func (l *lane) window(now time.Time, cfg *Config) (from, to time.Time, ok bool) {
	if len(l.Streams) == 0 {
		return from, to, false
	}
	from, to = l.Watermark, l.Watermark.Add(cfg.Step)
	end := l.End
	if l.Lane == "" {
		from, end = from.Add(-cfg.Overlap), now.Truncate(time.Second)
	}
	from = clamp(from, l, now)
	if to.After(end) {
		to = end
	}
	return from, to, to.After(from)
}

// advanced is the lane's cursor after everything before through was read.
func (l *lane) advanced(through, now time.Time, cfg *Config) authlog.Cursor {
	c := l.Cursor
	if through.After(c.Through) {
		c.Through = through
	}
	final := through
	if l.Lane == "" {
		if settled := now.Add(-cfg.Settle).Truncate(time.Second); final.After(settled) {
			final = settled
		}
	}
	if final.After(c.Watermark) {
		c.Watermark = final
	}
	c.Done = l.Lane != "" && !c.Watermark.Before(c.End)
	return c
}

// parked reports whether the lane only remembers how far a stream was read
// that nothing is written to any more.
func (l *lane) parked() bool { return l.Lane != "" && !l.End.After(l.Watermark) }

// idle is how long nothing was taken into a stream before it is parked, so
// that queries need not name every stream of the past. CloudWatch is late with
// that time by an hour or more.
const idle = 24 * time.Hour

// restream brings the lanes of one group, the one that follows the log first,
// in line with its streams as listed now. It returns the cursors as they must
// become; those of lanes that need no change are left out.
//
// A stream that is new is read by main from its next window on. Where it may
// hold lines from before, a lane of its own reads those: from the stream's
// beginning, or from where it was parked, up to there.
func restream(main *lane, others []*lane, now time.Time, cfg *Config) []authlog.Cursor {
	var changed []authlog.Cursor
	c := main.Cursor
	c.Streams = nil
	if len(main.Streams) == 0 {
		// There was nothing to read, hence nothing to read again.
		if settled := now.Add(-cfg.Settle).Truncate(time.Second); settled.After(c.Watermark) {
			c.Watermark, c.Through = settled, settled
		}
	}
	next := c.Watermark.Add(-cfg.Overlap)
	for _, s := range main.group.Streams {
		followed := slices.Contains(main.Streams, s.Name)
		asleep := !s.LastIngested.IsZero() && s.LastIngested.Before(c.Watermark.Add(-idle))
		own := laneNamed(others, s.Name)
		switch {
		case followed && asleep && own == nil:
			changed = append(changed, streamCursor(main, s.Name, c.Watermark, c.Watermark))
		case followed:
			c.Streams = append(c.Streams, s.Name)
		case own != nil && own.parked() && !asleep:
			woken := own.Cursor
			woken.End = next
			woken.Done = !next.After(woken.Watermark)
			changed = append(changed, woken)
			c.Streams = append(c.Streams, s.Name)
		case own == nil:
			c.Streams = append(c.Streams, s.Name)
			from := clamp(s.Created.Add(-streamMargin).Truncate(time.Second), main, now)
			if from.Before(next) {
				changed = append(changed, streamCursor(main, s.Name, from, next))
			}
		}
	}
	slices.Sort(c.Streams)
	if !slices.Equal(c.Streams, main.Streams) {
		changed = append(changed, c)
	}
	return append(changed, forgotten(main, others)...)
}

// forgotten ends the lanes of streams that are not listed any more.
func forgotten(main *lane, others []*lane) []authlog.Cursor {
	var done []authlog.Cursor
	for _, l := range others {
		if !slices.ContainsFunc(main.group.Streams, func(s authlog.Stream) bool { return s.Name == l.Lane }) {
			c := l.Cursor
			c.Done = true
			done = append(done, c)
		}
	}
	return done
}

func streamCursor(main *lane, stream string, from, to time.Time) authlog.Cursor {
	return authlog.Cursor{
		Cluster: main.Cluster, Lane: stream, Created: main.Created, Start: from, End: to,
		Watermark: from, Through: from, Streams: []string{stream},
	}
}

func laneNamed(lanes []*lane, name string) *lane {
	for _, l := range lanes {
		if l.Lane == name {
			return l
		}
	}
	return nil
}

// clamp moves t up to the first moment that the lane may read.
func clamp(t time.Time, l *lane, now time.Time) time.Time {
	return latest(t, l.Start, oldest(l.group, now))
}

func latest(times ...time.Time) time.Time {
	return slices.MaxFunc(times, time.Time.Compare)
}
