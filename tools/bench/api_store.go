package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/rs/zerolog"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/store"
	"github.com/eks-authlog/eks-authlog/internal/store/storetest"
)

const (
	apiClusters = 50
	apiLockouts = 100 // of each of the first clusters
	apiSpan     = 90 * 24 * time.Hour
	apiDenied   = 28 // of 100 lines that the busy writer saves
)

// apiEnd is when the filled stores end; they hold the 90 days before.
func apiEnd() time.Time { return time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC) }

// filledStore makes a store of so many denials in dir unless it is there.
func filledStore(ctx context.Context, dir string, denials int) (string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	name := filepath.Join(dir, fmt.Sprintf("denials-%d-v1.db", denials))
	if _, err := os.Stat(name); err == nil {
		return name, nil
	}
	fmt.Fprintf(os.Stderr, "filling %s\n", name)
	part := name + ".part"
	for _, suffix := range []string{"", "-wal", "-shm"} {
		_ = os.Remove(part + suffix) // of a run that was cut short
	}
	if err := fill(ctx, part, denials); err != nil {
		return "", err
	}
	return name, os.Rename(part, name)
}

func fill(ctx context.Context, name string, denials int) (err error) {
	s, err := store.Open(ctx, name, zerolog.Nop())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	l := storetest.NewLoad(apiClusters, apiEnd().Add(-apiSpan), apiSpan/time.Duration(denials))
	for n := 0; n < denials; n += 10_000 {
		if err := s.Save(ctx, l.Batch(min(10_000, denials-n), 100)); err != nil {
			return err
		}
	}
	var open []authlog.Diagnosis
	for cluster := range apiClusters / 10 {
		for i := range apiLockouts {
			open = append(open, l.Lockout(cluster, i))
		}
	}
	return s.Save(ctx, authlog.Batch{Diagnoses: open})
}

func copyFile(from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	if _, err = io.Copy(out, in); err != nil {
		return err
	}
	return out.Sync()
}
