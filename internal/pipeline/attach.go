package pipeline

import (
	"slices"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// idle is how long nothing was taken into a stream before it is parked, so
// that queries need not name every stream of the past. CloudWatch is late with
// that time by an hour or more.
const idle = 24 * time.Hour

// attach brings the lanes of one group in line with its listing. It returns
// the lanes as they must become and the cursors that change; it does not touch
// the lanes it is given, which stay if the cursors cannot be saved.
func attach(g authlog.Group, current []*lane, now time.Time, cfg *Config) ([]*lane, []authlog.Cursor) {
	var lanes []*lane
	var changed []authlog.Cursor
	var main *lane
	for _, l := range current {
		l = newLane(l.Cursor, g, cfg)
		// A group that was deleted and made again has nothing left of what
		// its lanes had still to read.
		if l.role == abandoned || !l.Created.Equal(g.Created) {
			l.Done = true
			changed = append(changed, l.Cursor)
			continue
		}
		if l.role == tailing {
			main = l
		}
		lanes = append(lanes, l)
	}
	if main == nil {
		c := tailCursor(g, now, cfg)
		changed = append(changed, c)
		main = newLane(c, g, cfg)
		lanes = append(lanes, main)
	}
	more := restream(main, lanes, now)
	for _, age := range cfg.Sweeps {
		if laneNamed(lanes, sweepPrefix+age.String()) == nil {
			more = append(more, sweepCursor(main, age, now))
		}
	}
	for _, c := range more {
		lanes = withCursor(lanes, c, g, cfg)
	}
	for _, l := range lanes {
		l.main = main
	}
	return lanes, append(changed, more...)
}

// restream gives the cursors that must change for main to read the streams of
// its group as they are listed now.
//
// A stream that is new is read by main from its next window on. Where it may
// hold lines from before, a lane of its own reads those: from the stream's
// beginning, or from where it was parked, up to there.
func restream(main *lane, lanes []*lane, now time.Time) []authlog.Cursor {
	var changed []authlog.Cursor
	c := main.Cursor
	c.Streams = nil
	if len(main.Streams) == 0 {
		// There was nothing to read, hence nothing to read again.
		c.Watermark = authlog.Latest(c.Watermark, now.Add(-streamMargin).Truncate(time.Second))
		c.Through = authlog.Latest(c.Through, c.Watermark)
	}
	for _, s := range main.group.Streams {
		followed := slices.Contains(main.Streams, s.Name)
		asleep := !s.LastIngested.IsZero() && s.LastIngested.Before(c.Watermark.Add(-idle))
		own := laneNamed(lanes, streamPrefix+s.Name)
		switch {
		case followed && asleep && own == nil:
			changed = append(changed, streamCursor(main, s.Name, c.Watermark, c.Watermark))
			continue
		case own != nil && own.resting() && asleep:
			continue
		case own != nil && own.resting():
			woken := own.Cursor
			woken.End = c.Watermark
			woken.Done = !woken.End.After(woken.Watermark)
			changed = append(changed, woken)
		case own == nil && !followed:
			from := authlog.Latest(s.Created.Add(-streamMargin).Truncate(time.Second), main.Start, oldest(main.group, now))
			if from.Before(c.Watermark) {
				changed = append(changed, streamCursor(main, s.Name, from, c.Watermark))
			}
		}
		c.Streams = append(c.Streams, s.Name)
	}
	slices.Sort(c.Streams)
	if !slices.Equal(c.Streams, main.Streams) {
		changed = append(changed, c)
	}
	return append(changed, forgotten(main, lanes)...)
}

// forgotten ends the lanes of streams that are not listed any more.
func forgotten(main *lane, lanes []*lane) []authlog.Cursor {
	var done []authlog.Cursor
	for _, l := range lanes {
		if l.role != backfill {
			continue
		}
		listed := slices.ContainsFunc(main.group.Streams, func(s authlog.Stream) bool { return streamPrefix+s.Name == l.Lane })
		if !listed {
			c := l.Cursor
			c.Done = true
			done = append(done, c)
		}
	}
	return done
}

func laneNamed(lanes []*lane, name string) *lane {
	for _, l := range lanes {
		if l.Lane == name {
			return l
		}
	}
	return nil
}

// withCursor puts a cursor in its lane's place, adds a lane for it, or drops
// the lane that is done.
func withCursor(lanes []*lane, c authlog.Cursor, g authlog.Group, cfg *Config) []*lane {
	i := slices.IndexFunc(lanes, func(l *lane) bool { return l.Lane == c.Lane })
	switch {
	case i < 0:
		return append(lanes, newLane(c, g, cfg))
	case c.Done:
		return slices.Delete(lanes, i, i+1)
	default:
		lanes[i].Cursor = c
		return lanes
	}
}
