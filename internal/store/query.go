package store

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// maxRanges is from how many ranges of an index on reading all denials of the
// time asked for is the better way.
const maxRanges = 64

// usualPage is for how many denials there is room at once.
const usualPage = 64

const selectDenials = `
SELECT d.n, d.id, d.cluster, d.reason, d.stream, d.sts_endpoint,
	ifnull(d.principal, 0), ifnull(d.kind, 0), ifnull(d.account, 0), d.benign,
	d.session, d.user_id, d.access_key_id, d.client, d.error, d.raw
FROM page JOIN denial d ON d.n = page.n
ORDER BY page.`

// A denialRow is where one row is scanned to after the other.
type denialRow struct {
	ids       denialIDs
	id, raw   sql.RawBytes
	denial    authlog.Denial
	principal authlog.Principal
}

// A denialIDs is what a row says in the words of other tables: 0 where it does
// not say. place is its own, in the order of saving.
type denialIDs struct {
	place, cluster                               int64
	reason, stream, endpoint, arn, kind, account int64
}

// columns are those of selectDenials.
func (r *denialRow) columns() []any {
	d, p, ids := &r.denial, &r.principal, &r.ids
	return []any{
		&ids.place, &r.id, &ids.cluster, &ids.reason, &ids.stream, &ids.endpoint, &ids.arn, &ids.kind, &ids.account,
		&p.Benign, &p.Session, &p.UserID, &p.AccessKeyID, &d.Client, &d.Error, &r.raw,
	}
}

// read is the denial that was scanned, without what its IDs stand for.
func (r *denialRow) read() authlog.Denial {
	d := r.denial
	d.ID, d.Raw = authlog.ID(r.id), string(r.raw)
	d.Time = d.ID.Time()
	if r.ids.arn != 0 {
		p := r.principal
		d.Principal = &p
	}
	return d
}

// Denials returns the first f.Limit denials that f chooses, in descending order
// of their IDs, or ascending if f says so. Following pages, asked for with the
// last ID as f.Before (or f.After), stay stable while new denials arrive. A
// cluster, reason or principal that is not known is no error: there is none. A
// filter that names neither cluster nor principal may have to read everything
// between f.Start and f.End.
func (s *SQLite) Denials(ctx context.Context, f authlog.DenialFilter) ([]authlog.Denial, error) {
	if f.Limit <= 0 {
		return nil, errors.New("list denials: the limit must be positive")
	}
	ranges, err := s.ranges(ctx, f)
	if err == nil && len(ranges) > 0 {
		var found []authlog.Denial
		query, args := pageQuery(ranges, f)
		if found, _, err = s.denials(ctx, f.Limit, query, args...); err == nil {
			return found, nil
		}
	}
	if err != nil {
		err = fmt.Errorf("list denials: %w", s.explain(err))
	}
	return nil, err
}

// Denial returns one denial. The error satisfies errors.Is(err,
// authlog.ErrNotFound) where none has that ID.
func (s *SQLite) Denial(ctx context.Context, id authlog.ID) (authlog.Denial, error) {
	found, _, err := s.denials(ctx, 1, "WITH page AS (SELECT n, id FROM denial WHERE id = ?)"+selectDenials+"id ASC", id[:])
	if err != nil {
		return authlog.Denial{}, fmt.Errorf("find denial %s: %w", id, s.explain(err))
	}
	if len(found) == 0 {
		return authlog.Denial{}, fmt.Errorf("denial %s: %w", id, authlog.ErrNotFound)
	}
	return found[0], nil
}

