package deploy_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// repo is the repository, from this directory.
const repo = "../.."

// analyzer is the program as `make build` makes it; TestMain builds it.
func analyzer() string { return os.Getenv("TEST_ANALYZER") }

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "deploy-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "analyzer")
	build := exec.Command("go", "build", "-trimpath", "-o", path, "./cmd/analyzer")
	build.Dir, build.Env = repo, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build the analyzer: %v\n%s", err, out)
		return 1
	}
	os.Setenv("TEST_ANALYZER", path)
	return m.Run()
}

// need finds a program that `make deps` installs. In CI a missing one fails.
func need(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	switch {
	case err == nil:
		return path
	case os.Getenv("CI") != "":
		t.Fatalf("%s is not installed: run make deps", name)
	default:
		t.Skipf("%s is not installed: run make deps", name)
	}
	return ""
}

// output runs a program that must succeed and returns what it printed.
func output(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(cmd.Args, " "), err, out)
	}
	return string(out)
}

// accepts fails the test unless the analyzer knows every one of these
// arguments. It stops at --help, before anything runs.
func accepts(t *testing.T, args []string) {
	t.Helper()
	output(t, exec.CommandContext(t.Context(), analyzer(), append(args[:len(args):len(args)], "--help")...))
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(repo, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
