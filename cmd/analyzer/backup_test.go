package main_test

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/awssim"
)

// A copy is taken while lines arrive; more are read; the machine is lost; the
// copy is put in the place of the database. What was read after the copy is
// read again, and nothing twice.
func TestARestoredBackupGoesOnWithoutLossOrDoubling(t *testing.T) {
	world := awssim.NewWorld(time.Now)
	streams := addCluster(t, world.Account("111122223333").Region("eu-central-1"), "prod", time.Hour, streamA)
	aws, err := awssim.Start(world)
	if err != nil {
		t.Fatal(err)
	}
	defer aws.Close()

	dir := t.TempDir()
	db, backup, cfg := filepath.Join(dir, "analyzer.db"), filepath.Join(dir, "backup.db"), filepath.Join(dir, "analyzer.yml")
	text := `
tail: {interval: 1s, settle: {min: 5s, max: 5s}, lookback: 1h, step: 10m, discovery: 10s, sweep: {after: [10s], interval: 1s}}
limits: {start_query_rate: 10, get_results_rate: 10, describe_rate: 10}
storage: {path: ` + db + `}
`
	if err := os.WriteFile(cfg, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	written := 0
	write := func(n int) {
		for range n {
			at := time.Now()
			streams[0].Put(awssim.Event{Time: at, Visible: at, Message: deniedLine(written, at)})
			written++
		}
	}
	reads := func(c *child) {
		until(t, fmt.Sprintf("%d denials are read", written), func() bool { return len(c.denials(t)) == written })
	}

	write(500)
	c := start(t, aws, freeAddress(t), "serve", "--config.file", cfg)
	until(t, "it is ready", func() bool { return c.ready(t) })
	reads(c)
	write(100)
	copyWhileOpen(t, db, backup)
	write(400)
	reads(c)
	if err := c.signal(t, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}

	saved := storedDenials(t, backup)
	if saved < 500 || saved >= written {
		t.Fatalf("the copy has %d of %d denials: it was not taken in the midst of them", saved, written)
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		_ = os.Remove(db + suffix)
	}
	if err := os.Rename(backup, db); err != nil {
		t.Fatal(err)
	}
	write(100)
	c = start(t, aws, freeAddress(t), "serve", "--config.file", cfg)
	until(t, "it is ready", func() bool { return c.ready(t) })
	reads(c)
	write(100)
	reads(c)
	for arn, n := range c.denials(t) {
		if n != 1 {
			t.Errorf("%s is there %d times", arn, n)
		}
	}
	if counted := c.counter(t, "eks_authn_denials_total"); counted != written-saved {
		t.Errorf("after the restore %d denials were counted, want the %d that the copy lacked", counted, written-saved)
	}
}

// copyWhileOpen makes a copy as docs/operations.md says.
func copyWhileOpen(t *testing.T, from, to string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+from)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), "VACUUM INTO ?", to); err != nil {
		t.Fatal(err)
	}
}
