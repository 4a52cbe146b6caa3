package store_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/store"
)

// refused opens what must not be opened, and checks that the error holds each
// of the hints.
func refused(t *testing.T, path string, hints ...string) {
	t.Helper()
	s, err := store.Open(t.Context(), path, zerolog.Nop())
	if err == nil {
		_ = s.Close()
		t.Fatal("it was opened")
	}
	for _, hint := range hints {
		if !strings.Contains(err.Error(), hint) {
			t.Errorf("the error does not say %q: %v", hint, err)
		}
	}
}

// untouched runs do and checks that the file is what it was before.
func untouched(t *testing.T, path string, do func()) {
	t.Helper()
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	do()
	after, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(before, after) {
		t.Errorf("%s was changed", path)
	}
}

func TestOpenMakesDirectoryAndFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a b", "100%?#", "authlog.db")
	open(t, path)
	for name, most := range map[string]os.FileMode{path: 0o640, filepath.Dir(path): 0o750, path + ".lock": 0o640, path + "-wal": 0o640} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if mode := info.Mode().Perm(); mode&^most != 0 || mode&0o600 != 0o600 {
			t.Errorf("%s has mode %v, want no more than %v", name, mode, most)
		}
	}
}

func TestOpenTakesRelativePath(t *testing.T) {
	t.Chdir(t.TempDir())
	open(t, "authlog.db")
	if _, err := os.Stat("authlog.db"); err != nil {
		t.Error(err)
	}
}

func TestOpenRefusesWhatIsNoDatabase(t *testing.T) {
	for name, content := range map[string]string{
		"text": "these are my notes, and there are many of them\n", "short": "x", "zeros": strings.Repeat("\x00", 8192),
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "notes.txt")
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			untouched(t, path, func() { refused(t, path, path, "no SQLite database", "choose another path") })
		})
	}
	t.Run("directory", func(t *testing.T) { refused(t, t.TempDir(), "choose another path") })
}

func TestOpenRefusesAnotherProgramsDatabase(t *testing.T) {
	for name, setup := range map[string]string{
		"tables":         "CREATE TABLE theirs (x); INSERT INTO theirs VALUES (1)",
		"application id": "PRAGMA application_id = 7",
		"goose tables":   "CREATE TABLE goose_db_version (id INTEGER, version_id INTEGER, is_applied INTEGER, tstamp TEXT)",
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "theirs.db")
			db := raw(t, path)
			if _, err := db.ExecContext(t.Context(), setup); err != nil {
				t.Fatal(err)
			}
			_ = db.Close()
			untouched(t, path, func() { refused(t, path, path, "another program", "choose another path") })
		})
	}
}

func TestOpenRefusesNewerSchema(t *testing.T) {
	path := dbPath(t)
	_ = open(t, path).Close()
	db := raw(t, path)
	if _, err := db.ExecContext(t.Context(), "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, 1)"); err != nil {
		t.Fatal(err)
	}
	_ = db.Close()
	untouched(t, path, func() { refused(t, path, path, "schema 99", "newer version") })
}

func TestOpenRefusesLockedDatabase(t *testing.T) {
	path := dbPath(t)
	s := open(t, path)
	refused(t, path, path, "in use", strconv.Itoa(os.Getpid()), "a path of its own")
	save(t, s, authlog.Batch{Denials: []authlog.Denial{denial(alpha, noon, 1)}})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got := denials(t, open(t, path), authlog.DenialFilter{}); len(got) != 1 {
		t.Errorf("after the first let go there are %d denials, want 1", len(got))
	}
}

func TestOpenRefusesReadOnlyDirectory(t *testing.T) {
	dir := t.TempDir()
	if os.Geteuid() == 0 { // modes do not stop root
		mount(t, dir, "ro")
	} else if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	refused(t, filepath.Join(dir, "authlog.db"), dir, "choose another path")
	refused(t, filepath.Join(dir, "state", "authlog.db"), dir, "choose a path")
}

// damaged makes a database with some content and lets spoil change its bytes.
func damaged(t *testing.T, spoil func([]byte) []byte) (path string) {
	t.Helper()
	path = dbPath(t)
	s := open(t, path)
	for n := range 20 {
		save(t, s, authlog.Batch{Denials: newTown(uint64(n), 100).denials})
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, spoil(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestOpenRefusesDamagedDatabase(t *testing.T) {
	const page = 4096
	for name, spoil := range map[string]func([]byte) []byte{
		"only the header is left": func(b []byte) []byte { return append(b[:100:100], bytes.Repeat([]byte{0x55}, len(b)-100)...) },
		"cut in half":             func(b []byte) []byte { return b[:len(b)/2/page*page] },
		"cut in the first page":   func(b []byte) []byte { return b[:50] },
	} {
		t.Run(name, func(t *testing.T) {
			path := damaged(t, spoil)
			untouched(t, path, func() { refused(t, path, path, "damaged", "restore a copy") })
		})
	}
}

func TestDamageFoundLaterIsSaid(t *testing.T) {
	const page = 4096
	path := damaged(t, func(b []byte) []byte {
		// All but the first pages, which hold the schema.
		return append(b[:len(b)/4/page*page], bytes.Repeat([]byte{0x55}, len(b)-len(b)/4/page*page)...)
	})
	s, err := store.Open(t.Context(), path, zerolog.Nop())
	if err == nil {
		defer func() { _ = s.Close() }()
		_, err = s.Denials(t.Context(), authlog.DenialFilter{Limit: 10_000})
		err = errors.Join(err, s.Save(t.Context(), authlog.Batch{Denials: newTown(99, 1000).denials}))
	}
	if err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("got %v, want an error that says the database is damaged", err)
	}
}

func TestOpenFinishesWhatAnEarlierOpenBegan(t *testing.T) {
	path := dbPath(t)
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, nil, 0o640); err != nil {
		t.Fatal(err)
	}
	s := open(t, path)
	save(t, s, authlog.Batch{Denials: []authlog.Denial{denial(alpha, noon, 1)}})
	if got := clusters(t, s, noon.Add(time.Minute)); len(got) != 1 {
		t.Errorf("got %+v", got)
	}
}
