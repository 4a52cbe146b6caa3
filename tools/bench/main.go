// Command bench races analyzer classify against the tools that a person would
// otherwise take for the job, on one file of a million lines.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	const usage = "usage: bench throughput [--analyzer FILE] [--dir DIR] [--runs N]"
	if len(args) == 0 {
		return errors.New(usage)
	}
	switch args[0] {
	case "throughput":
		return throughput(args[1:])
	case logfmtCommand:
		return countWithLogfmt(args[1], os.Stdout)
	}
	return errors.New(usage)
}

// throughput makes the lines, runs all contenders, checks that they counted
// the same, and prints the table.
func throughput(args []string) error {
	flags := flag.NewFlagSet("throughput", flag.ExitOnError)
	analyzer := flags.String("analyzer", "../../analyzer", "the analyzer to race")
	dir := flags.String("dir", filepath.Join(os.TempDir(), "eks-authlog-bench"), "where the lines are kept for the next time")
	runs := flags.Int("runs", 7, "runs of each contender; the best counts")
	if err := flags.Parse(args); err != nil {
		return err
	}
	log, want, err := linesFile(*dir)
	if err != nil {
		return err
	}
	field, err := contenders(*analyzer, *dir, log)
	if err != nil {
		return err
	}
	return race(os.Stdout, field, log, want, *runs)
}
