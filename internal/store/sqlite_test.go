package store_test

import (
	"path/filepath"
	"testing"

	"github.com/rs/zerolog"

	"github.com/eks-authlog/eks-authlog/internal/store"
)

func TestSQLite(t *testing.T) {
	testStore(t, func(t *testing.T) func() tested {
		t.Helper()
		path := filepath.Join(t.TempDir(), "state", "authlog.db")
		return func() tested { return open(t, path) }
	})
}

func open(t *testing.T, path string) *store.SQLite {
	t.Helper()
	s, err := store.Open(t.Context(), path, zerolog.New(zerolog.NewTestWriter(t)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}
