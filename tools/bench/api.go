package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// apiBench measures the API over stores of several sizes, while the writer is
// busy.
func apiBench(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("api", flag.ExitOnError)
	sizes := flags.String("denials", "1000000,10000000", "how many denials are stored, one run for each")
	dir := flags.String("dir", filepath.Join(os.TempDir(), "eks-authlog-bench"), "where the filled stores are kept for the next time")
	span := flags.Duration("duration", 10*time.Second, "how long each question is asked")
	only := flags.String("only", "", "ask only questions whose name has this in it")
	if err := flags.Parse(args); err != nil {
		return err
	}
	for size := range strings.SplitSeq(*sizes, ",") {
		n, err := strconv.Atoi(size)
		if err != nil || n < 1 {
			return fmt.Errorf("--denials: %q is no number of denials", size)
		}
		if err := apiRun(ctx, os.Stdout, *dir, n, *span, *only); err != nil {
			return fmt.Errorf("%d denials: %w", n, err)
		}
	}
	return nil
}

// apiRun works on a copy of the filled store, for the writer changes it.
func apiRun(ctx context.Context, out io.Writer, dir string, denials int, span time.Duration, only string) (err error) {
	filled, err := filledStore(ctx, dir, denials)
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp(dir, "api-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	db := filepath.Join(work, "analyzer.db")
	if err = copyFile(filled, db); err != nil {
		return err
	}
	// The hours to come have as many denials as those that are stored.
	s, err := startServer(ctx, db, apiSpan/time.Duration(denials)*apiDenied/100)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	return s.table(ctx, out, denials, span, only)
}

// table asks every question whose name has only in it, and prints what it took.
func (s *apiServer) table(ctx context.Context, out io.Writer, denials int, span time.Duration, only string) error {
	questions, err := s.questions(ctx, only)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\n%d denials stored\n\n| question | a second | p50 ms | p99 ms | failed %% | answer kB, gzip | RSS MB |\n|---|---:|---:|---:|---:|---:|---:|\n", denials)
	before, err := s.usage()
	if err != nil {
		return err
	}
	begin := time.Now()
	for _, q := range questions {
		took, err := q.run(ctx, s.url, span)
		if err != nil {
			return fmt.Errorf("%s: %w", q.name, err)
		}
		used, err := s.usage()
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "| %s | %d | %.2f | %.2f | %.1f | %.1f | %.0f |\n", q.name, q.rate,
			took.p50.Seconds()*1e3, took.p99.Seconds()*1e3, took.failed*100, took.bytes/1e3, used.RSS*1024/1e6)
	}
	used, err := s.usage()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "\nThe writer saved %.0f lines a second meanwhile; RSS at most %.0f MB.\n",
		float64(used.Lines-before.Lines)/time.Since(begin).Seconds(), used.Peak*1024/1e6)
	return err
}
