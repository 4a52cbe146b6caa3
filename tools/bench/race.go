package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// A result is the best run of a contender.
type result struct {
	contender
	wall, cpu time.Duration
	rss       int64 // peak, bytes
	absent    string
}

// race runs every contender, one after another in each round so that a busy
// minute of the machine hits all alike.
func race(ctx context.Context, out io.Writer, field []contender, log string, want counts, rounds int) error {
	info, err := os.Stat(log)
	if err != nil {
		return err
	}
	if err := warm(log); err != nil {
		return err
	}
	results := make([]result, len(field))
	for i, c := range field {
		results[i].contender = c
		results[i].absent, err = c.missing()
		if err != nil {
			return err
		}
	}
	for round := range rounds {
		for i := range results {
			if r := &results[i]; r.absent == "" && (round < r.maxRuns || r.maxRuns == 0) {
				if err := r.run(ctx, want); err != nil {
					return err
				}
			}
		}
	}
	table(out, results, info.Size(), want.Lines, rounds)
	return nil
}

// warm reads the file once, so that all find it in the page cache.
func warm(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(io.Discard, f)
	return err
}

// run runs the contender once, checks what it counted, and keeps the run if it
// is the best so far.
func (r *result) run(ctx context.Context, want counts) error {
	cmd := exec.CommandContext(ctx, r.args[0], r.args[1:]...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	start := time.Now()
	err := cmd.Run()
	wall := time.Since(start)
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", r.name, err, stderr.Bytes())
	}
	got, err := r.read(stdout.Bytes())
	if err != nil {
		return fmt.Errorf("%s: read its output: %w", r.name, err)
	}
	if err := got.agrees(want); err != nil {
		return fmt.Errorf("%s: %w", r.name, err)
	}
	if r.wall > 0 && wall >= r.wall {
		return nil
	}
	r.wall = wall
	r.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		r.rss = usage.Maxrss << 10
	}
	return nil
}

// agrees compares what was counted with what is in the file.
func (c counts) agrees(want counts) error {
	for _, n := range []struct {
		what      string
		got, want int
	}{
		{"lines", c.Lines, want.Lines},
		{"grants", c.Granted, want.Granted},
		{"STS responses", c.STS, want.STS},
		{"denials", c.Denied, want.Denied},
		{"denials of the unmapped", c.NotMapped, want.NotMapped},
		{"denials by STS", c.InvalidToken, want.InvalidToken},
		{"principals", c.Principals, want.Principals},
	} {
		if n.got >= 0 && n.got != n.want {
			return fmt.Errorf("counted %d %s, but there are %d", n.got, n.what, n.want)
		}
	}
	return nil
}

func table(out io.Writer, results []result, size int64, lines, rounds int) {
	fmt.Fprintf(out, "%d lines, %d bytes, warm page cache, best of %d, %s, %d CPUs.\n\n", lines, size, rounds, runtime.GOARCH, runtime.NumCPU())
	fmt.Fprintln(out, "| | Mlines/s | MB/s | s | CPU s | peak MB | time ×| CPU ×| counts |")
	fmt.Fprintln(out, "|---|---:|---:|---:|---:|---:|---:|---:|---|")
	first := results[0]
	for _, r := range results {
		if r.absent != "" {
			fmt.Fprintf(out, "| %s | | | | | | | | %s |\n", r.name, r.absent)
			continue
		}
		s := r.wall.Seconds()
		fmt.Fprintf(out, "| %s | %.2f | %.0f | %.3f | %.2f | %.0f | %.2f | %.2f | %s |\n",
			r.name, float64(lines)/s/1e6, float64(size)/s/1e6, s, r.cpu.Seconds(), float64(r.rss)/1e6,
			s/first.wall.Seconds(), r.cpu.Seconds()/first.cpu.Seconds(), r.does)
	}
	fmt.Fprintf(out, "\ntime × and CPU × are multiples of %s: above 1 is slower. Peak MB is the kernel's\nfigure, which counts files mapped into memory and is never less than this program's own.\n", first.name)
}
