package mixin_test

import (
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The TypeScript compiler compares each dashboard with Grafana's own types, so
// that a misspelt field is found, which Grafana would pass over in silence.
func TestDashboardsAreOfGrafanasSchema(t *testing.T) {
	t.Parallel()
	npm := part(t, "npm")
	dir := t.TempDir()
	for _, name := range []string{"package.json", "package-lock.json", ".npmrc", "tsconfig.json", "schema.ts", "schema_test.ts"} {
		write(t, filepath.Join(dir, name), read(t, "grafana", name))
	}
	var text strings.Builder
	text.WriteString("import type { Board } from './schema';\n")
	all := load(t, "").Dashboards
	for i, name := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(&text, "// %s\nexport const dashboard%d: Board = %s;\n", name, i, all[name])
	}
	write(t, filepath.Join(dir, "dashboards.ts"), text.String())
	for _, args := range [][]string{
		{npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"},
		{filepath.Join(dir, "node_modules/.bin/tsc"), "-p", "."},
	} {
		cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%.4000s", args[0], err, out)
		}
	}
}

func TestTheLockFileNamesNoHost(t *testing.T) {
	if lock := read(t, "grafana", "package-lock.json"); strings.Contains(lock, "://") && strings.Contains(lock, `"resolved"`) {
		t.Error("package-lock.json names the registry it was made with")
	}
}
