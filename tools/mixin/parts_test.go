package mixin_test

import (
	"os"
	"os/exec"
	"testing"
)

// part finds a program that is not ours. Where it is missing the test is
// skipped, but not in CI.
func part(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	switch {
	case err == nil:
		return path
	case os.Getenv("CI") != "":
		t.Fatalf("%s is missing: make deps installs it", name)
	default:
		t.Skipf("%s is missing: make deps installs it", name)
	}
	return ""
}

// run runs a program to its end, which must be a good one.
func run(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), part(t, name), args...).CombinedOutput(); err != nil {
		t.Errorf("%s %v: %v\n%s", name, args, err, out)
	}
}