// denials returns what the query finds, at most limit denials, and the place of
// each in the order of saving.
func (s *SQLite) denials(ctx context.Context, limit int, query string, args ...any) (found []authlog.Denial, places []int64, err error) {
	var ids []denialIDs
	var row denialRow
	columns := row.columns()
	rows, err := s.query(ctx, query, args...)
	err = each(rows, err, func(rows *sql.Rows) error {
		if err := rows.Scan(columns...); err != nil {
			return err
		}
		if found == nil {
			n := min(limit, usualPage)
			found, ids = make([]authlog.Denial, 0, n), make([]denialIDs, 0, n)
		}
		found, ids = append(found, row.read()), append(ids, row.ids)
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	return s.spellDenials(ctx, found, ids)
}

// spellDenials writes into each denial what its IDs stand for, and leaves out
// those that were pruned a moment ago, and their words after them.
func (s *SQLite) spellDenials(ctx context.Context, rows []authlog.Denial, ids []denialIDs) (found []authlog.Denial, places []int64, err error) {
	words := make([]int64, 0, 6*len(ids))
	for i := range ids {
		r := &ids[i]
		words = append(words, r.reason, r.stream, r.endpoint, r.arn, r.kind, r.account)
	}
	text, err := s.speller.spell(ctx, s, words)
	if err != nil {
		return nil, nil, err
	}
	found, places = rows[:0], make([]int64, 0, len(rows))
	for i := range ids {
		r, d := &ids[i], rows[i]
		d.Reason, d.Stream, d.STSEndpoint = text[r.reason], text[r.stream], text[r.endpoint]
		if d.Reason == "" {
			continue
		}
		if d.Cluster, err = s.cluster(ctx, r.cluster); err != nil {
			return nil, nil, err
		}
		if p := d.Principal; p != nil {
			p.ARN, p.Kind, p.Account = text[r.arn], authlog.PrincipalKind(text[r.kind]), text[r.account]
		}
		found, places = append(found, d), append(places, r.place)
	}
	return found, places, nil
}

// A scan is one range of one index, in the order of the IDs.
type scan struct {
	index string
	where string
	args  []any
}

// pageQuery merges the ranges in the order asked for; SQLite reads no more of
// each than the page needs.
func pageQuery(ranges []scan, f authlog.DenialFilter) (query string, args []any) {
	from, to := bounds(f)
	order := direction(f.Ascending).order
	parts := make([]string, len(ranges))
	for i, r := range ranges {
		parts[i] = "SELECT n, id FROM denial INDEXED BY " + r.index + " WHERE " + r.where + " id >= ? AND id < ?"
		args = append(append(args, r.args...), from[:], to[:])
	}
	page := strings.Join(parts, " UNION ALL ") + " ORDER BY id " + order + " LIMIT ?"
	return "WITH page AS (" + page + ")" + selectDenials + "id " + order, append(args, f.Limit)
}

// A way is in which order a list goes: how SQLite names it, and how something
// compares with what stands before it.
type way struct{ order, behind string }

func direction(ascending bool) way {
	if ascending {
		return way{"ASC", ">"}
	}
	return way{"DESC", "<"}
}

// bounds returns the IDs that the filter chooses: from the first one to before
// the second.
func bounds(f authlog.DenialFilter) (from, to authlog.ID) {
	to = authlog.ID(bytes.Repeat([]byte{0xff}, len(to)))
	if !f.Start.IsZero() {
		from = firstID(f.Start)
	}
	if !f.End.IsZero() {
		to = firstID(f.End)
	}
	if f.Before != (authlog.ID{}) && bytes.Compare(f.Before[:], to[:]) < 0 {
		to = f.Before
	}
	if f.After != (authlog.ID{}) && bytes.Compare(f.After[:], from[:]) >= 0 {
		from = following(f.After)
	}
	return from, to
}

// following is the next ID in order.
func following(id authlog.ID) authlog.ID {
	for i := len(id) - 1; i >= 0; i-- {
		if id[i]++; id[i] != 0 {
			return id
		}
	}
	return authlog.ID(bytes.Repeat([]byte{0xff}, len(id)))
}

// each calls scan for each row, and closes the rows.
func each(rows *sql.Rows, err error, scan func(*sql.Rows) error) error {
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}
