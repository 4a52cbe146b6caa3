package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

func (sv *saving) saveDiagnoses(ctx context.Context) error {
	before, err := sv.states(ctx)
	if err != nil {
		return err
	}
	args := make([]any, 0, sv.in.diagnosis.cols*len(sv.batch.Diagnoses))
	var changes []any
	for i := range sv.batch.Diagnoses {
		d := &sv.batch.Diagnoses[i]
		document, err := json.Marshal(d)
		if err != nil {
			return fmt.Errorf("encode diagnosis %s: %w", d.ID, err)
		}
		args = append(args, d.ID, sv.clusters[d.Cluster].id, d.Code, authlog.Sanitize(d.Subject),
			string(d.State), string(d.Severity), d.Parent, d.LastSeen.UnixMilli(), millis(resolvedAt(d)), string(document))
		if kind := changeOf(d, before[d.ID]); kind != "" {
			changes = append(changes, sv.nextPlace(), sv.clusters[d.Cluster].id, string(kind), changedAt(d).UnixMilli(), string(document))
		}
		before[d.ID] = d.State
	}
	if _, err := sv.in.diagnosis.exec(ctx, sv.tx, args); err != nil {
		return err
	}
	_, err = sv.in.change.exec(ctx, sv.tx, changes)
	return err
}

func resolvedAt(d *authlog.Diagnosis) time.Time {
	switch {
	case d.State != authlog.DiagnosisResolved:
		return time.Time{}
	case d.Resolution == nil:
		return d.LastSeen
	}
	return d.Resolution.Time
}

// Diagnoses returns the first f.Limit diagnoses that f chooses, the one seen
// last first, or last where f.Ascending says so. One that is seen again moves to the front: who asks for the
// following page by f.After misses it there. A cluster or code that is not
// known is no error: there is none.
func (s *SQLite) Diagnoses(ctx context.Context, f authlog.DiagnosisFilter) ([]authlog.Diagnosis, error) {
	if f.Limit < 1 {
		return nil, errors.New("list diagnoses: the limit must be positive")
	}
	where, clusters := s.inClusters("d.cluster", f.Cluster, f.Account, f.Region, f.Scope)
	query, args := diagnosesQuery(f, where)
	found, err := s.diagnoses(ctx, query, append(clusters, args...)...)
	if err != nil {
		return nil, fmt.Errorf("list diagnoses: %w", s.explain(err))
	}
	return found, nil
}

// Diagnosis returns one diagnosis. The error satisfies errors.Is(err,
// authlog.ErrNotFound) where none has that ID.
func (s *SQLite) Diagnosis(ctx context.Context, id string) (authlog.Diagnosis, error) {
	found, err := s.diagnoses(ctx, "SELECT document FROM diagnosis WHERE id = ?", id)
	switch {
	case err != nil:
		return authlog.Diagnosis{}, fmt.Errorf("find diagnosis: %w", s.explain(err))
	case len(found) == 0:
		return authlog.Diagnosis{}, fmt.Errorf("diagnosis %q: %w", id, authlog.ErrNotFound)
	}
	return found[0], nil
}

// diagnosesQuery has the values of where before its own.
func diagnosesQuery(f authlog.DiagnosisFilter, where string) (query string, args []any) {
	parts := []string{where}
	add := func(part string, values ...any) {
		parts = append(parts, part)
		args = append(args, values...)
	}
	if f.State != "" {
		add("d.state = ?", string(f.State))
	}
	if len(f.Severities) > 0 {
		add("d.severity IN ("+marks(len(f.Severities))+")", appendAll(nil, f.Severities)...)
	}
	if len(f.Codes) > 0 {
		add("d.code IN ("+marks(len(f.Codes))+")", appendAll(nil, f.Codes)...)
	}
	if f.Subject != "" {
		// The first condition is that of the index.
		add("d.subject <> '' AND d.subject = ?", f.Subject)
	}
	if f.TopOnly {
		add("d.parent = ''")
	}
	if !f.SeenSince.IsZero() {
		add("d.last_seen >= ?", f.SeenSince.UnixMilli())
	}
	way := direction(f.Ascending)
	if f.After != (authlog.DiagnosisPlace{}) {
		add("(d.last_seen, d.id) "+way.behind+" (?, ?)", f.After.LastSeen.UnixMilli(), f.After.ID)
	}
	return "SELECT d.document FROM diagnosis d WHERE " + strings.Join(parts, " AND ") +
		" ORDER BY d.last_seen " + way.order + ", d.id " + way.order + " LIMIT ?", append(args, f.Limit)
}

func (s *SQLite) diagnoses(ctx context.Context, query string, args ...any) (found []authlog.Diagnosis, err error) {
	rows, err := s.query(ctx, query, args...)
	err = each(rows, err, func(rows *sql.Rows) error {
		var document sql.RawBytes
		var d authlog.Diagnosis
		if err := rows.Scan(&document); err != nil {
			return err
		}
		if err := json.Unmarshal(document, &d); err != nil {
			return fmt.Errorf("decode diagnosis: %w", err)
		}
		found = append(found, d)
		return nil
	})
	return found, err
}
