// Command licences lists the modules that are linked into a Go binary with
// their licences, and writes the texts that must go with the binary. It fails
// on a module without a licence that it knows, and on a licence that would bind
// whoever ships the binary to more than naming its authors.
//
//	licences BINARY LIST NOTICES
package main

import (
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: licences BINARY LIST NOTICES")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, "licences:", err)
		os.Exit(1)
	}
}

func run(binary, list, notices string) error {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return fmt.Errorf("read what %s is made of: %w", binary, err)
	}
	var lines, texts strings.Builder
	var errs []error
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		dir, err := moduleDir(m.Path, m.Version)
		if err != nil {
			return err
		}
		names, files, err := read(dir)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s %s: %w", m.Path, m.Version, err))
			continue
		}
		fmt.Fprintf(&lines, "%s,%s,%s\n", m.Path, m.Version, strings.Join(names, " AND "))
		for _, f := range files {
			fmt.Fprintf(&texts, "==== %s %s: %s\n\n%s\n\n", m.Path, m.Version, f.name, strings.TrimSpace(f.text))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(list, []byte(lines.String()), 0o644),
		os.WriteFile(notices, []byte(texts.String()), 0o644),
	)
}

// moduleDir is where the Go command keeps the module's files.
func moduleDir(path, version string) (string, error) {
	out, err := exec.Command("go", "mod", "download", "-json", path+"@"+version).Output()
	if err != nil {
		return "", fmt.Errorf("find %s@%s: %w: %s", path, version, err, out)
	}
	var module struct{ Dir string }
	err = json.Unmarshal(out, &module)
	return module.Dir, err
}

type file struct{ name, text string }

var legal = regexp.MustCompile(`(?i)^((un)?licen[cs]e|copying|notice|patents)([._-].*)?$`)

// accompanying files tell of others; the module's own licence stands elsewhere.
var accompanying = regexp.MustCompile(`(?i)^(notice|patents)|3rd-?party|third-?party`)

// read finds the licences of the module in a directory, and all files that must
// go with it.
func read(dir string) (names []string, files []file, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, nil, err
	}
	for _, e := range entries {
		if e.IsDir() || !legal.MatchString(e.Name()) || strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "-LOGO") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, nil, err
		}
		files = append(files, file{e.Name(), string(text)})
		if accompanying.MatchString(e.Name()) {
			continue
		}
		found := classify(string(text))
		if len(found) == 0 {
			return nil, nil, fmt.Errorf("the licence in %s is not known: read it, and add it to the licences that are allowed", e.Name())
		}
		names = append(names, found...)
	}
	if len(names) == 0 {
		return nil, nil, errors.New("no licence was found")
	}
	slices.Sort(names)
	names = slices.Compact(names)
	for _, n := range names {
		if !slices.Contains(allowed, n) {
			return nil, nil, fmt.Errorf("%s is not allowed", n)
		}
	}
	return names, files, nil
}

// allowed ask for their text and notices to go with the binary, and no more;
// MPL-2.0 asks also to say where the unchanged source is, which path and version
// of a module do.
var allowed = []string{"0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "ISC", "MIT", "MIT-0", "MPL-2.0", "Unlicense", "blessing"}

// titleBytes is how far into a text its title is looked for.
const titleBytes = 200

// phrases are sentences that only one licence has, by its SPDX identifier. A
// text is compared with its white space and case evened.
var phrases = []struct {
	name, phrase string
	without      string // a phrase that makes it another
	title        bool   // counts at the beginning alone: other licences name it too
}{
	{"AGPL-3.0", "gnu affero general public license", "", true},
	{"Apache-2.0", "apache license version 2.0", "", false},
	{"BSD-2-Clause", "redistributions in binary form must reproduce", "neither the name", false},
	{"BSD-3-Clause", "neither the name", "", false},
	{"CC0-1.0", "cc0 1.0 universal", "", false},
	{"EPL-2.0", "eclipse public license", "", true},
	{"GPL", "gnu general public license", "", true},
	{"ISC", "permission to use, copy, modify, and/or distribute this software for any purpose with or without fee is hereby granted, provided that", "", false},
	{"ISC", "permission to use, copy, modify, and distribute this software for any purpose with or without fee is hereby granted, provided that", "", false},
	{"LGPL", "gnu lesser general public license", "", true},
	{"MIT", "the above copyright notice and this permission notice shall be included in all copies or substantial portions of the software", "", false},
	{"MIT-0", "to permit persons to whom the software is furnished to do so. the software is provided", "", false},
	{"MPL-2.0", "mozilla public license", "", true},
	{"blessing", "sqlite is public domain", "", false},
	{"Unlicense", "this is free and unencumbered software released into the public domain", "", false},
}

func classify(text string) []string {
	even := strings.ToLower(strings.Join(strings.Fields(strings.NewReplacer("*", " ", "#", " ", "//", " ").Replace(text)), " "))
	even = strings.ReplaceAll(even, "apache license, version 2.0", "apache license version 2.0")
	var names []string
	for _, p := range phrases {
		where := even
		if p.title {
			where = even[:min(len(even), titleBytes)]
		}
		if strings.Contains(where, p.phrase) && (p.without == "" || !strings.Contains(even, p.without)) && !slices.Contains(names, p.name) {
			names = append(names, p.name)
		}
	}
	return names
}
