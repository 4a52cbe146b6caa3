package diagnose_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	seedRow    = regexp.MustCompile(`(?m)^\| (S\d+) \|.*\|([^|]*)\|$`)
	backticked = regexp.MustCompile("`([^`]+)`")
	testFunc   = regexp.MustCompile(`(?m)^func (Test\w+)\(`)
)

// TestSeedTableIsWhole wants a row of docs/seed.md for each of S1 to S42, and
// that the tests and files that hold it exist.
func TestSeedTableIsWhole(t *testing.T) {
	const root = "../.."
	page, err := os.ReadFile(filepath.Join(root, "docs/seed.md"))
	if err != nil {
		t.Fatal(err)
	}
	tests := testsUnder(t, root)
	rows := map[string]bool{}
	for _, row := range seedRow.FindAllStringSubmatch(string(page), -1) {
		rows[row[1]] = true
		held := backticked.FindAllStringSubmatch(row[2], -1)
		if len(held) == 0 {
			t.Errorf("%s: nothing holds it", row[1])
		}
		for _, h := range held {
			if strings.HasPrefix(h[1], "Test") {
				if !tests[h[1]] {
					t.Errorf("%s: there is no %s", row[1], h[1])
				}
			} else if _, err := os.Stat(filepath.Join(root, h[1])); err != nil {
				t.Errorf("%s: %v", row[1], err)
			}
		}
	}
	for i := range 42 {
		if s := fmt.Sprintf("S%d", i+1); !rows[s] {
			t.Errorf("%s has no row", s)
		}
	}
}

func testsUnder(t *testing.T, root string) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	for _, dir := range []string{"internal", "cmd"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			for _, m := range testFunc.FindAllStringSubmatch(string(text), -1) {
				found[m[1]] = true
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return found
}
