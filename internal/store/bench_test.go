package store_test

import (
	"context"
	"flag"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/store"
	"github.com/eks-authlog/eks-authlog/internal/store/storetest"
)

var stored = flag.Int("denials", 1_000_000, "how many denials BenchmarkDenials and BenchmarkClusters store first")

func openBench(b *testing.B) *store.SQLite {
	b.Helper()
	s, err := store.Open(b.Context(), filepath.Join(b.TempDir(), "authlog.db"), zerolog.Nop())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	return s
}

// BenchmarkSave saves lines of which 28 in 100 are denials; ns/op is of a batch.
func BenchmarkSave(b *testing.B) {
	for _, lines := range []int{1000, 10_000} {
		b.Run(fmt.Sprintf("lines=%d", lines), func(b *testing.B) {
			s, l, saved, used := openBench(b), storetest.NewLoad(50, noon, time.Millisecond), 0, time.Duration(0)
			for b.Loop() {
				b.StopTimer()
				batch := l.Batch(lines, 28)
				before := cpuTime()
				b.StartTimer()
				if err := s.Save(b.Context(), batch); err != nil {
					b.Fatal(err)
				}
				used += cpuTime() - before
				saved += lines
			}
			b.ReportMetric(float64(saved)/b.Elapsed().Seconds(), "lines/s")
			b.ReportMetric(float64(used.Nanoseconds())/float64(saved), "cpu-ns/line")
		})
	}
}

// cpuTime is what the process has used so far, of all cores.
func cpuTime() time.Duration {
	var u unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// filled opens a store with -denials denials of 90 days, of a fleet of so many
// clusters. Until the returned function is called, another goroutine keeps the
// writer busy.
func filled(b *testing.B, clusters int) (s *store.SQLite, end time.Time, stop func()) {
	b.Helper()
	s = openBench(b)
	l := storetest.NewLoad(clusters, noon.Add(-90*24*time.Hour), 90*24*time.Hour/time.Duration(*stored))
	for n := 0; n < *stored; n += 10_000 {
		if err := s.Save(b.Context(), l.Batch(10_000, 100)); err != nil {
			b.Fatal(err)
		}
	}
	end, l.Step = l.At, time.Millisecond
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() {
		for ctx.Err() == nil {
			if err := s.Save(context.WithoutCancel(ctx), l.Batch(1000, 28)); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	return s, end, func() {
		cancel()
		if err := <-done; err != nil {
			b.Error(err)
		}
	}
}

// timed runs ask over and over and reports its percentiles.
func timed(b *testing.B, name string, ask func() error) {
	b.Helper()
	b.Run(name, func(b *testing.B) {
		var took []time.Duration
		for b.Loop() {
			begin := time.Now()
			if err := ask(); err != nil {
				b.Fatal(err)
			}
			took = append(took, time.Since(begin))
		}
		slices.Sort(took)
		b.ReportMetric(took[len(took)/2].Seconds()*1e3, "p50-ms")
		b.ReportMetric(took[len(took)*99/100].Seconds()*1e3, "p99-ms")
	})
}

// BenchmarkDenials asks for pages of 100 while the writer is busy.
func BenchmarkDenials(b *testing.B) {
	s, end, stop := filled(b, 50)
	defer stop()
	const big, small = "cluster-0000", "cluster-0049"
	for name, f := range map[string]authlog.DenialFilter{
		"big":                    {Cluster: big},
		"small":                  {Cluster: small},
		"reason":                 {Cluster: big, Reasons: storetest.Reasons()[:1]},
		"rare_reason":            {Cluster: small, Reasons: storetest.Reasons()[9:]},
		"all_reasons":            {Cluster: big, Reasons: storetest.Reasons()},
		"principal":              {Cluster: big, Principal: storetest.Role(0, 0)},
		"rare_principal":         {Cluster: small, Principal: storetest.Role(49, 99)},
		"reason_principal":       {Cluster: big, Reasons: storetest.Reasons()[9:], Principal: storetest.Role(0, 0)},
		"reasons_of_a_day":       {Cluster: big, Reasons: storetest.Reasons()[:3], Start: end.Add(-48 * time.Hour), End: end.Add(-24 * time.Hour)},
		"deep_page":              {Cluster: big, Before: authlog.NewID(end.Add(-45*24*time.Hour), authlog.Key{})},
		"limit_1000":             {Cluster: big, Limit: 1000},
		"account":                {Account: "000000000001"},
		"everywhere":             {},
		"principal_anywhere":     {Principal: storetest.Role(1, 50)},
		"rare_reason_everywhere": {Reasons: storetest.Reasons()[9:]},
	} {
		if f.Limit == 0 {
			f.Limit = 100
		}
		timed(b, name, func() error { _, err := s.Denials(b.Context(), f); return err })
	}
	timed(b, "clusters", func() error { _, err := s.Clusters(b.Context(), end); return err })
}

// BenchmarkClusters lists a fleet of 2,000 while the writer is busy.
func BenchmarkClusters(b *testing.B) {
	s, end, stop := filled(b, 2000)
	defer stop()
	timed(b, "2000", func() error { _, err := s.Clusters(b.Context(), end); return err })
}

// BenchmarkRestore asks for what the page of a cluster and a start need of one
// with 200 roles and 5,000 nodes that came every hour of two days.
func BenchmarkRestore(b *testing.B) {
	s := openBench(b)
	for hour := range 48 {
		var batch authlog.Batch
		for i := range 5000 {
			g := grant(alpha, noon.Add(time.Duration(hour)*time.Hour), fmt.Sprintf("i-%017x", i))
			g.Username = "system:node:" + g.Principal.Session
			batch.Grants = append(batch.Grants, g)
		}
		for i := range 200 {
			g := grant(alpha, noon.Add(time.Duration(hour)*time.Hour), "")
			g.Principal.ARN = fmt.Sprintf("arn:aws:iam::111122223333:role/%d", i)
			batch.Grants = append(batch.Grants, g)
		}
		if err := s.Save(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
	}
	in := authlog.PrincipalFilter{Cluster: alpha.Name, Account: alpha.Account, Region: alpha.Region, Limit: 101}
	timed(b, "principals", func() error { _, err := s.Principals(b.Context(), in); return err })
	one := authlog.PrincipalFilter{ARN: "arn:aws:iam::111122223333:role/node", Limit: 200}
	timed(b, "one_principal", func() error { _, err := s.Principals(b.Context(), one); return err })
	timed(b, "grants", func() error {
		_, err := s.GrantSpans(b.Context(), alpha, noon.Add(-24*time.Hour), noon.Add(24*time.Hour))
		return err
	})
}
