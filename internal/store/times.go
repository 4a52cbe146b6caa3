package store

import (
	"database/sql"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

func dayOf(ms int64) int64    { return ms / (24 * time.Hour).Milliseconds() }
func hourOf(ms int64) int64   { return ms / time.Hour.Milliseconds() }
func minuteOf(ms int64) int64 { return ms / time.Minute.Milliseconds() }

// millis is what is stored of a time that may be zero.
func millis(t time.Time) sql.Null[int64] {
	return sql.Null[int64]{V: t.UnixMilli(), Valid: !t.IsZero()}
}

func timeOf(ms sql.Null[int64]) time.Time {
	if !ms.Valid {
		return time.Time{}
	}
	return time.UnixMilli(ms.V).UTC()
}

// firstID sorts before the ID of every line at or after t, and after those of
// all lines before it.
func firstID(t time.Time) authlog.ID {
	up := t.Add(time.Millisecond - 1).Truncate(time.Millisecond)
	return authlog.NewID(up, authlog.Key{})
}
