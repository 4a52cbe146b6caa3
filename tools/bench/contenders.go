package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// A contender is a command that reads the file of lines and prints what it
// counted.
type contender struct {
	name    string
	does    string // how much of the job, for the table
	pkg     string // Debian package, for one that may not be installed
	maxRuns int    // for the slow; 0 is no limit
	args    []string
	read    func(stdout []byte) (counts, error)
}

// missing says that a contender is not installed. Under CI that is an error.
func (c contender) missing() (string, error) {
	if _, err := exec.LookPath(c.args[0]); err == nil {
		return "", nil
	}
	if os.Getenv("CI") == "true" || c.pkg == "" {
		return "", fmt.Errorf("%s is not there; install Debian's %s", c.args[0], c.pkg)
	}
	return "not run: apt-get install " + c.pkg, nil
}

// nothing is what a contender counts that counts nothing.
func nothing() counts { return counts{-1, -1, -1, -1, -1, -1, -1} }

const whole = "all: kinds, reasons, principals"

func contenders(analyzer, dir, log string) ([]contender, error) {
	if _, err := os.Stat(analyzer); err != nil {
		return nil, fmt.Errorf("no analyzer: build it with go build -o %s ./cmd/analyzer: %w", analyzer, err)
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	progs := filepath.Join(dir, "mtail")
	if err := os.MkdirAll(progs, 0o755); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(progs, "authenticator.mtail"), []byte(mtailProgram), 0o644); err != nil {
		return nil, err
	}
	const denied = `msg="access denied"`
	return []contender{
		{name: "analyzer classify", does: whole + ", every pair of a denial", args: []string{analyzer, "classify", "--output=summary", log}, read: readSummary},
		{name: "mawk", does: whole, pkg: "mawk", args: []string{"mawk", mawkProgram, log}, read: readNumbers},
		{name: "go-logfmt in a loop", does: whole, args: []string{self, logfmtCommand, log}, read: readNumbers},
		{name: "mtail", does: "kinds and reasons", pkg: "mtail", maxRuns: 2, args: []string{"mtail", "--one_shot", "--one_shot_format=json", "--progs", progs, "--logs", log}, read: readMtail},
		{name: "grep -c -F", does: "one string", pkg: "grep", args: []string{"grep", "-c", "-F", denied, log}, read: readDenied},
		{name: "ripgrep -c -F", does: "one string", pkg: "ripgrep", args: []string{"rg", "-c", "-F", denied, log}, read: readDenied},
		{name: "wc -l", does: "lines", pkg: "coreutils", args: []string{"wc", "-l", log}, read: readLines},
	}, nil
}

// mawkProgram does the job as fast as we could write it for mawk: fixed
// strings before patterns, and the principal cut out by its neighbours.
const mawkProgram = `
/level=warning msg="access denied"/ {
	denied++
	if (/ error="identity is not mapped"/) {
		unmapped++
		i = index($0, " arn=\"") + 6
		s = substr($0, i)
		who[substr(s, 1, index(s, "\"") - 1)]++
	} else if (/\\"Code\\":\\"InvalidClientTokenId\\"/) invalid++
	next
}
/level=info msg="access granted"/ { granted++; next }
/level=info msg="STS response"/ { sts++ }
END {
	for (w in who) n++
	print NR, granted, sts, denied, unmapped, invalid, n
}`

const mtailProgram = `counter granted
counter sts
counter unmapped
counter invalid
/msg="access granted"/ {
  granted++
}
/msg="STS response"/ {
  sts++
}
/msg="access denied".* error="identity is not mapped"/ {
  unmapped++
}
/msg="access denied".*\\"Code\\":\\"InvalidClientTokenId\\"/ {
  invalid++
}
`

func readSummary(b []byte) (counts, error) {
	var s struct {
		Lines          int
		Kinds, Reasons map[string]int
		Principals     int
	}
	err := json.Unmarshal(b, &s)
	return counts{
		s.Lines, s.Kinds["granted"], s.Kinds["sts_response"], s.Kinds["denied"],
		s.Reasons["arn_not_mapped"], s.Reasons["sts_invalid_client_token"], s.Principals,
	}, err
}

// readNumbers reads the fields of counts in their order.
func readNumbers(b []byte) (counts, error) {
	var c counts
	_, err := fmt.Sscan(string(b), &c.Lines, &c.Granted, &c.STS, &c.Denied, &c.NotMapped, &c.InvalidToken, &c.Principals)
	return c, err
}

func readDenied(b []byte) (counts, error) {
	c := nothing()
	var err error
	c.Denied, err = strconv.Atoi(strings.TrimSpace(string(b)))
	return c, err
}

func readLines(b []byte) (counts, error) {
	c := nothing()
	_, err := fmt.Sscan(string(b), &c.Lines)
	return c, err
}
