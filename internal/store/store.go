// Package store keeps what was found in an SQLite file: denials, hourly counts
// of grants, markers, samples of lines that were not understood, and how far
// each log group was read. It never decides what a line means, never writes
// half a batch, and never overwrites a file that it did not make.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/rs/zerolog"
)

// SQLite is a store in one file. It is safe to share; writers take turns,
// readers wait for nobody. What it returns as text is valid UTF-8, what it
// returns as raw is the very bytes that were saved. All times are UTC.
type SQLite struct {
	path string
	lock *os.File
	w    *sql.DB // one connection
	r    *sql.DB // read-only ones
	in   inserts

	prepared preparer // for r
	speller  speller
	atlas    atlas

	mu    sync.Mutex // held by whoever writes
	words words      // guarded by mu
}

// Open opens the store in the file at path. A missing file is made (0640), and
// so is its directory (0750); an older schema is brought up to date. A second
// Open of the same path fails until the first store is closed, in this process
// or another: the file path + ".lock" is locked for as long.
//
// Open writes nothing to a file that is no database of this program, is
// damaged, or was written by a newer version; the error says what to do.
//
// What Save has committed survives the death of the process and, as far as the
// disk keeps its promises, the loss of power: each commit is synced.
func Open(ctx context.Context, path string, log zerolog.Logger) (*SQLite, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("find database: %w", err)
	}
	lock, err := claim(path)
	if err != nil {
		return nil, err
	}
	s := &SQLite{path: path, lock: lock}
	if err := s.open(ctx, log); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *SQLite) open(ctx context.Context, log zerolog.Logger) (err error) {
	if s.w, err = sql.Open("sqlite", dsn(s.path, writerPragmas)); err != nil {
		return fmt.Errorf("open database %s: %w", s.path, err)
	}
	s.w.SetMaxOpenConns(1)
	if err := s.prepareFile(ctx, log); err != nil {
		return s.explain(err)
	}
	if s.in, err = prepareInserts(ctx, s.w); err != nil {
		return fmt.Errorf("prepare statements: %w", s.explain(err))
	}
	if s.r, err = sql.Open("sqlite", dsn(s.path, readerPragmas)); err != nil {
		return fmt.Errorf("open database %s for reading: %w", s.path, err)
	}
	s.r.SetMaxOpenConns(readers)
	s.r.SetMaxIdleConns(readers)
	return s.explain(s.loadClusters(ctx))
}

// Ping reports whether the store can be read.
func (s *SQLite) Ping(ctx context.Context) error {
	var n int
	err := s.r.QueryRowContext(ctx, "SELECT count(*) FROM (SELECT 1 FROM cluster LIMIT 1)").Scan(&n)
	return s.explain(err)
}

// Close waits for the running calls and closes the file. The store must not be
// used afterwards.
func (s *SQLite) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	errs := s.prepared.close()
	// The writer goes last: the last connection merges the log into the file.
	for _, db := range []*sql.DB{s.r, s.w} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(append(errs, s.lock.Close())...)
}
