package store_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/store"
)

// fillUp saves batches until the disk is full, frees it, and checks that
// nothing of the batch that failed was kept, and that it can be saved then.
func fillUp(t *testing.T, s *store.SQLite, free func()) {
	t.Helper()
	fat := func(n int) authlog.Batch {
		b := numbered(n)
		for i := range b.Denials {
			b.Denials[i].Raw = strings.Repeat("x", 4000)
		}
		return b
	}
	state := func() (all []any) {
		cursors, err := s.Cursors(t.Context(), []authlog.Cluster{alpha})
		if err != nil {
			t.Fatal(err)
		}
		return []any{
			denials(t, s, authlog.DenialFilter{Limit: 100_000}), clusters(t, s, noon),
			seen(t, s, alpha, 0, minuteOf(noon)+1e6), cursors,
		}
	}
	before := state()
	n := 1
	for ; ; n++ {
		err := s.Save(t.Context(), fat(n))
		if errors.Is(err, authlog.ErrDiskFull) {
			t.Logf("full after %d batches: %v", n-1, err)
			break
		}
		if err != nil {
			t.Fatalf("got %v, want ErrDiskFull", err)
		}
		before = state()
	}
	same(t, "what is stored after the disk was full", before, state())
	if err := s.Save(t.Context(), fat(n)); !errors.Is(err, authlog.ErrDiskFull) {
		t.Errorf("saved again on the full disk: got %v, want ErrDiskFull", err)
	}
	free()
	save(t, s, fat(n))
	if got := denials(t, s, authlog.DenialFilter{Limit: 100_000}); len(got) != n*perBatch {
		t.Errorf("%d denials are stored in the end, want %d", len(got), n*perBatch)
	}
}

// TestFullDiskLosesNothing fills a small tmpfs, as root can.
func TestFullDiskLosesNothing(t *testing.T) {
	dir := t.TempDir()
	mount(t, dir, "size=8m")
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 4<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	fillUp(t, open(t, filepath.Join(dir, "authlog.db")), func() {
		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
	})
}

// TestFullDatabaseLosesNothing has SQLite refuse to let the file grow, which
// needs no rights.
func TestFullDatabaseLosesNothing(t *testing.T) {
	s := open(t, dbPath(t))
	if err := s.LimitPages(t.Context(), 500); err != nil {
		t.Fatal(err)
	}
	fillUp(t, s, func() {
		if err := s.LimitPages(t.Context(), 1<<30); err != nil {
			t.Fatal(err)
		}
	})
}

// TestOpenSaysThatTheDiskIsFull opens a new store where there is no room.
func TestOpenSaysThatTheDiskIsFull(t *testing.T) {
	dir := t.TempDir()
	mount(t, dir, "size=64k")
	path := filepath.Join(dir, "authlog.db")
	refused(t, path, "disk full", "free space", path)
}
