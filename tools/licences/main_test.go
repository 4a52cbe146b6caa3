package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestAModuleWithoutAKnownAndAllowedLicenceIsRefused(t *testing.T) {
	mit := "Permission is hereby granted ... The above copyright notice and this permission notice\n * shall be included in all copies or substantial portions of the Software."
	for _, c := range []struct {
		name, file, text string
		want             []string // nil: refused
	}{
		{"MIT", "LICENSE", mit, []string{"MIT"}},
		{"Apache in prose", "LICENSE.txt", "Licensed under the Apache License, Version 2.0", []string{"Apache-2.0"}},
		{"two clauses", "COPYING", "Redistributions in binary form must reproduce the above", []string{"BSD-2-Clause"}},
		{"three clauses", "LICENCE", "Redistributions in binary form must reproduce the above. Neither the name of", []string{"BSD-3-Clause"}},
		{"none", "README", mit, nil},
		{"unknown", "LICENSE", "Do what you like on Tuesdays.", nil},
		{"forbidden", "LICENSE", "GNU GENERAL PUBLIC LICENSE Version 3", nil},
		{"forbidden beside allowed", "LICENSE", "GNU LESSER GENERAL PUBLIC LICENSE " + mit, nil},
		{"MPL, which names others", "LICENSE", "Mozilla Public License Version 2.0 " + strings.Repeat("1. Definitions ", 20) + "GNU Affero General Public License", []string{"MPL-2.0"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, c.file), []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			got, _, err := read(dir)
			if !slices.Equal(got, c.want) || (err != nil) != (c.want == nil) {
				t.Errorf("got %v, %v; want %v", got, err, c.want)
			}
		})
	}
}
