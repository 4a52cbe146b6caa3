package main_test

import (
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"testing"

	_ "modernc.org/sqlite"
)

// storedDenials counts the denials in the database while nobody has it open.
func storedDenials(t *testing.T, path string) int {
	t.Helper()
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return 0
	}
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var n int
	if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM denial").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
