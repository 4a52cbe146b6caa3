package store

import (
	"context"
	"database/sql"
	"slices"
	"strings"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// A choice is a filter with its words looked up.
type choice struct {
	everywhere bool    // any cluster
	clusters   []int64 // else these
	anyReason  bool
	reasons    []int64
	anyone     bool
	principal  int64
}

// ranges chooses what to read of which index; none if nothing can be found.
func (s *SQLite) ranges(ctx context.Context, f authlog.DenialFilter) ([]scan, error) {
	c, ok, err := s.choose(ctx, f)
	if err != nil || !ok {
		return nil, err
	}
	var found []scan
	switch {
	case !c.anyone:
		found, err = s.principalRanges(ctx, c)
	case c.everywhere:
		return []scan{c.all()}, nil
	case !c.anyReason:
		for _, cluster := range c.clusters {
			for _, reason := range c.reasons {
				found = append(found, scan{"denial_reason", "cluster = ? AND reason = ? AND", []any{cluster, reason}})
			}
		}
	default:
		for _, cluster := range c.clusters {
			found = append(found, scan{"denial_cluster", "cluster = ? AND", []any{cluster}})
		}
	}
	if len(found) > maxRanges {
		return []scan{c.all()}, err
	}
	return found, err
}

// choose looks up what the filter names; ok is false if some of it is not
// known, so that no denial can match.
func (s *SQLite) choose(ctx context.Context, f authlog.DenialFilter) (c choice, ok bool, err error) {
	c = choice{everywhere: f.Cluster+f.Account+f.Region == "" && seesAll(f.Scope), anyReason: len(f.Reasons) == 0, anyone: f.Principal == ""}
	if !c.everywhere {
		if c.clusters = s.atlas.ids(f.Cluster, f.Account, f.Region, f.Scope); len(c.clusters) == 0 {
			return c, false, nil
		}
	}
	if !c.anyReason {
		if c.reasons, err = s.wordIDs(ctx, f.Reasons); err != nil || len(c.reasons) == 0 {
			return c, false, err
		}
	}
	if !c.anyone {
		ids, err := s.wordIDs(ctx, []string{f.Principal})
		if err != nil || len(ids) == 0 {
			return c, false, err
		}
		c.principal = ids[0]
	}
	return c, true, nil
}

// principalRanges asks the table denied where and why the principal was
// denied, so that each range holds nothing but what was asked for.
func (s *SQLite) principalRanges(ctx context.Context, c choice) (found []scan, err error) {
	where, args := c.where()
	rows, err := s.query(ctx, "SELECT cluster, reason FROM denied WHERE "+where, args...)
	err = each(rows, err, func(rows *sql.Rows) error {
		var cluster, reason int64
		err := rows.Scan(&cluster, &reason)
		found = append(found, scan{
			"denial_principal", "principal = ? AND cluster = ? AND reason = ? AND",
			[]any{c.principal, cluster, reason},
		})
		return err
	})
	return found, err
}

// all reads all denials by time and leaves out what was not chosen.
func (c choice) all() scan {
	where, args := c.where()
	return scan{"denial_id", where + " AND", args}
}

// where is the condition on the columns cluster, reason and principal.
func (c choice) where() (where string, args []any) {
	parts := []string{"1"}
	if !c.everywhere {
		parts = append(parts, "cluster IN ("+marks(len(c.clusters))+")")
		args = appendAll(args, c.clusters)
	}
	if !c.anyReason {
		parts = append(parts, "reason IN ("+marks(len(c.reasons))+")")
		args = appendAll(args, c.reasons)
	}
	if !c.anyone {
		parts = append(parts, "principal = ?")
		args = append(args, c.principal)
	}
	return strings.Join(parts, " AND "), args
}

func (s *SQLite) wordIDs(ctx context.Context, texts []string) ([]int64, error) {
	return s.ids(ctx, "SELECT id FROM word WHERE text IN ("+marks(len(texts))+")", appendAll(nil, texts))
}

func (s *SQLite) ids(ctx context.Context, query string, args []any) (ids []int64, err error) {
	rows, err := s.query(ctx, query, args...)
	err = each(rows, err, func(rows *sql.Rows) error {
		var id int64
		err := rows.Scan(&id)
		ids = append(ids, id)
		return err
	})
	return ids, err
}

func marks(n int) string { return strings.Join(slices.Repeat([]string{"?"}, n), ", ") }

func appendAll[T any](args []any, more []T) []any {
	for _, v := range more {
		args = append(args, v)
	}
	return args
}
