package pipeline

import (
	"context"
	"fmt"
	"slices"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// discover lists log groups when that is due and streams at every cycle, and
// sets up lanes for what is new. Groups that are gone are dropped; their
// findings stay.
func (t *Tail) discover(ctx context.Context) (faults []error) {
	now := t.cfg.Now()
	if now.Sub(t.listed) < t.cfg.Discovery {
		return t.relist(ctx)
	}
	groups, err := t.src.Groups(ctx)
	if err != nil {
		faults = append(faults, fmt.Errorf("list log groups: %w", err))
	} else {
		t.listed = now
		t.drop(groups)
	}
	if err := t.follow(ctx, groups); err != nil {
		faults = append(faults, err)
	}
	return faults
}

// drop forgets the lanes of groups that are not listed any more.
func (t *Tail) drop(listed []authlog.Group) {
	there := make(map[authlog.Cluster]bool, len(listed))
	for _, g := range listed {
		there[g.Cluster] = true
	}
	for c := range t.lanes {
		if !there[c] {
			t.log.Info().Str("cluster", c.Name).Msg("log group is gone")
			delete(t.lanes, c)
		}
	}
}

// follow gives each group its lanes: those at work, those stored by an earlier
// run, or a new one. What it decides is saved before anything is read by it.
func (t *Tail) follow(ctx context.Context, groups []authlog.Group) error {
	var unknown []authlog.Cluster
	for _, g := range groups {
		if t.lanes[g.Cluster] == nil {
			unknown = append(unknown, g.Cluster)
		}
	}
	stored := map[authlog.Cluster][]authlog.Cursor{}
	if len(unknown) > 0 {
		cursors, err := t.store.Cursors(ctx, unknown)
		if err != nil {
			return fmt.Errorf("load cursors: %w", err)
		}
		for _, c := range cursors {
			stored[c.Cluster] = append(stored[c.Cluster], c)
		}
	}
	var b authlog.Batch
	lanes := map[authlog.Cluster][]*lane{}
	for _, g := range groups {
		current, ok := t.lanes[g.Cluster]
		if !ok {
			current = restore(g, stored[g.Cluster])
		}
		lanes[g.Cluster] = t.attach(g, current, &b)
	}
	if len(b.Cursors) > 0 {
		if err := t.store.Save(ctx, b); err != nil {
			return fmt.Errorf("save cursors: %w", err)
		}
	}
	for c, ls := range lanes {
		t.lanes[c] = ls
		t.lines.Cluster(c.Name, c.Account, c.Region)
	}
	return nil
}

func restore(g authlog.Group, cursors []authlog.Cursor) []*lane {
	lanes := make([]*lane, len(cursors))
	for i, c := range cursors {
		lanes[i] = &lane{Cursor: c, group: g}
	}
	return lanes
}

// attach brings the lanes of one group up to date with its listing and adds
// the cursors that change to b. It does not touch the lanes it is given: they
// stay as they are if b cannot be saved.
func (t *Tail) attach(g authlog.Group, current []*lane, b *authlog.Batch) []*lane {
	now := t.cfg.Now()
	var main *lane
	var others []*lane
	for _, l := range current {
		l = &lane{Cursor: l.Cursor, group: g}
		switch {
		case !l.Created.Equal(g.Created):
			// The group was deleted and made again: what the lane had still
			// to read is not there any more.
			l.Done = true
			b.Cursors = append(b.Cursors, l.Cursor)
		case l.Lane == "":
			main = l
		default:
			others = append(others, l)
		}
	}
	if main == nil {
		main = newLane(g, now, &t.cfg)
		b.Cursors = append(b.Cursors, main.Cursor)
		t.log.Info().Str("cluster", g.Cluster.Name).Time("from", main.Start).Msg("following a log group")
		return append(others, main)
	}
	t.warnOfGap(main, g)
	changed := restream(main, others, now, &t.cfg)
	b.Cursors = append(b.Cursors, changed...)
	lanes := append(others, main)
	for _, c := range changed {
		lanes = withCursor(lanes, c, g)
	}
	return lanes
}

// withCursor puts a cursor in its lane's place, adds a lane for it, or drops
// the lane that is done.
func withCursor(lanes []*lane, c authlog.Cursor, g authlog.Group) []*lane {
	i := slices.IndexFunc(lanes, func(l *lane) bool { return l.Lane == c.Lane })
	switch {
	case i < 0:
		return append(lanes, &lane{Cursor: c, group: g})
	case c.Done:
		return slices.Delete(lanes, i, i+1)
	default:
		lanes[i].Cursor = c
		return lanes
	}
}

// relist lists the streams of every group anew.
func (t *Tail) relist(ctx context.Context) (faults []error) {
	var groups []authlog.Group
	for _, l := range t.all() {
		if l.Lane != "" {
			continue
		}
		streams, err := t.src.Streams(ctx, l.group)
		if err != nil {
			faults = append(faults, fmt.Errorf("list the streams of %s: %w", l.Cluster.Name, err))
			t.failed(err, []authlog.Target{{Group: l.group}})
			continue
		}
		g := l.group
		g.Streams = streams
		groups = append(groups, g)
	}
	if err := t.follow(ctx, groups); err != nil {
		faults = append(faults, err)
	}
	return faults
}

// warnOfGap says which lines retention took before they could be read.
func (t *Tail) warnOfGap(main *lane, g authlog.Group) {
	if kept := oldest(g, t.cfg.Now()); kept.After(main.Watermark) {
		t.log.Warn().Str("cluster", g.Cluster.Name).Time("from", main.Watermark).Time("to", kept).
			Msg("retention took lines that were not read yet")
	}
}
