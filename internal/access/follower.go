package access

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/rs/zerolog"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// A follower keeps the clusters of one account and region current.
type follower struct {
	k     *Keeper
	r     *Reader
	cfg   Config
	shard authlog.Shard
	want  func(cluster string) bool
	log   zerolog.Logger
	wake  chan struct{}

	looks   int
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

// changed is told that the aws-auth of a cluster is another one, or that it is
// known now that it cannot be read.
func (f *follower) changed(name string) {
	f.k.mu.Lock()
	if known := f.k.clusters[f.cluster(name)]; known != nil {
		known.due, known.waits = authlog.Earliest(known.due, time.Now()), len(known.asked) > 0
	}
	f.k.mu.Unlock()
	f.nudge()
}

func (f *follower) cluster(name string) authlog.Cluster {
	return authlog.Cluster{Name: name, Account: f.shard.Account, Region: f.shard.Region}
}

// run does what is due, one after the other: there may be many clusters, and
// what is asked for meanwhile is not to wait for all of them.
func (f *follower) run(ctx context.Context) {
	for ctx.Err() == nil {
		if !time.Now().Before(f.listAt) {
			f.list(ctx)
			f.report()
			continue
		}
		c, due, ok := f.next()
		if ok && !time.Now().Before(due) {
			f.look(ctx, c)
			continue
		}
		f.report()
		if due = authlog.Earliest(due, f.listAt); !ok {
			due = f.listAt
		}
		timer := time.NewTimer(time.Until(due))
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
	f.listAt = time.Now().Add(f.cfg.ttl())
	if ctx.Err() != nil {
		return
	}
	f.refused = nil
	if refusal, ok := errors.AsType[*authlog.AccessError](err); ok {
		f.refused = &authlog.Access{Missing: []authlog.MissingPermission{missing(refusal)}}
	} else if err != nil {
		f.listAt = time.Now().Add(f.cfg.soon())
	}
	f.k.mu.Lock()
	defer f.k.mu.Unlock()
	if err == nil {
		f.listed(names)
	} else {
		f.log.Debug().Err(err).Msg("clusters not listed")
	}
	for c, known := range f.own() {
		if !known.listed && time.Since(known.askedAt) > f.cfg.long() {
			delete(f.k.clusters, c)
			f.r.letGo(c.Name)
			f.k.meter.Gone(c.Name, c.Account, c.Region)
		}
	}
}

// listed takes in the clusters that EKS lists. f.k.mu is held.
func (f *follower) listed(names []string) {
	for _, known := range f.own() {
		known.listed = false
	}
	for _, name := range names {
		c := f.cluster(name)
		if f.k.clusters[c] == nil && !f.want(name) {
			continue
		}
		known := f.k.cluster(c)
		if known.listed = true; known.gone {
			known.due, known.gone = time.Now(), false
		}
	}
}

// own are the clusters of the shard. f.k.mu is held.
func (f *follower) own() iter.Seq2[authlog.Cluster, *kept] {
	return func(yield func(authlog.Cluster, *kept) bool) {
		for c, known := range f.k.clusters {
			if shardOf(c) == f.shard && !yield(c, known) {
				return
			}
		}
	}
}

// next is the cluster to look at next, and when: the one that is due longest, or
// of those that are due one that somebody waits for. Every other time it is the
// former, whatever is waited for: a flood of denials is not to starve the rest.
func (f *follower) next() (first authlog.Cluster, due time.Time, ok bool) {
	f.k.mu.RLock()
	defer f.k.mu.RUnlock()
	now, waits := time.Now(), false
	for c, known := range f.own() {
		hurry := known.waits && f.looks%2 == 0 && !known.due.After(now)
		if !ok || hurry && !waits || hurry == waits && known.due.Before(due) {
			first, due, waits, ok = c, known.due, hurry, true
		}
	}
	return first, due, ok
}

// look reads one cluster where that is due and asks about its principals.
func (f *follower) look(ctx context.Context, c authlog.Cluster) {
	f.looks++
	f.k.mu.Lock()
	known := f.k.clusters[c]
	asked, trusted := known.asked, f.k.trusted
	known.waits, known.due = false, time.Now().Add(f.cfg.long())
	if len(asked) > 0 {
		known.hasty = time.Now()
	}
	f.k.mu.Unlock()

	for arn := range asked {
		f.r.Denied(c.Name, arn)
	}
	verdicts := map[string]authlog.AccessVerdict{}
	a, due, err := f.r.current(ctx, c.Name)
	pending := err == nil && f.r.pending(c.Name) // changed tells when it is over
	if err == nil && len(asked) > 0 && !pending {
		for arn, q := range asked {
			verdicts[arn] = *f.r.explain(ctx, a, q.Principal, q.Denied)
		}
		a, due, err = f.r.current(ctx, c.Name) // names calls to IAM that were refused since
	}
	if ctx.Err() != nil {
		return
	}
	f.k.mu.Lock()
	defer f.k.mu.Unlock()
	switch {
	case err != nil:
		known.access, known.facts = nil, authlog.ClusterFacts{Status: StatusDeleted, Trusted: trusted}
		known.looked, known.gone, known.listed = time.Now(), true, false
		f.k.meter.Gone(c.Name, c.Account, c.Region)
	case pending && known.access != nil: // by another configuration, aws-auth too
		known.due = authlog.Earliest(known.due, due)
	default:
		if f.refused != nil {
			a.Missing, a.Tier = append(a.Missing, f.refused.Missing...), 0
		}
		known.access, known.facts = a, a.Facts()
		known.facts.Trusted, known.facts.Principals = trusted, verdicts
		known.looked, known.due = time.Now(), authlog.Earliest(known.due, due)
		f.k.meter.Read(c.Name, c.Account, c.Region, a.Tier, string(a.Logging))
	}
}

// StatusDeleted is the status of a cluster that EKS does not have any more.
const StatusDeleted = "DELETED"

// report says once which permissions are missing, and when they are not any
// more.
func (f *follower) report() {
	now := map[string]authlog.MissingPermission{}
	f.k.mu.RLock()
	for _, known := range f.own() {
		if a := known.access; a != nil {
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
