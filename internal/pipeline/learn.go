package pipeline

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/diagnose"
)

// An Access tells what is known of clusters besides their logs. Its methods are
// quick: they give what was read last, by somebody else.
type Access interface {
	// Facts is what the diagnoses take of a cluster; a cluster of which nothing
	// is known has none. They are not changed afterwards.
	Facts(c authlog.Cluster) authlog.ClusterFacts
	// Clusters lists those that EKS has in a shard, with and without a log.
	Clusters(s authlog.Shard) []authlog.Cluster
	// Ask names the principals that a cluster which is followed keeps out now,
	// for Facts to tell of, the latest first.
	Ask(c authlog.Cluster, who []authlog.Asked)
}

// learn tells the diagnoses what is known of the clusters. It takes effect with
// the next page of each.
func (t *Tail) learn() {
	if t.cfg.Access == nil {
		return
	}
	for c := range t.lanes {
		t.lockouts.machine.Know(c, t.cfg.Access.Facts(c))
	}
}

// ask names the principals that are kept out, to be looked up until the next
// cycle.
func (t *Tail) ask() {
	if t.cfg.Access == nil {
		return
	}
	for c := range t.lanes {
		t.cfg.Access.Ask(c, t.lockouts.keptOut(c))
	}
}

// keptOut lists the principals of open diagnoses that the configuration of a
// cluster may explain, the latest first.
func (l *lockouts) keptOut(c authlog.Cluster) []authlog.Asked {
	var all []authlog.Asked
	for _, o := range l.open[c] {
		all = append(all, o.who...)
	}
	slices.SortFunc(all, func(a, b authlog.Asked) int {
		return cmp.Or(b.Denied.Compare(a.Denied), cmp.Compare(a.Principal.ARN, b.Principal.ARN))
	})
	return slices.CompactFunc(all, func(a, b authlog.Asked) bool { return a.Principal.ARN == b.Principal.ARN })
}

// asked are the principals of a diagnosis that the configuration of the cluster
// may explain.
func asked(d *authlog.Diagnosis) []authlog.Asked {
	if !diagnose.Configurable(d.Code) {
		return nil
	}
	var list []authlog.Asked
	for _, a := range d.Affected {
		list = append(list, authlog.Asked{
			Principal: authlog.Principal{ARN: a.ARN, Kind: a.Kind, Account: a.Account}, Denied: a.LastSeen,
		})
	}
	return list
}

// unread lists the clusters of the shard whose log is not there to be read, once
// it is known which logs there are.
func (t *Tail) unread() []authlog.Cluster {
	if t.cfg.Access == nil || t.listed.IsZero() {
		return nil
	}
	var list []authlog.Cluster
	for _, c := range t.cfg.Access.Clusters(t.shard) {
		if main := laneNamed(t.lanes[c], tailLane); main == nil || len(main.reads()) == 0 {
			list = append(list, c)
		}
	}
	return list
}

// tell finds what can be said of clusters that no page tells of: that their log
// is off, or that it is silent.
func (t *Tail) tell(ctx context.Context) error {
	clusters := t.unread()
	for _, c := range clusters {
		if err := t.restore(ctx, c, nil); err != nil {
			return err
		}
		t.lockouts.machine.Know(c, t.cfg.Access.Facts(c))
	}
	if len(clusters) == 0 {
		return nil
	}
	change := t.lockouts.machine.Observe(diagnose.Page{Clusters: clusters, Through: t.src.Now()})
	if err := t.saveDiagnoses(ctx, change.Diagnoses); err != nil {
		change.Undo()
		return fmt.Errorf("save the diagnoses of clusters without a log: %w", err)
	}
	change.Commit()
	return nil
}

func (t *Tail) saveDiagnoses(ctx context.Context, list []authlog.Diagnosis) error {
	if len(list) == 0 {
		return nil
	}
	if err := t.store.Save(ctx, authlog.Batch{Diagnoses: list}); err != nil {
		return &storeError{err}
	}
	for i := range list {
		t.lockouts.note(&list[i])
	}
	return nil
}

// forget drops what is kept of a cluster that is gone, with its log, and
// resolves what was open.
func (t *Tail) forget(ctx context.Context, c authlog.Cluster) error {
	open, err := t.openDiagnoses(ctx, c)
	for i := range open {
		open[i].State = authlog.DiagnosisResolved
		open[i].Resolution = &authlog.Resolution{
			Time: t.src.Now(), By: authlog.ResolvedByWithdrawn, Why: "the log of the cluster is not there any more",
		}
	}
	if err == nil {
		err = t.saveDiagnoses(ctx, open)
	}
	if err != nil {
		return fmt.Errorf("resolve the diagnoses of %s, which is gone: %w", c.Name, err)
	}
	t.lockouts.forget(c)
	return nil
}

func (l *lockouts) forget(c authlog.Cluster) {
	l.machine.Forget(c)
	for reason := range l.denied[c] {
		l.metrics.Denied(c.Name, c.Account, c.Region, reason, 0)
	}
	delete(l.open, c)
	delete(l.denied, c)
	delete(l.through, c)
	delete(l.restored, c)
}
