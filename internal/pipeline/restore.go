package pipeline

import (
	"context"
	"fmt"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/diagnose"
)

const (
	// recent is how much of the past is given to the diagnoses line by line
	// at the start; what is older comes summed up.
	recent = 24 * time.Hour
	// maxRestored bounds the lines and diagnoses of one cluster that are
	// given.
	maxRestored = 5_000
)

// restore gives the diagnoses, once, what the store has of a cluster that an
// earlier run has followed, so that they go on from there. main is nil for one
// whose log was never read: of it there can be diagnoses alone.
func (t *Tail) restore(ctx context.Context, c authlog.Cluster, main *lane) error {
	if t.lockouts.restored[c] {
		return nil
	}
	var h diagnose.History
	var err error
	if main == nil {
		h.Diagnoses, err = t.openDiagnoses(ctx, c)
	} else {
		h, err = t.history(ctx, main.Cursor)
	}
	if err != nil {
		return fmt.Errorf("restore the diagnoses of %s: %w", c.Name, err)
	}
	t.lockouts.restored[c] = true
	t.lockouts.machine.Restore(c, h)
	for i := range h.Diagnoses {
		t.lockouts.note(&h.Diagnoses[i])
	}
	for i := range h.Denials {
		t.lockouts.recall(&h.Denials[i])
	}
	return nil
}

func (t *Tail) history(ctx context.Context, c authlog.Cursor) (h diagnose.History, err error) {
	keep := c.Through.Add(-t.cfg.Diagnose.Keep)
	day := c.Through.Add(-recent).Truncate(time.Hour)
	h.Since, h.Through = c.Start, c.Through
	if h.Grants, err = t.store.GrantSpans(ctx, c.Cluster, keep, day); err != nil {
		return h, err
	}
	if h.Counts, err = t.store.DenialSpans(ctx, c.Cluster, keep, day); err != nil {
		return h, err
	}
	if h.Markers, err = t.store.Markers(ctx, c.Cluster, keep, maxRestored); err != nil {
		return h, err
	}
	in := c.Cluster
	h.Denials, err = t.store.Denials(ctx, authlog.DenialFilter{
		Cluster: in.Name, Account: in.Account, Region: in.Region, Start: day, Limit: maxRestored,
	})
	if err != nil {
		return h, err
	}
	h.Diagnoses, err = t.openDiagnoses(ctx, in)
	return h, err
}

func (t *Tail) openDiagnoses(ctx context.Context, c authlog.Cluster) ([]authlog.Diagnosis, error) {
	return t.store.Diagnoses(ctx, authlog.DiagnosisFilter{
		State: authlog.DiagnosisOpen, Cluster: c.Name, Account: c.Account, Region: c.Region, Limit: maxRestored,
	})
}
