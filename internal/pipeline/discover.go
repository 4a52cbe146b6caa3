package pipeline

import (
	"context"
	"fmt"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// discover lists log groups when that is due and streams at every cycle, and
// sets up lanes for what is new. Groups that are gone are dropped; their
// findings stay.
func (t *Tail) discover(ctx context.Context) (faults []error) {
	now := t.src.Now()
	if now.Sub(t.listed) < t.cfg.Discovery {
		return t.relist(ctx)
	}
	groups, err := t.groups(ctx)
	if err != nil {
		faults = append(faults, err)
	} else {
		faults = append(faults, t.drop(ctx, groups)...)
	}
	if err == nil || len(groups) > 0 {
		t.listed = now // what could not be listed is tried again when it is due
	}
	if err := t.follow(ctx, groups); err != nil {
		faults = append(faults, err)
	}
	return faults
}

// groups lists the log groups that no other tail follows, with an error those
// that could be listed. Before the first decision all tails have listed theirs.
func (t *Tail) groups(ctx context.Context) ([]authlog.Group, error) {
	listed, err := t.src.Groups(ctx)
	if err != nil {
		err = fmt.Errorf("list log groups: %w", err)
	}
	kept := t.cfg.Claims.keep(t, listed)
	if t.arrive() {
		t.cfg.Claims.wait(ctx, t.cfg.Interval)
		kept = t.cfg.Claims.keep(t, listed)
	}
	if n := len(listed) - len(kept); n != t.copies {
		t.copies = n
		t.log.Info().Int("log_groups", n).Msg("copies, or read by another source: left to it")
	}
	return kept, err
}

// Announce lists the log groups for the Claims without reading them, so that
// those of several tails that will run one after the other are known.
func (t *Tail) Announce(ctx context.Context) error {
	defer t.arrive()
	listed, err := t.src.Groups(ctx)
	t.cfg.Claims.keep(t, listed)
	return err
}

// arrive lets those go on that wait for this tail's log groups; it reports
// whether this is the first time.
func (t *Tail) arrive() (first bool) {
	first = !t.arrived
	if first {
		t.arrived = true
		t.cfg.Claims.Arrive()
	}
	return first
}

// drop forgets the lanes of groups that are not listed any more, and clusters
// that EKS does not have either.
func (t *Tail) drop(ctx context.Context, listed []authlog.Group) (faults []error) {
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
	t.cfg.Claims.release(t, there)
	if t.cfg.Access != nil {
		for _, c := range t.cfg.Access.Clusters(t.shard) {
			there[c] = true
		}
	}
	for c := range t.lockouts.restored {
		if there[c] {
			continue
		}
		if err := t.forget(ctx, c); err != nil {
			faults = append(faults, err)
		}
	}
	return faults
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
	now := t.src.Now()
	var b authlog.Batch
	lanes := map[authlog.Cluster][]*lane{}
	for _, g := range groups {
		current, ok := t.lanes[g.Cluster]
		if !ok {
			for _, c := range stored[g.Cluster] {
				current = append(current, newLane(c, g, &t.cfg))
			}
			if err := t.restore(ctx, g.Cluster, laneNamed(current, tailLane)); err != nil {
				return err
			}
			t.log.Info().Str("cluster", g.Cluster.Name).Bool("known", len(current) > 0).Msg("following a log group")
		}
		ls, changed := attach(g, current, now, &t.cfg)
		lanes[g.Cluster] = ls
		b.Cursors = append(b.Cursors, changed...)
	}
	if len(b.Cursors) > 0 {
		if err := t.store.Save(ctx, b); err != nil {
			return fmt.Errorf("save cursors: %w", err)
		}
	}
	for c, ls := range lanes {
		t.warnOfGap(ls[0].main)
		t.lanes[c] = ls
		t.lines.Cluster(c.Name, c.Account, c.Region)
	}
	return nil
}

// relist lists the streams of every group anew.
func (t *Tail) relist(ctx context.Context) (faults []error) {
	var groups []authlog.Group
	for _, l := range t.all() {
		if l.role != tailing {
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
	if err := t.follow(ctx, t.cfg.Claims.keep(t, groups)); err != nil {
		faults = append(faults, err)
	}
	return faults
}

// warnOfGap says which lines retention took before they could be read.
func (t *Tail) warnOfGap(main *lane) {
	if kept := oldest(main.group, t.src.Now()); kept.After(main.Watermark) && len(main.Streams) > 0 {
		t.log.Warn().Str("cluster", main.Cluster.Name).Time("from", main.Watermark).Time("to", kept).
			Msg("retention took lines that were not read yet")
	}
}
