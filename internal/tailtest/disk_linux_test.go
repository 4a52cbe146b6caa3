package tailtest_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The disk is full for some minutes while lines come.
func TestAFullDiskLosesNothing(t *testing.T) {
	t.Parallel()
	w, s := newWorld(t), defaults(t)
	if err := unix.Mount("tmpfs", s.dir, "tmpfs", 0, "size=256m"); err != nil {
		t.Skipf("mount a tmpfs: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(s.dir, unix.MNT_DETACH); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	w.write(streams(w.group(t, account, "alpha"), w.group(t, account, "beta")), 10_500, noon(), busy*time.Minute)
	ballast := filepath.Join(s.dir, "ballast")
	l := begin(t, w, s)
	for minute := range minutes {
		switch minute {
		case 6:
			fill(t, ballast)
		case 13:
			if _, shards := l.health.Ready(); !strings.Contains(shards[0].Error, "disk full") {
				t.Errorf("the health does not say that the disk is full: %q", shards[0].Error)
			}
		case 16:
			if err := os.Remove(ballast); err != nil {
				t.Fatal(err)
			}
		case 18: // what was not merged into the file while it was full is not lost
			l.end(t)
			l = begin(t, w, s)
		}
		l.cycle(t.Context(), t)
		w.clock.add(time.Minute)
	}
	l.checkHealth(t, "", "")
	l.check(t, w)
	l.end(t)
}

// fill writes the file until the disk is full.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for block := make([]byte, 4096); ; {
		if _, err := f.Write(block); err != nil {
			return
		}
	}
}
