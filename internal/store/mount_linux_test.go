package store_test

import (
	"testing"

	"golang.org/x/sys/unix"
)

// mount puts a file system in memory on dir, where this process may; else it
// skips the test.
func mount(t *testing.T, dir, options string) {
	t.Helper()
	var flags uintptr
	if options == "ro" {
		flags, options = unix.MS_RDONLY, ""
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", flags, options); err != nil {
		t.Skipf("mount a tmpfs: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
}
