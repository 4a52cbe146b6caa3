package pipeline

import (
	"slices"
	"strings"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// A lane is one cursor at work. Each log group has one lane that follows the
// log, one for each age at which it is swept, and for a while one for each
// stream that was listed only after its first lines were written.
type lane struct {
	authlog.Cursor
	group authlog.Group
	role  role
	age   time.Duration // of a sweep
	main  *lane         // of a sweep: whose streams it reads
}

type role int

const (
	tailing   role = iota // the newest lines, again and again until they have settled
	sweeping              // everything once more when it is older, for what came late
	backfill              // one stretch of one stream's past
	past                  // one stretch of the whole group's past, asked for by a person
	abandoned             // a sweep that is not configured any more
)

const (
	tailLane     = "" // its name is the least, so it sorts first
	sweepPrefix  = "sweep "
	streamPrefix = "stream "
	pastPrefix   = "past "
)

// newLane puts a cursor to work.
func newLane(c authlog.Cursor, g authlog.Group, cfg *Config) *lane {
	l := &lane{Cursor: c, group: g}
	switch {
	case c.Lane == tailLane:
		l.role = tailing
	case strings.HasPrefix(c.Lane, streamPrefix):
		l.role = backfill
	case strings.HasPrefix(c.Lane, pastPrefix):
		l.role = past
	default:
		l.role = abandoned
		for _, age := range cfg.Sweeps {
			if c.Lane == sweepPrefix+age.String() {
				l.role, l.age = sweeping, age
			}
		}
	}
	return l
}

// streamMargin is how much older than its stream a line may be: event times
// are the writer's, the stream's creation is CloudWatch's.
const streamMargin = 10 * time.Minute

// tailCursor starts following a group that was never read.
func tailCursor(g authlog.Group, now time.Time, cfg *Config) authlog.Cursor {
	start := authlog.Latest(now.Add(-cfg.Lookback).Truncate(time.Second), oldest(g, now))
	return authlog.Cursor{
		Cluster: g.Cluster, Lane: tailLane, Created: g.Created, Start: start, Watermark: start, Through: start,
		Streams: streamNames(g.Streams),
	}
}

// sweepCursor starts sweeping. What is older than age now is read by main when
// it is that old already.
func sweepCursor(main *lane, age time.Duration, now time.Time) authlog.Cursor {
	from := authlog.Latest(now.Add(-age).Truncate(time.Second), main.Start)
	return authlog.Cursor{
		Cluster: main.Cluster, Lane: sweepPrefix + age.String(), Created: main.Created,
		Start: from, Watermark: from, Through: from,
	}
}

func streamCursor(main *lane, stream string, from, to time.Time) authlog.Cursor {
	return authlog.Cursor{
		Cluster: main.Cluster, Lane: streamPrefix + stream, Created: main.Created, Start: from, End: to,
		Watermark: from, Through: from, Streams: []string{stream},
	}
}

// oldest is the first moment of the group that can be queried: neither before
// it was made nor before its retention.
func oldest(g authlog.Group, now time.Time) time.Time {
	if g.Retention == 0 {
		return g.Created.Truncate(time.Second)
	}
	return authlog.Latest(g.Created, now.Add(-g.Retention)).Truncate(time.Second)
}

func streamNames(streams []authlog.Stream) []string {
	names := make([]string, len(streams))
	for i, s := range streams {
		names[i] = s.Name
	}
	slices.Sort(names)
	return names
}

// reads are the streams that the lane reads.
func (l *lane) reads() []string {
	switch l.role {
	case sweeping:
		return l.main.Streams
	case past:
		return streamNames(l.alive())
	case tailing, backfill, abandoned:
	}
	return l.Streams
}

// window is the span that the lane wants to read next; ok is false when there
// is nothing to read yet. more says that it is not the last one for now.
func (l *lane) window(now time.Time, cfg *Config) (from, to time.Time, more, ok bool) {
	from = authlog.Latest(l.Watermark, l.Start, oldest(l.group, now))
	var end time.Time
	switch l.role {
	case tailing:
		end = now.Truncate(time.Second)
	case sweeping:
		end = authlog.Earliest(now.Add(-l.age).Truncate(time.Second), l.main.Watermark)
		if end.Sub(from) < cfg.SweepInterval {
			return from, to, false, false
		}
	case backfill, past:
		end = l.End
	case abandoned:
	}
	to = authlog.Earliest(from.Add(cfg.Step), end)
	return from, to, to.Before(end), to.After(from) && len(l.reads()) > 0
}

// advanced is the lane's cursor after everything before through was read.
// Seconds after settled are to be read again.
func (l *lane) advanced(through, settled time.Time) authlog.Cursor {
	c := l.Cursor
	c.Through = authlog.Latest(c.Through, through)
	if l.role == tailing {
		through = authlog.Earliest(through, settled)
	}
	c.Watermark = authlog.Latest(c.Watermark, through)
	c.Done = l.role == backfill && !c.Watermark.Before(c.End)
	return c
}

// resting reports whether the lane has nothing more to read and only remembers
// what was read: how far a stream that nothing is written to any more, or which
// stretch of the past.
func (l *lane) resting() bool {
	return (l.role == backfill || l.role == past) && !l.End.After(l.Watermark)
}
