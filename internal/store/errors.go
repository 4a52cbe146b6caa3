package store

import (
	"errors"
	"fmt"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// explain says what to do about an error of SQLite. A full disk satisfies
// errors.Is(err, authlog.ErrDiskFull).
func (s *SQLite) explain(err error) error {
	e, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return err
	}
	// https://www.sqlite.org/rescode.html: the low byte is the primary code.
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_FULL:
		return fmt.Errorf("%w: free space for %s: %w", authlog.ErrDiskFull, s.path, err)
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return fmt.Errorf("database %s is damaged; it was left as it is: restore a copy, or move it away and let a new one be filled: %w", s.path, err)
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return fmt.Errorf("database %s is locked by another program: close it: %w", s.path, err)
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM:
		return fmt.Errorf("database %s cannot be written: correct owner and mode of the file and its directory: %w", s.path, err)
	}
	// With the disk full, SQLite cannot grow the file that its connections
	// share and calls that an I/O error.
	if e.Code() == sqlite3.SQLITE_IOERR_SHMSIZE {
		return fmt.Errorf("%w: free space for %s: %w", authlog.ErrDiskFull, s.path, err)
	}
	return err
}
