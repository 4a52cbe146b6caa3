package main_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// withDatabase writes a configuration file that keeps findings in that file.
func withDatabase(t *testing.T, path string) (config string) {
	t.Helper()
	config = filepath.Join(t.TempDir(), "analyzer.yml")
	if err := os.WriteFile(config, []byte("storage: {path: "+path+"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return config
}

func TestServeLeavesADatabaseThatItCannotReadAsItIs(t *testing.T) {
	page := make([]byte, 4096)
	copy(page, "SQLite format 3\x00")
	for name, content := range map[string][]byte{
		"no database":        []byte("these are my notes, do not overwrite them\n"),
		"a damaged database": bytes.Repeat(page, 3),
	} {
		path := filepath.Join(t.TempDir(), "analyzer.db")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		status, said := runChild(t, nil, "serve", "--config.file", withDatabase(t, path))
		if status != 1 || !strings.Contains(said, path) {
			t.Errorf("%s: ended with %d and did not name the file: %s", name, status, said)
		}
		if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, content) {
			t.Errorf("%s: the file was changed (%v)", name, err)
		}
	}
}

func TestServeRefusesADatabaseThatAnotherOneUses(t *testing.T) {
	cfg := withDatabase(t, filepath.Join(t.TempDir(), "analyzer.db"))
	first := start(t, nil, freeAddress(t), "serve", "--config.file", cfg)
	until(t, "the first one serves", func() bool {
		_, status, err := first.get(t.Context(), "/-/healthy")
		return err == nil && status == 200
	})
	status, said := runChild(t, nil, "serve", "--config.file", cfg, "--web.listen-address", freeAddress(t))
	if status != 1 || !strings.Contains(said, "is in use by another analyzer") {
		t.Errorf("the second one ended with %d: %s", status, said)
	}
	if err := first.signal(t, syscall.SIGTERM); err != nil {
		t.Errorf("the first one ended with %v", err)
	}
}
