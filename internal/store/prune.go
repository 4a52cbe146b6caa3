package store

import (
	"context"
	"fmt"
	"time"
)

// chunk is how many rows are deleted at once: few enough that a Save in between
// does not wait long.
const chunk = 500

// Prune deletes denials, markers and samples older than that time, diagnoses
// that were resolved before it, their changes of before it, counts of hours and days that ended before it, and what
// only they needed. It works in small steps between which others may write. The
// file does not get smaller: what becomes free is used again.
func (s *SQLite) Prune(ctx context.Context, olderThan time.Time) error {
	first, ms := firstID(olderThan), olderThan.UnixMilli()
	if err := s.pruneSightings(ctx, ms); err != nil {
		return fmt.Errorf("prune: %w", s.explain(err))
	}
	for _, step := range []struct {
		query string
		than  any
	}{
		{"DELETE FROM denial WHERE n IN (SELECT n FROM denial WHERE id < ? LIMIT ?)", first[:]},
		{"DELETE FROM marker WHERE n IN (SELECT n FROM marker WHERE id < ? LIMIT ?)", first[:]},
		{"DELETE FROM sample WHERE n IN (SELECT n FROM sample WHERE id < ? LIMIT ?)", first[:]},
		{pruneDenialHours, hourOf(ms)},
		{"DELETE FROM denial_day WHERE (day, cluster, reason) IN (SELECT day, cluster, reason FROM denial_day WHERE day < ? LIMIT ?)", dayOf(ms)},
		{pruneGrantHours, hourOf(ms)},
		{pruneDenied, ms},
		{"DELETE FROM diagnosis WHERE id IN (SELECT id FROM diagnosis WHERE resolved < ? LIMIT ?)", ms},
		{"DELETE FROM change WHERE n IN (SELECT n FROM change WHERE time < ? LIMIT ?)", ms},
		{pruneLastDenial, ms},
		{pruneUnreadSeen, minuteOf(ms)},
		// Last: the rows above name words.
		{"DELETE FROM word WHERE id IN (SELECT id FROM word WHERE used < ? LIMIT ?)", dayOf(ms)},
	} {
		if err := s.inChunks(ctx, step.query, step.than); err != nil {
			return fmt.Errorf("prune: %w", s.explain(err))
		}
	}
	return nil
}

const (
	pruneDenialHours = `
DELETE FROM denial_hour WHERE (hour, cluster, reason, principal) IN (
	SELECT hour, cluster, reason, principal FROM denial_hour WHERE hour < ? LIMIT ?)`

	// CROSS JOIN as below: the first hours of each cluster.
	pruneGrantHours = `
DELETE FROM grant_hour WHERE (cluster, hour, principal, kind, user_id, session, username, groups, sts_endpoint) IN (
	SELECT g.cluster, g.hour, g.principal, g.kind, g.user_id, g.session, g.username, g.groups, g.sts_endpoint
	FROM cluster c CROSS JOIN grant_hour g WHERE g.cluster = c.id AND g.hour < ? LIMIT ?)`

	pruneDenied = `
DELETE FROM denied WHERE (cluster, principal, reason) IN (
	SELECT cluster, principal, reason FROM denied WHERE last < ? LIMIT ?)`

	pruneLastDenial = `
UPDATE cluster SET last_denial = 0 WHERE id IN (
	SELECT id FROM cluster WHERE last_denial > 0 AND last_denial < ? LIMIT ?)`

	// Of clusters that have no cursor, and so no watermark for PruneSeen. CROSS
	// JOIN keeps SQLite to the order written: the first minutes of each cluster
	// instead of the whole table.
	pruneUnreadSeen = `
DELETE FROM seen WHERE n IN (
	SELECT s.n FROM cluster c CROSS JOIN seen s WHERE s.cluster = c.id AND s.minute < ?
	AND NOT EXISTS (SELECT 1 FROM cursor k WHERE k.cluster = c.id) LIMIT ?)`
)

// pruneSightings goes from cluster to cluster: an index on the time would have
// to be changed with every line that is saved.
func (s *SQLite) pruneSightings(ctx context.Context, ms int64) error {
	clusters, err := s.ids(ctx, "SELECT id FROM cluster", nil)
	if err != nil {
		return err
	}
	for _, id := range clusters {
		if _, err := s.change(ctx, "DELETE FROM sighting WHERE cluster = ? AND last < ?", id, ms); err != nil {
			return err
		}
	}
	return nil
}

// PruneSeen deletes, of each cluster, the keys of the minutes that ended at
// least keep before the watermark of the lane that is furthest behind; lanes
// that have nothing more to read do not count. A line
// that comes later than that is not recognised any more. Like Prune it works in
// small steps.
func (s *SQLite) PruneSeen(ctx context.Context, keep time.Duration) error {
	err := s.inChunks(ctx, `
DELETE FROM seen WHERE n IN (
	SELECT s.n FROM (
		SELECT cluster, min(ifnull(watermark, ifnull(start, 0))) AS watermark FROM cursor
		WHERE "end" IS NULL OR "end" > ifnull(watermark, 0) GROUP BY cluster
	) k CROSS JOIN seen s WHERE s.cluster = k.cluster AND s.minute < (k.watermark - ?) / 60000 LIMIT ?)`,
		keep.Milliseconds())
	if err != nil {
		return fmt.Errorf("prune seen lines: %w", s.explain(err))
	}
	return nil
}

// inChunks runs the query, with than and the number of rows as arguments, until
// it finds fewer rows than that.
func (s *SQLite) inChunks(ctx context.Context, query string, than any) error {
	for {
		n, err := s.change(ctx, query, than, chunk)
		if err != nil || n < chunk {
			return err
		}
	}
}

func (s *SQLite) change(ctx context.Context, query string, args ...any) (rows int64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.words = nil // some of them may go
	res, err := s.w.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}
