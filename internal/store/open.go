package store

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/pressly/goose/v3"
	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"
	_ "modernc.org/sqlite" // the driver
)

//go:embed migrations/sqlite/*.sql
var migrations embed.FS

const (
	magic         = "SQLite format 3\x00" // https://www.sqlite.org/fileformat.html#the_database_header
	applicationID = 0x656b7361            // "eksa", in the file's header
	readers       = 4                     // connections
)

// FULL syncs the log at each commit: with NORMAL a power cut could take back
// commits that were reported. The cache sizes are in KiB.
var writerPragmas = []string{
	"busy_timeout(5000)", "foreign_keys(1)", "synchronous(FULL)", "temp_store(MEMORY)",
	"cache_size(-8192)", "wal_autocheckpoint(4000)", "journal_size_limit(67108864)",
}

var readerPragmas = []string{
	"busy_timeout(5000)", "query_only(1)", "temp_store(MEMORY)", "cache_size(-4096)",
}

func dsn(path string, pragmas []string) string {
	q := url.Values{"_pragma": pragmas, "_txlock": {"immediate"}, "_error_rc": {"1"}, "_dqs": {"0"}}
	return (&url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}).String()
}

// claim makes the directory and the file where they are missing, looks at what
// is there, and takes the lock.
func claim(path string) (lock *os.File, err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, fmt.Errorf("make the state directory: %w; choose a path that can be written", err)
	}
	lock, err = os.OpenFile(path+".lock", os.O_RDWR|os.O_CREATE, 0o640)
	if err != nil {
		return nil, fmt.Errorf("lock database: %w; the directory must be writable, choose another path or correct its owner and mode", err)
	}
	if err = flock(lock, path); err == nil {
		err = inspect(path)
	}
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return lock, nil
}

func flock(lock *os.File, path string) error {
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return fmt.Errorf("lock database %s: %w", path, err)
		}
		holder, _ := io.ReadAll(io.LimitReader(lock, 20))
		return fmt.Errorf("database %s is in use by another analyzer (process %s): stop it, or give each a path of its own",
			path, strings.TrimSpace(string(holder)))
	}
	if err := lock.Truncate(0); err != nil {
		return fmt.Errorf("lock database %s: %w", path, err)
	}
	// Only a help for whoever finds it locked: a full disk must not keep the
	// store from being opened.
	_, _ = fmt.Fprintln(lock, os.Getpid())
	return nil
}

// inspect makes the file where it is missing, and refuses one that is not
// SQLite's before SQLite itself may touch it.
func inspect(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o640)
	if err != nil {
		return fmt.Errorf("open database: %w; choose another path or correct owner and mode", err)
	}
	defer f.Close()
	head := make([]byte, len(magic))
	n, err := io.ReadFull(f, head)
	switch {
	case errors.Is(err, io.EOF):
		return nil // new: SQLite takes an empty file for an empty database
	case err != nil && !errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("read database: %w", err)
	case string(head[:n]) != magic:
		return fmt.Errorf("%s is no SQLite database; it was left as it is: move it away or choose another path", path)
	}
	return nil
}

// prepareFile makes sure that the file is ours and brings its schema up to
// date.
func (s *SQLite) prepareFile(ctx context.Context, log zerolog.Logger) error {
	dir, err := fs.Sub(migrations, "migrations/sqlite")
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, s.w, dir,
		goose.WithLogger(goose.NopLogger()), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	sources := p.ListSources()
	if err := s.mustOwn(ctx, sources[len(sources)-1].Version); err != nil {
		return err
	}
	// What makes the file ours comes first, so that a process that dies here
	// finds it again.
	for _, pragma := range []string{fmt.Sprintf("application_id = %d", applicationID), "journal_mode = WAL"} {
		if _, err := s.w.ExecContext(ctx, "PRAGMA "+pragma); err != nil {
			return fmt.Errorf("prepare database: %w", err)
		}
	}
	done, err := p.Up(ctx)
	if err != nil {
		return fmt.Errorf("bring the schema of %s up to date: %w", s.path, err)
	}
	for _, m := range done {
		log.Info().Str("database", s.path).Int64("schema", m.Source.Version).Msg("schema brought up to date")
	}
	return nil
}

// mustOwn refuses another program's database and one of a newer schema than
// known, and only reads.
func (s *SQLite) mustOwn(ctx context.Context, known int64) error {
	var id, tables, versioned int64
	err := s.w.QueryRowContext(ctx, `SELECT application_id, count(name), count(name) FILTER (WHERE name = 'goose_db_version')
		FROM pragma_application_id LEFT JOIN sqlite_schema ON type = 'table'`).Scan(&id, &tables, &versioned)
	if err != nil {
		return fmt.Errorf("read database: %w", err)
	}
	if id != applicationID && (id != 0 || tables > 0) {
		return fmt.Errorf("%s is a database of another program; it was left as it is: choose another path", s.path)
	}
	if versioned == 0 {
		return nil
	}
	var version int64
	if err := s.w.QueryRowContext(ctx, "SELECT max(version_id) FROM goose_db_version").Scan(&version); err != nil {
		return fmt.Errorf("read the schema's version: %w", err)
	}
	if version > known {
		return fmt.Errorf("%s was written by a newer version (schema %d, this one knows up to %d); it was left as it is: run the newer version, or choose another path",
			s.path, version, known)
	}
	return nil
}
