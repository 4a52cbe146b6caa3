package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/awssim"
	"github.com/eks-authlog/eks-authlog/internal/store"
)

// lineEvery is how far apart the lines to catch up with are.
const lineEvery = 80 * time.Millisecond

// catchUp reads lines that were written while the daemon was down, into a new
// database, and shows what the CPU was used for; the simulator's part is in it.
func catchUp(ctx context.Context, out io.Writer, lines int, profileName string) error {
	start := time.Now().Add(-time.Duration(lines) * lineEvery).Add(-10 * time.Minute)
	server, err := busyCluster(start, lines) //nolint:contextcheck // it is closed below
	if err != nil {
		return err
	}
	err = withStore(ctx, func(st *store.SQLite) error {
		profile, err := os.Create(cmp.Or(profileName, filepath.Join(os.TempDir(), "eks-authlog-catchup.pprof")))
		if err != nil {
			return err
		}
		read := 0
		tc := tailConfig(time.Since(start) + time.Minute)
		tc.Saved = func(p *authlog.Page) { read += len(p.Lines) }
		t := newTail(server.Config(benchRegion), sourceConfig(), tc, st, newMetrics())
		runtime.GC()
		if err := pprof.StartCPUProfile(profile); err != nil {
			return err
		}
		began, cpu := time.Now(), cpuTime()
		settle(ctx, t)
		took, used := time.Since(began), cpuTime()-cpu
		pprof.StopCPUProfile()
		if err := profile.Close(); err != nil {
			return err
		}
		if read < lines {
			return fmt.Errorf("%d of %d lines were read", read, lines)
		}
		_, _ = fmt.Fprintf(out, "%d lines in %.1f s: %.0f lines/s on %d cores, simulator included; %.1f s of CPU: %.0f lines per CPU second\n\n",
			lines, took.Seconds(), float64(lines)/took.Seconds(), runtime.GOMAXPROCS(0), used.Seconds(), float64(lines)/used.Seconds())
		return top(ctx, out, profile.Name())
	})
	return errors.Join(err, server.Close())
}

// busyCluster serves a cluster's lines from start on.
func busyCluster(start time.Time, lines int) (*awssim.Server, error) {
	w := newWorld(time.Now)
	streams, err := newGroup(w.Account("111122223333").Region(benchRegion), "prod", start.Add(-time.Hour))
	if err != nil {
		return nil, err
	}
	rnd := rand.New(rand.NewPCG(seed1, seed2))
	events := make([][]awssim.Event, len(streams))
	for i := range lines {
		at := start.Add(time.Duration(i) * lineEvery)
		events[i%len(events)] = append(events[i%len(events)], awssim.Event{Time: at, Ingested: at.Add(3 * time.Second), Message: clusterLine(rnd, at)})
	}
	for i, s := range streams {
		s.Put(events[i]...)
	}
	return awssim.Start(w)
}

// top prints the first entries of a CPU profile.
func top(ctx context.Context, out io.Writer, profile string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	for _, order := range []string{"-flat", "-cum"} {
		cmd := exec.CommandContext(ctx, "go", "tool", "pprof", "-top", order, "-nodecount=25", self, profile)
		cmd.Stdout = out
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("go tool pprof: %w", err)
		}
	}
	return nil
}

// clusterLine is a line of a busy cluster: of 100 lines 70 are grants of some
// hundred principals, 20 denials of 500 that are not mapped, 8 STS responses and
// 2 denials with the JSON body of STS.
func clusterLine(rnd *rand.Rand, at time.Time) string {
	when, client := at.UTC().Format(time.RFC3339), 32768+rnd.IntN(28000)
	switch p := rnd.IntN(100); {
	case p < 70:
		n := rnd.IntN(300)
		return fmt.Sprintf("time=%q level=info msg=\"access granted\" arn=\"arn:aws:iam::111122223333:role/ci-%d\" client=\"127.0.0.1:%d\" groups=\"[system:masters]\" method=POST path=/authenticate stsendpoint=sts.eu-central-1.amazonaws.com uid=\"aws-iam-authenticator:111122223333:AROAEXAMPLE%d\" username=ci-%d", when, n, client, n, n)
	case p < 90:
		role := rnd.IntN(unmapped)
		return fmt.Sprintf("time=%q level=warning msg=\"access denied\" arn=\"arn:aws:iam::%012d:role/team-%03d-deployer\" client=\"127.0.0.1:%d\" error=\"identity is not mapped\" method=POST path=/authenticate", when, 111122223333+role%7, role, client)
	case p < 98:
		n := rnd.IntN(300)
		return fmt.Sprintf("time=%q level=info msg=\"STS response\" accesskeyid=ASIAEXAMPLE%d accountid=111122223333 arn=\"arn:aws:sts::111122223333:assumed-role/ci-%d/s\" client=\"127.0.0.1:%d\" method=POST path=/authenticate session=s stsendpoint=sts.eu-central-1.amazonaws.com userid=AROAEXAMPLE%d", when, rnd.IntN(1e6), n, client, n)
	}
	return fmt.Sprintf("time=%q level=warning msg=\"access denied\" client=\"127.0.0.1:%d\" error=%q method=POST path=/authenticate", when, client,
		fmt.Sprintf(`sts getCallerIdentity failed: error from AWS (expected 200, got 403) on eu-central-1 endpoint. Body: {"Error":{"Code":"InvalidClientTokenId","Message":"The security token included in the request is invalid.","Type":"Sender"},"RequestId":"%032x"}`, rnd.Uint64()))
}
