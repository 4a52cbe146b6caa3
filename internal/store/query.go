package store

import (
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

const selectDenials = `
SELECT d.id, c.name, c.account, c.region, reason.text, stream.text, sts.text, d.principal IS NOT NULL,
	ifnull(arn.text, ''), ifnull(kind.text, ''), ifnull(account.text, ''), d.benign,
	d.session, d.user_id, d.access_key_id, d.client, d.error, d.raw
FROM page JOIN denial d ON d.n = page.n
	JOIN cluster c ON c.id = d.cluster
	JOIN word reason ON reason.id = d.reason
	JOIN word stream ON stream.id = d.stream
	JOIN word sts ON sts.id = d.sts_endpoint
	LEFT JOIN word arn ON arn.id = d.principal
	LEFT JOIN word kind ON kind.id = d.kind
	LEFT JOIN word account ON account.id = d.account
ORDER BY page.id DESC`

// Denials returns the newest f.Limit denials that f chooses, in descending
// order of their IDs. Following pages, asked for with the last ID as f.Before,
// stay stable while new denials arrive. A cluster, reason or principal that is
// not known is no error: there is none. A filter that names neither cluster
// nor principal may have to read everything between f.Start and f.End.
func (s *SQLite) Denials(ctx context.Context, f authlog.DenialFilter) ([]authlog.Denial, error) {
	if f.Limit <= 0 {
		return nil, errors.New("list denials: the limit must be positive")
	}
	ranges, err := s.ranges(ctx, f)
	if err == nil && len(ranges) > 0 {
		var found []authlog.Denial
		query, args := pageQuery(ranges, f)
		if found, err = s.denials(ctx, query, args); err == nil {
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
	found, err := s.denials(ctx, "WITH page AS (SELECT n, id FROM denial WHERE id = ?)"+selectDenials, []any{id[:]})
	if err != nil {
		return authlog.Denial{}, fmt.Errorf("find denial %s: %w", id, s.explain(err))
	}
	if len(found) == 0 {
		return authlog.Denial{}, fmt.Errorf("denial %s: %w", id, authlog.ErrNotFound)
	}
	return found[0], nil
}

func (s *SQLite) denials(ctx context.Context, query string, args []any) (found []authlog.Denial, err error) {
	rows, err := s.r.QueryContext(ctx, query, args...)
	err = each(rows, err, func(rows *sql.Rows) error {
		var d authlog.Denial
		var p authlog.Principal
		var id, raw sql.RawBytes
		var named bool
		err := rows.Scan(&id, &d.Cluster.Name, &d.Cluster.Account, &d.Cluster.Region, &d.Reason, &d.Stream, &d.STSEndpoint,
			&named, &p.ARN, &p.Kind, &p.Account, &p.Benign, &p.Session, &p.UserID, &p.AccessKeyID, &d.Client, &d.Error, &raw)
		if err != nil {
			return err
		}
		d.ID, d.Raw = authlog.ID(id), string(raw)
		d.Time = d.ID.Time()
		if named {
			d.Principal = &p
		}
		found = append(found, d)
		return nil
	})
	return found, err
}

// A scan is one range of one index, in the order of the IDs.
type scan struct {
	index string
	where string
	args  []any
}

// pageQuery merges the ranges from the newest ID on; SQLite reads no more of
// each than the page needs.
func pageQuery(ranges []scan, f authlog.DenialFilter) (query string, args []any) {
	from, to := bounds(f)
	parts := make([]string, len(ranges))
	for i, r := range ranges {
		parts[i] = "SELECT n, id FROM denial INDEXED BY " + r.index + " WHERE " + r.where + " id >= ? AND id < ?"
		args = append(append(args, r.args...), from[:], to[:])
	}
	return "WITH page AS (" + strings.Join(parts, " UNION ALL ") + " ORDER BY id DESC LIMIT ?)" + selectDenials,
		append(args, f.Limit)
}

// bounds returns the IDs that the filter chooses: from the first one to before
// the second.
func bounds(f authlog.DenialFilter) (from, to authlog.ID) {
	for i := range to {
		to[i] = 0xff
	}
	if !f.Start.IsZero() {
		from = firstID(f.Start)
	}
	if !f.End.IsZero() {
		to = firstID(f.End)
	}
	if f.Before != (authlog.ID{}) && string(f.Before[:]) < string(to[:]) {
		to = f.Before
	}
	return from, to
}
