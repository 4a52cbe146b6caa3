// Package classify is the engine of `analyzer classify`: it reads files and
// pipes of authenticator lines, and writes what they say as a table, as one
// JSON object a line, or as one summary.
//
// It works in bounded memory whatever the size of its input, reads each input
// once from front to end, and must never leave out a line: what cannot be read
// is counted as unreadable.
package classify

import (
	"context"
	"errors"
	"fmt"
	"io"

	"golang.org/x/sync/errgroup"
)

// A Format is a form of output.
type Format string

// The formats; the strings are the values of --output.
const (
	Table   Format = "table"   // for people: one row a reason
	NDJSON  Format = "ndjson"  // one object an input line, in the order of the input
	Summary Format = "summary" // one object for everything
)

// Stdin is the input that stands for standard input.
const Stdin = "-"

// A Config says what to read and what to make of it.
type Config struct {
	// Inputs are paths, or Stdin; none is the same as Stdin alone. Gzip and
	// Zstandard are recognised by their first bytes, and so are JSON documents
	// that the aws command and the console export.
	Inputs []string
	Stdin  io.Reader
	Format Format
	// Workers is how many goroutines read lines; zero and less mean one.
	Workers int
	// Progress, where it is not nil, is told after every piece how many bytes
	// of all inputs were read, as they are on the disk, and how many there are
	// in total: less than zero when that is not known. Calls do not overlap.
	Progress func(read, total int64)
}

// Run reads all inputs and writes the result to out. An input that cannot be
// read, or not to its end, does not stop the others: what could be read is part
// of the result, and the errors, each of which names its input, are joined.
// An error in writing ends it at once, and so does ctx, after the piece that
// is being read.
func Run(ctx context.Context, cfg Config, out io.Writer) error {
	r, err := newRun(cfg, out)
	if err != nil {
		return err
	}
	var failed []error
	for _, name := range r.cfg.Inputs {
		err := r.input(ctx, name)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if w, ok := errors.AsType[*writeError](err); ok {
			return w.err
		}
		failed = append(failed, err)
	}
	if err := r.report(out); err != nil {
		return err
	}
	return errors.Join(failed...)
}

// A run is the state of Run.
type run struct {
	cfg      Config
	workers  []*worker
	progress *progress
}

func newRun(cfg Config, out io.Writer) (*run, error) {
	switch cfg.Format {
	case Table, NDJSON, Summary:
	default:
		return nil, fmt.Errorf("no output format %q: choose %s, %s or %s", cfg.Format, Table, NDJSON, Summary)
	}
	if len(cfg.Inputs) == 0 {
		cfg.Inputs = []string{Stdin}
	}
	r := &run{cfg: cfg, progress: newProgress(cfg)}
	for range max(cfg.Workers, 1) {
		r.workers = append(r.workers, newWorker(cfg, out))
	}
	return r, nil
}

// input reads one input with all workers.
func (r *run) input(ctx context.Context, name string) error {
	src, err := open(name, r.cfg.Stdin, r.progress)
	if err != nil {
		return err
	}
	defer func() { _ = src.Close() }() // it was only read
	pieces := &pieces{src: src, numbered: r.cfg.Format == NDJSON}
	label := ""
	if len(r.cfg.Inputs) > 1 {
		label = name
	}
	g, ctx := errgroup.WithContext(ctx)
	for _, w := range r.workers {
		g.Go(func() error { return w.run(ctx, pieces, label) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if err := pieces.err(); err != nil {
		return fmt.Errorf("read %s: %w", inputName(name), err)
	}
	return nil
}

// report writes what all workers counted.
func (r *run) report(out io.Writer) error {
	if r.cfg.Format == NDJSON {
		return nil
	}
	all := r.workers[0].tally
	for _, w := range r.workers[1:] {
		all.add(w.tally)
	}
	if r.cfg.Format == Summary {
		return writeSummary(out, all)
	}
	return writeTable(out, all)
}

// A writeError is an error of the output, which ends everything.
type writeError struct{ err error }

func (e *writeError) Error() string { return e.err.Error() }
