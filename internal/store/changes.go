package store

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// takePlace reads where the order of saving has come to.
func (sv *saving) takePlace(ctx context.Context) error {
	return sv.tx.QueryRowContext(ctx, "SELECT last FROM feed").Scan(&sv.place)
}

func (sv *saving) nextPlace() int64 {
	sv.place++
	return sv.place
}

// keepPlace makes sure that no place is given out again.
func (sv *saving) keepPlace(ctx context.Context) error {
	_, err := sv.tx.ExecContext(ctx, "UPDATE feed SET last = ?1 WHERE last < ?1", sv.place)
	return err
}

// states are those of the batch's diagnoses before it.
func (sv *saving) states(ctx context.Context) (map[string]authlog.DiagnosisState, error) {
	found := make(map[string]authlog.DiagnosisState, len(sv.batch.Diagnoses))
	for some := range slices.Chunk(sv.batch.Diagnoses, 100) {
		args := make([]any, len(some))
		for i := range some {
			args[i] = some[i].ID
		}
		rows, err := sv.tx.QueryContext(ctx, "SELECT id, state FROM diagnosis WHERE id IN ("+marks(len(args))+")", args...)
		err = each(rows, err, func(rows *sql.Rows) error {
			var id string
			var state authlog.DiagnosisState
			err := rows.Scan(&id, &state)
			found[id] = state
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// changeOf is what saving d means to one who follows: "" if it neither opens
// nor is resolved by it. A diagnosis that is resolved when it is first saved is
// told as resolved.
func changeOf(d *authlog.Diagnosis, before authlog.DiagnosisState) authlog.ChangeKind {
	switch d.State {
	case before:
		return ""
	case authlog.DiagnosisResolved:
		return authlog.ChangeDiagnosisResolved
	default:
		return authlog.ChangeDiagnosisOpened
	}
}

func changedAt(d *authlog.Diagnosis) time.Time {
	if at := resolvedAt(d); !at.IsZero() {
		return at
	}
	return d.LastSeen
}

// ChangeBounds tells how far the changes reach.
func (s *SQLite) ChangeBounds(ctx context.Context) (b authlog.ChangeBounds, err error) {
	var secret []byte
	if err := s.r.QueryRowContext(ctx, "SELECT last, secret FROM feed").Scan(&b.Last, &secret); err != nil {
		return b, fmt.Errorf("read how far changes reach: %w", s.explain(err))
	}
	copy(b.Secret[:], secret)
	return b, nil
}

// PrunedAfter returns the clusters of which a change after that place was
// pruned.
func (s *SQLite) PrunedAfter(ctx context.Context, place int64) (found []authlog.Cluster, err error) {
	rows, err := s.query(ctx, "SELECT name, account, region FROM cluster WHERE pruned > ? ORDER BY name, account, region", place)
	err = each(rows, err, func(rows *sql.Rows) error {
		var c authlog.Cluster
		err := rows.Scan(&c.Name, &c.Account, &c.Region)
		found = append(found, c)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("find what was pruned: %w", s.explain(err))
	}
	return found, nil
}

// Changes returns the first changes after that place, in the order of saving,
// at most so many. What was pruned is missing without a word: ask
// PrunedAfter.
func (s *SQLite) Changes(ctx context.Context, after int64, limit int) ([]authlog.Change, error) {
	if limit < 1 {
		return nil, errors.New("list changes: the limit must be positive")
	}
	found, err := s.changes(ctx, after, limit)
	if err != nil {
		return nil, fmt.Errorf("list changes: %w", s.explain(err))
	}
	return found, nil
}

// changes reads both tables up to one place, or a commit in between would show
// in the second alone.
func (s *SQLite) changes(ctx context.Context, after int64, limit int) (found []authlog.Change, err error) {
	var last int64
	if err := s.r.QueryRowContext(ctx, "SELECT last FROM feed").Scan(&last); err != nil || last <= after {
		return nil, err
	}
	args := []any{after, last, limit}
	denials, places, err := s.denials(ctx, limit,
		"WITH page AS (SELECT n, id FROM denial WHERE n > ? AND n <= ? ORDER BY n LIMIT ?)"+selectDenials+"n", args...)
	if err != nil {
		return nil, err
	}
	for i := range denials {
		found = append(found, authlog.Change{Place: places[i], Kind: authlog.ChangeDenial, Denial: &denials[i]})
	}
	rows, err := s.query(ctx, "SELECT n, kind, document FROM change WHERE n > ? AND n <= ? ORDER BY n LIMIT ?", args...)
	err = each(rows, err, func(rows *sql.Rows) error {
		c := authlog.Change{Diagnosis: &authlog.Diagnosis{}}
		var document sql.RawBytes
		if err := rows.Scan(&c.Place, &c.Kind, &document); err != nil {
			return err
		}
		found = append(found, c)
		return json.Unmarshal(document, c.Diagnosis)
	})
	slices.SortFunc(found, func(a, b authlog.Change) int { return cmp.Compare(a.Place, b.Place) })
	return found[:min(len(found), limit)], err
}
