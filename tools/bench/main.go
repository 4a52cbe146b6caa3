// Command bench races analyzer classify against the tools that a person would
// otherwise take for the job, on one file of a million lines, measures how the
// daemon follows CloudWatch against the simulated AWS, and how fast the API
// answers over large stores, and what readers of the stream cost.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	const usage = "usage: bench throughput [--analyzer FILE] [--dir DIR] [--runs N], bench tail [--only NAMES], bench api [--denials N,…] [--only TEXT] [--dir DIR] [--duration D], or bench stream [--idle N] [--slow N] [--duration D]"
	switch {
	case len(args) > 0 && args[0] == "throughput":
		return throughput(ctx, args[1:])
	case len(args) > 0 && args[0] == "tail":
		return tail(ctx, args[1:])
	case len(args) > 0 && args[0] == tailCommand:
		return readFleet(ctx, args[1:], os.Stdin, os.Stdout)
	case len(args) > 0 && args[0] == "api":
		return apiBench(ctx, args[1:])
	case len(args) > 0 && args[0] == apiCommand:
		return serveAPI(ctx, args[1:], os.Stdin, os.Stdout)
	case len(args) > 0 && args[0] == "stream":
		return streamBench(ctx, args[1:])
	case len(args) > 0 && args[0] == streamCommand:
		return readStreams(ctx, args[1:], os.Stdin, os.Stdout)
	case len(args) == 2 && args[0] == logfmtCommand:
		return countWithLogfmt(args[1], os.Stdout)
	}
	return errors.New(usage)
}

// throughput makes the lines, runs all contenders, checks that they counted
// the same, and prints the table.
func throughput(ctx context.Context, args []string) error {
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
	return race(ctx, os.Stdout, field, log, want, *runs)
}
