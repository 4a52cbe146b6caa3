package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
)

// tailCommand is how the bench calls itself to be the reader of a fleet, a
// process of its own, so that its CPU time and memory are not the simulator's.
const tailCommand = "tail-reader"

// tail measures how the daemon follows CloudWatch, over the wire against the
// simulated AWS: how fast it catches up, what fleets cost, and what other
// cursors lose.
func tail(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("tail", flag.ExitOnError)
	only := flags.String("only", "catchup,fleet,cursors", "what to measure")
	lines := flags.Int("lines", 300_000, "lines to catch up with")
	profile := flags.String("cpuprofile", "", "where to keep the CPU profile of catching up")
	clusters := flags.String("clusters", "20,200,2000", "sizes of fleets")
	minutes := flags.Int("minutes", 30, "simulated minutes of a fleet")
	if err := flags.Parse(args); err != nil {
		return err
	}
	wanted := strings.Split(*only, ",")
	if slices.Contains(wanted, "catchup") {
		if err := catchUp(ctx, os.Stdout, *lines, *profile); err != nil {
			return fmt.Errorf("catch up: %w", err)
		}
	}
	if slices.Contains(wanted, "fleet") {
		if err := fleets(ctx, os.Stdout, *clusters, *minutes); err != nil {
			return fmt.Errorf("fleet: %w", err)
		}
	}
	if slices.Contains(wanted, "cursors") {
		if err := cursors(ctx, os.Stdout); err != nil {
			return fmt.Errorf("cursors: %w", err)
		}
	}
	return nil
}
