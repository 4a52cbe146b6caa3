package store

import (
	"context"
	"database/sql"
	"iter"
	"strings"
)

// perStatement is how many rows one INSERT takes: from here on more rows gain
// nothing.
const perStatement = 50

// An insert writes many rows with few statements.
type insert struct {
	into string // INTO table (columns)
	cols int
	then string // what follows the VALUES
}

// statements gives each statement with its arguments; args holds the rows one
// after the other.
func (in insert) statements(args []any) iter.Seq2[string, []any] {
	return func(yield func(string, []any) bool) {
		for n := perStatement * in.cols; len(args) > n; args = args[n:] {
			if !yield(in.sql(perStatement), args[:n]) {
				return
			}
		}
		if len(args) > 0 {
			yield(in.sql(len(args)/in.cols), args)
		}
	}
}

func (in insert) sql(rows int) string {
	row := ", (?" + strings.Repeat(", ?", in.cols-1) + ")"
	return "INSERT " + in.into + " VALUES " + strings.Repeat(row, rows)[2:] + " " + in.then
}

// exec inserts the rows and returns how many were written.
func (in insert) exec(ctx context.Context, tx *sql.Tx, args []any) (written int64, err error) {
	for stmt, some := range in.statements(args) {
		res, err := tx.ExecContext(ctx, stmt, some...)
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
	for stmt, some := range in.statements(args) {
		rows, err := tx.QueryContext(ctx, stmt, some...)
		if err := each(rows, err, scan); err != nil {
			return err
		}
	}
	return nil
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
