package store

import (
	"context"
	"database/sql"
	"errors"
	"iter"
	"strings"
)

// An insert writes many rows with few statements, which are prepared once: a
// long INSERT takes longer to read than to run.
type insert struct {
	cols  int
	sized []sizedStmt
}

type sizedStmt struct {
	rows int
	stmt *sql.Stmt
}

// prepareInsert makes INSERT INTO table (columns) VALUES …, followed by then.
func prepareInsert(ctx context.Context, db *sql.DB, table, columns, then string) (insert, error) {
	in := insert{cols: strings.Count(columns, ",") + 1}
	row := "(" + marks(in.cols) + ")"
	for _, rows := range [...]int{64, 8, 1} { // from 64 on, more rows a statement gain nothing
		values := strings.Repeat(", "+row, rows)[2:]
		stmt, err := db.PrepareContext(ctx, "INSERT OR ROLLBACK INTO "+table+" ("+columns+") VALUES "+values+" "+then)
		if err != nil {
			return insert{}, err
		}
		in.sized = append(in.sized, sizedStmt{rows, stmt})
	}
	return in, nil
}

// calls gives the statements to run, each with its part of args, which holds
// the rows one after the other.
func (in insert) calls(ctx context.Context, tx *sql.Tx, args []any) iter.Seq2[*sql.Stmt, []any] {
	return func(yield func(*sql.Stmt, []any) bool) {
		for _, s := range in.sized {
			n := s.rows * in.cols
			if len(args) < n {
				continue
			}
			stmt := tx.StmtContext(ctx, s.stmt)
			for ; len(args) >= n; args = args[n:] {
				if !yield(stmt, args[:n]) {
					return
				}
			}
		}
	}
}

// exec inserts the rows and returns how many were written.
func (in insert) exec(ctx context.Context, tx *sql.Tx, args []any) (written int64, err error) {
	for stmt, some := range in.calls(ctx, tx, args) {
		res, err := stmt.ExecContext(ctx, some...)
		if err != nil {
			return written, err
		}
		n, err := res.RowsAffected()
		if err != nil {
			return written, err
		}
		written += n
	}
	return written, nil
}

// query inserts the rows and calls scan for each row that RETURNING gives.
func (in insert) query(ctx context.Context, tx *sql.Tx, args []any, scan func(*sql.Rows) error) error {
	for stmt, some := range in.calls(ctx, tx, args) {
		rows, err := stmt.QueryContext(ctx, some...)
		if err := each(rows, err, scan); err != nil {
			return err
		}
	}
	return nil
}

// inserts are those of Save.
type inserts struct {
	word, cluster, seen, cursor, denial, denialHour, denialDay, denied, grantHour, sighting, marker, sample, diagnosis, change insert
}

func prepareInserts(ctx context.Context, db *sql.DB) (in inserts, err error) {
	var errs []error
	prepare := func(table, columns, then string) insert {
		made, err := prepareInsert(ctx, db, table, columns, then)
		errs = append(errs, err)
		return made
	}
	in.word = prepare("word", "text, used",
		"ON CONFLICT (text) DO UPDATE SET used = max(used, excluded.used) RETURNING id, text, used")
	in.cluster = prepare("cluster", "name, account, region, last_event, last_denial",
		`ON CONFLICT (name, account, region) DO UPDATE SET last_event = max(last_event, excluded.last_event),
		last_denial = max(last_denial, excluded.last_denial) RETURNING id, name, account, region`)
	in.seen = prepare("seen", "cluster, minute, keys",
		"ON CONFLICT (cluster, minute) DO UPDATE SET keys = excluded.keys")
	in.cursor = prepare("cursor", `cluster, lane, created, start, "end", watermark, through, streams`,
		`ON CONFLICT (cluster, lane) DO UPDATE SET created = excluded.created, start = excluded.start,
		"end" = excluded."end", watermark = excluded.watermark, through = excluded.through, streams = excluded.streams`)
	in.denial = prepare("denial", `n, id, cluster, reason, principal, stream, kind, account, sts_endpoint, benign,
		session, user_id, access_key_id, client, error, raw`, "ON CONFLICT (id, cluster) DO NOTHING")
	in.denialHour = prepare("denial_hour", "hour, cluster, reason, principal, n, first, last",
		`ON CONFLICT (hour, cluster, reason, principal)
		DO UPDATE SET n = n + excluded.n, first = min(first, excluded.first), last = max(last, excluded.last)`)
	in.denialDay = prepare("denial_day", "day, cluster, reason, n", "ON CONFLICT (day, cluster, reason) DO UPDATE SET n = n + excluded.n")
	in.denied = prepare("denied", "cluster, principal, reason, last",
		"ON CONFLICT (cluster, principal, reason) DO UPDATE SET last = excluded.last WHERE excluded.last > last")
	in.grantHour = prepare("grant_hour", `cluster, hour, principal, kind, user_id, session, username, groups, sts_endpoint,
		account, benign, n, first, last`,
		`ON CONFLICT (cluster, hour, principal, kind, user_id, session, username, groups, sts_endpoint)
		DO UPDATE SET n = n + excluded.n, first = min(first, excluded.first), last = max(last, excluded.last)`)
	in.sighting = prepare("sighting", "cluster, principal, granted, user_id, session, kind, account, benign, n, first, last",
		`ON CONFLICT (cluster, principal, granted, user_id, session) DO UPDATE SET
		n = n + excluded.n, first = min(first, excluded.first), last = max(last, excluded.last),
		kind = iif(excluded.last >= last, excluded.kind, kind), account = iif(excluded.last >= last, excluded.account, account),
		benign = iif(excluded.last >= last, excluded.benign, benign)`)
	in.marker = prepare("marker", "id, cluster, code, stream, msg, raw", "ON CONFLICT (id) DO NOTHING")
	in.sample = prepare("sample", "id, cluster, code, stream, raw", "ON CONFLICT (id) DO NOTHING")
	in.diagnosis = prepare("diagnosis", "id, cluster, code, subject, state, severity, parent, last_seen, resolved, document",
		`ON CONFLICT (id) DO UPDATE SET cluster = excluded.cluster, code = excluded.code, subject = excluded.subject, state = excluded.state,
		severity = excluded.severity, parent = excluded.parent, last_seen = excluded.last_seen,
		resolved = excluded.resolved, document = excluded.document`)
	in.change = prepare("change", "n, cluster, kind, time, document", "")
	return in, errors.Join(errs...)
}
