package access

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// A follower keeps the clusters of one account and region current.
type follower struct {
	k     *Keeper
	r     *Reader
	shard authlog.Shard
	ttl   time.Duration
	want  func(cluster string) bool
	log   zerolog.Logger
	wake  chan struct{}

	listAt  time.Time       // when to list the clusters again
	refused *authlog.Access // what was refused of the list; nil: nothing
	missing map[string]bool // actions that the log was told of
}

func (f *follower) nudge() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// changed is told that the aws-auth of a cluster was read and is another one.
func (f *follower) changed(name string) {
	f.k.mu.Lock()
	f.k.cluster(f.cluster(name)).due = time.Time{}
	f.k.mu.Unlock()
	f.nudge()
}

func (f *follower) cluster(name string) authlog.Cluster {
	return authlog.Cluster{Name: name, Account: f.shard.Account, Region: f.shard.Region}
}

func (f *follower) run(ctx context.Context) {
	for ctx.Err() == nil {
		if !time.Now().Before(f.listAt) {
			f.list(ctx)
		}
		for _, c := range f.dueNow() {
			f.look(ctx, c)
		}
		if f.report(); ctx.Err() != nil {
			return
		}
		timer := time.NewTimer(time.Until(f.next()))
		select {
		case <-ctx.Done():
		case <-f.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// list learns which clusters EKS has. Where it may not be asked, or fails,
// those that were known stay.
func (f *follower) list(ctx context.Context) {
	names, err := f.r.Clusters(ctx)
	f.listAt = time.Now().Add(f.ttl)
	if ctx.Err() != nil {
		return
	}
	f.refused = nil
	if refusal, ok := errors.AsType[*authlog.AccessError](err); ok {
		f.refused = &authlog.Access{Missing: []authlog.MissingPermission{missing(refusal)}}
	}
	if err != nil {
		f.log.Debug().Err(err).Msg("clusters not listed")
		return
	}
	f.k.mu.Lock()
	defer f.k.mu.Unlock()
	for _, c := range f.own() {
		known := f.k.clusters[c]
		known.listed = slices.Contains(names, c.Name)
		if !known.listed && !known.followed {
			delete(f.k.clusters, c)
			f.k.meter.Gone(c.Name, c.Account, c.Region)
		}
	}
	for _, name := range names {
		if f.want(name) {
			f.k.cluster(f.cluster(name)).listed = true
		}
	}
}

// own lists the clusters of the shard, by name. f.k.mu is held.
func (f *follower) own() []authlog.Cluster {
	var list []authlog.Cluster
	for c := range f.k.clusters {
		if shardOf(c) == f.shard {
			list = append(list, c)
		}
	}
	slices.SortFunc(list, func(a, b authlog.Cluster) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// dueNow lists the clusters to look at, those that wait longest first.
func (f *follower) dueNow() []authlog.Cluster {
	f.k.mu.RLock()
	defer f.k.mu.RUnlock()
	now := time.Now()
	list := slices.DeleteFunc(f.own(), func(c authlog.Cluster) bool { return f.k.clusters[c].due.After(now) })
	slices.SortStableFunc(list, func(a, b authlog.Cluster) int { return f.k.clusters[a].due.Compare(f.k.clusters[b].due) })
	return list
}

// next is when something is due.
func (f *follower) next() time.Time {
	f.k.mu.RLock()
	defer f.k.mu.RUnlock()
	next := f.listAt
	for _, c := range f.own() {
		if due := f.k.clusters[c].due; due.Before(next) {
			next = due
		}
	}
	return next
}

// look reads one cluster where that is due and asks about its principals.
func (f *follower) look(ctx context.Context, c authlog.Cluster) {
	f.k.mu.Lock()
	known := f.k.clusters[c]
	asked, fresh, trusted := known.asked, known.fresh, f.k.trusted
	known.fresh, known.due = nil, time.Now().Add(f.ttl)
	if len(asked) > 0 {
		known.hasty = time.Now()
	}
	f.k.mu.Unlock()

	for _, arn := range fresh {
		f.r.Denied(c.Name, arn)
	}
	a, err := f.r.Access(ctx, c.Name)
	switch {
	case errors.Is(err, authlog.ErrNotFound):
		f.took(known, nil, authlog.ClusterFacts{Status: StatusDeleted, Trusted: trusted})
		f.k.meter.Gone(c.Name, c.Account, c.Region)
		return
	case err != nil:
		return // the context's
	}
	verdicts := map[string]authlog.AccessVerdict{}
	for arn, q := range asked {
		verdicts[arn] = *f.r.explain(ctx, a, q.Principal, q.Denied)
	}
	if len(verdicts) > 0 { // calls to IAM that were refused since are named
		a, err = f.r.Access(ctx, c.Name)
	}
	if err != nil || ctx.Err() != nil {
		return
	}
	if f.refused != nil {
		a.Missing, a.Tier = append(a.Missing, f.refused.Missing...), 0
	}
	facts := a.Facts()
	facts.Trusted, facts.Principals = trusted, verdicts
	f.took(known, a, facts)
	f.k.meter.Read(c.Name, c.Account, c.Region, a.Tier, string(a.Logging))
}

// StatusDeleted is the status of a cluster that EKS does not have any more.
const StatusDeleted = "DELETED"

func (f *follower) took(known *kept, a *authlog.Access, facts authlog.ClusterFacts) {
	f.k.mu.Lock()
	defer f.k.mu.Unlock()
	known.access, known.facts, known.looked = a, facts, time.Now()
}

// report says once which permissions are missing, and when they are not any
// more.
func (f *follower) report() {
	now := map[string]authlog.MissingPermission{}
	f.k.mu.RLock()
	for _, c := range f.own() {
		if a := f.k.clusters[c].access; a != nil {
			for _, m := range a.Missing {
				now[m.Action] = m
			}
		}
	}
	f.k.mu.RUnlock()
	if f.refused != nil {
		now[actionListClusters] = f.refused.Missing[0]
	}
	for action, m := range now {
		if !f.missing[action] {
			f.missing[action] = true
			f.k.meter.Missing(f.shard.Account, f.shard.Region, action, true)
			f.log.Warn().Str("action", action).Str("resource", m.Resource).Int("tier", m.Tier).Str("detail", m.Detail).
				Msg("a permission is missing: less is known of the clusters, nothing else changes")
		}
	}
	for action := range f.missing {
		if _, still := now[action]; !still {
			delete(f.missing, action)
			f.k.meter.Missing(f.shard.Account, f.shard.Region, action, false)
			f.log.Info().Str("action", action).Msg("the permission is there now")
		}
	}
}
