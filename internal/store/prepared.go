package store

import (
	"context"
	"database/sql"
	"sync"
)

// maxPrepared bounds the queries that stay prepared. Their texts differ by what
// a filter names, not by its values, so there are few.
const maxPrepared = 128

// A preparer keeps queries prepared by their text: a long query takes longer to
// read than some take to run.
type preparer struct {
	mu    sync.Mutex
	stmts map[string]*sql.Stmt
}

// query runs a query for reading. What was prepared for it is closed with the
// connections.
func (s *SQLite) query(ctx context.Context, text string, args ...any) (*sql.Rows, error) {
	stmt, err := s.prepared.stmt(ctx, s.r, text) //nolint:sqlclosecheck // it is kept, close closes it
	if err != nil {
		return nil, err
	}
	if stmt == nil {
		return s.r.QueryContext(ctx, text, args...)
	}
	return stmt.QueryContext(ctx, args...)
}

// stmt prepares the query, or returns nil when too many are.
func (p *preparer) stmt(ctx context.Context, db *sql.DB, text string) (*sql.Stmt, error) {
	p.mu.Lock()
	stmt, full := p.stmts[text], len(p.stmts) >= maxPrepared
	p.mu.Unlock()
	if stmt != nil || full {
		return stmt, nil
	}
	stmt, err := db.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if other := p.stmts[text]; other != nil {
		return other, stmt.Close() //nolint:sqlclosecheck // another one was quicker
	}
	if p.stmts == nil {
		p.stmts = map[string]*sql.Stmt{}
	}
	p.stmts[text] = stmt
	return stmt, nil
}

// close closes what is prepared.
func (p *preparer) close() (errs []error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, stmt := range p.stmts {
		errs = append(errs, stmt.Close())
	}
	p.stmts = nil
	return errs
}
