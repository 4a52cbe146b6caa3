package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// Save keeps the whole batch in one transaction, or nothing of it: then the
// error says why, and the same batch can be saved again. With the disk full
// the error satisfies errors.Is(err, authlog.ErrDiskFull).
//
// Denials, markers and samples that are stored already are left as they are
// and are not counted again; their time is that of their ID. Of grants nothing
// is kept but counts by the hour, so a batch must hold only those that were not
// counted yet. Seen and Cursors replace what was stored for their minute and
// lane; a cursor that is Done is deleted. A diagnosis replaces what was stored
// under its ID; it is kept as JSON, so its texts are valid UTF-8 throughout.
func (s *SQLite) Save(ctx context.Context, b authlog.Batch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	tx, err := s.w.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("save batch: %w", s.explain(err))
	}
	defer tx.Rollback()
	sv := newSaving(tx, &s.in, &b, s.words)
	if err := sv.run(ctx); err != nil {
		return fmt.Errorf("save batch: %w", s.explain(err))
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("save batch: %w", s.explain(err))
	}
	s.words.add(sv.words.fresh)
	s.atlas.add(sv.clusters)
	return nil
}

// A saving is one batch on its way into one transaction.
type saving struct {
	tx       *sql.Tx
	in       *inserts
	batch    *authlog.Batch
	words    lexicon
	clusters map[authlog.Cluster]*clusterRow
	grants   map[grantKey]*tally
	place    int64 // the newest in the order of saving
}

type clusterRow struct{ id, lastEvent, lastDenial int64 }

func newSaving(tx *sql.Tx, in *inserts, b *authlog.Batch, known words) *saving {
	sv := &saving{
		tx: tx, in: in, batch: b, clusters: map[authlog.Cluster]*clusterRow{},
		words: lexicon{known: known, fresh: words{}, today: dayOf(time.Now().UnixMilli())},
	}
	sv.countGrants()
	sv.noteClusters()
	sv.wantWords()
	return sv
}

func (sv *saving) run(ctx context.Context) error {
	for _, step := range []func(context.Context) error{
		sv.takePlace, sv.saveClusters, sv.saveWords, sv.saveDenials, sv.saveGrants,
		sv.saveMarkers, sv.saveSamples, sv.saveSeen, sv.saveCursors, sv.saveDiagnoses, sv.keepPlace,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// noteClusters collects the clusters of the batch and when they were last
// heard of.
func (sv *saving) noteClusters() {
	for i := range sv.batch.Denials {
		d := &sv.batch.Denials[i]
		c := sv.heard(d.Cluster, d.ID.Time())
		c.lastDenial = max(c.lastDenial, d.ID.Time().UnixMilli())
	}
	for key, count := range sv.grants {
		sv.heard(key.cluster, time.UnixMilli(count.last))
	}
	for i := range sv.batch.Diagnoses {
		sv.heard(sv.batch.Diagnoses[i].Cluster, time.UnixMilli(0))
	}
	for _, m := range sv.batch.Markers {
		sv.heard(m.Cluster, m.ID.Time())
	}
	for _, m := range sv.batch.Samples {
		sv.heard(m.Cluster, m.ID.Time())
	}
	for _, seen := range sv.batch.Seen {
		sv.heard(seen.Cluster, time.UnixMilli(0))
	}
	for _, c := range sv.batch.Cursors {
		sv.heard(c.Cluster, time.UnixMilli(0))
	}
}

func (sv *saving) heard(c authlog.Cluster, at time.Time) *clusterRow {
	row := sv.clusters[c]
	if row == nil {
		row = &clusterRow{}
		sv.clusters[c] = row
	}
	row.lastEvent = max(row.lastEvent, at.UnixMilli())
	// A row may come from the future; its words must outlive it.
	sv.words.today = max(sv.words.today, dayOf(row.lastEvent))
	return row
}

func (sv *saving) wantWords() {
	for i := range sv.batch.Denials {
		d := &sv.batch.Denials[i]
		sv.words.want(d.Reason, d.Stream, d.STSEndpoint)
		if p := d.Principal; p != nil {
			sv.words.want(p.ARN, string(p.Kind), p.Account, p.UserID, p.Session)
		}
	}
	for key := range sv.grants {
		sv.words.want(key.arn, string(key.kind), key.account, key.userID, key.session, key.username, key.groups, key.stsEndpoint)
	}
	for _, m := range sv.batch.Markers {
		sv.words.want(m.Code, m.Stream)
	}
	for _, m := range sv.batch.Samples {
		sv.words.want(m.Code, m.Stream)
	}
}

func (sv *saving) saveWords(ctx context.Context) error { return sv.words.save(ctx, sv.tx, sv.in.word) }

func (sv *saving) saveClusters(ctx context.Context) error {
	args := make([]any, 0, 5*len(sv.clusters))
	for c, row := range sv.clusters {
		args = append(args, c.Name, c.Account, c.Region, row.lastEvent, row.lastDenial)
	}
	return sv.in.cluster.query(ctx, sv.tx, args, func(rows *sql.Rows) error {
		var id int64
		var c authlog.Cluster
		if err := rows.Scan(&id, &c.Name, &c.Account, &c.Region); err != nil {
			return err
		}
		sv.clusters[c].id = id
		return nil
	})
}

func (sv *saving) saveSeen(ctx context.Context) error {
	args := make([]any, 0, 3*len(sv.batch.Seen))
	for _, seen := range sv.batch.Seen {
		keys := make([]byte, 0, len(seen.Keys)*len(authlog.Key{}))
		for _, k := range seen.Keys {
			keys = append(keys, k[:]...)
		}
		args = append(args, sv.clusters[seen.Cluster].id, seen.Minute, keys)
	}
	_, err := sv.in.seen.exec(ctx, sv.tx, args)
	return err
}

func (sv *saving) saveCursors(ctx context.Context) error {
	var args []any
	for _, c := range sv.batch.Cursors {
		id := sv.clusters[c.Cluster].id
		if c.Done {
			if _, err := sv.tx.ExecContext(ctx, "DELETE FROM cursor WHERE cluster = ? AND lane = ?", id, c.Lane); err != nil {
				return err
			}
			continue
		}
		streams, err := json.Marshal(c.Streams)
		if err != nil {
			return err
		}
		args = append(args, id, c.Lane, millis(c.Created), millis(c.Start), millis(c.End),
			millis(c.Watermark), millis(c.Through), string(streams))
	}
	_, err := sv.in.cursor.exec(ctx, sv.tx, args)
	return err
}
