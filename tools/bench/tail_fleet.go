package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/awssim"
)

const (
	fleetAccounts = 20
	// linesEach is how many lines each cluster writes a minute.
	linesEach = 2
	// fleetPast is how much is there before the fleet is measured: what the
	// oldest sweep reads.
	fleetPast = 130 * time.Minute
)

// fleetRegions are the regions of each account.
func fleetRegions() []string { return []string{benchRegion, "us-east-1"} }

// A fleet is a simulated AWS and a reader of it, a process of its own.
type fleet struct {
	world  *awssim.World
	clock  *stepped
	server *awssim.Server
	bytes  float64 // of a minute's authenticator lines of all clusters

	reader  *exec.Cmd
	orders  io.WriteCloser
	answers *json.Decoder
}

// fleets measures fleets of these sizes and prints a row for each.
func fleets(ctx context.Context, out io.Writer, sizes string, minutes int) error {
	tw := tabwriter.NewWriter(out, 0, 8, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintf(out, "fleets in %d accounts x %d regions, %d lines a minute each, %d simulated minutes\n",
		fleetAccounts, len(fleetRegions()), linesEach, minutes)
	_, _ = fmt.Fprintln(tw, "clusters\tCPU s/min\tRSS MiB\tpeak MiB\tStartQuery/min\tcalls/min\tscanned/authenticator bytes\tlines\t")
	for size := range strings.SplitSeq(sizes, ",") {
		clusters, err := strconv.Atoi(size)
		if err != nil {
			return err
		}
		row, err := measureFleet(ctx, clusters, minutes)
		if err != nil {
			return err
		}
		_, _ = fmt.Fprintln(tw, row)
		if err := tw.Flush(); err != nil {
			return err
		}
	}
	return nil
}

func measureFleet(ctx context.Context, clusters, minutes int) (row string, err error) {
	f, err := newFleet(clusters, minutes) //nolint:contextcheck // it is closed below
	if err != nil {
		return "", err
	}
	defer f.server.Close()
	if err := f.start(ctx); err != nil {
		return "", err
	}
	before, err := f.cycle() // catches up
	if err != nil {
		return "", err
	}
	starts, calls, scanned := f.world.Calls("StartQuery"), f.calls(), f.scanned()
	var after usage
	for range minutes {
		f.clock.add(time.Minute)
		if after, err = f.cycle(); err != nil {
			return "", err
		}
	}
	n := float64(minutes)
	row = fmt.Sprintf("%d\t%.2f\t%.0f\t%.0f\t%.1f\t%.0f\t%.2f\t%d\t", clusters,
		(after.CPU-before.CPU).Seconds()/n, after.RSS/1024, after.Peak/1024,
		float64(f.world.Calls("StartQuery")-starts)/n, float64(f.calls()-calls)/n,
		(f.scanned()-scanned)/n/f.bytes, after.Lines)
	if err := f.orders.Close(); err != nil {
		return "", err
	}
	return row, f.reader.Wait()
}

// newFleet serves the clusters, and all their lines until the end.
func newFleet(clusters, minutes int) (*fleet, error) {
	f := &fleet{clock: &stepped{at: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)}}
	f.world = newWorld(f.clock.now)
	begin := f.clock.now().Add(-fleetPast)
	lines := int((fleetPast/time.Minute + time.Duration(minutes)) * linesEach)
	for i := range clusters {
		r := f.world.Account(fleetAccount(i)).Region(fleetRegions()[i/fleetAccounts%len(fleetRegions())])
		streams, err := newGroup(r, fmt.Sprintf("cluster-%04d", i), begin.Add(-time.Hour))
		if err != nil {
			return nil, err
		}
		// Clusters do not write at the same moment.
		first := begin.Add(time.Duration(i) * 7919 * time.Millisecond % time.Minute)
		bytes := 0
		for k := range lines {
			at := first.Add(time.Duration(k) * time.Minute / linesEach)
			shown := at.Add(time.Duration(2000+(i+k)*997%3000) * time.Millisecond)
			text := fleetLine(i, k, at)
			bytes += len(text)
			streams[k%len(streams)].Put(awssim.Event{Time: at, Ingested: shown, Visible: shown, Message: text})
		}
		f.bytes += float64(bytes) / float64(lines) * linesEach
	}
	server, err := awssim.Start(f.world)
	f.server = server
	return f, err
}

func fleetAccount(i int) string { return strconv.Itoa(111122220000 + i%fleetAccounts) }

// fleetLine is a grant, and of ten lines one a denial.
func fleetLine(cluster, n int, at time.Time) string {
	if n%10 == 0 {
		return fmt.Sprintf("time=%q level=warning msg=\"access denied\" arn=\"arn:aws:iam::%s:role/team-%02d-deployer\" client=\"127.0.0.1:%d\" error=\"identity is not mapped\" method=POST path=/authenticate",
			at.Format(time.RFC3339), fleetAccount(cluster), n%30, 32768+n)
	}
	return fmt.Sprintf("time=%q level=info msg=\"access granted\" arn=\"arn:aws:iam::%s:role/ci-%d\" client=\"127.0.0.1:%d\" groups=\"[system:masters]\" method=POST path=/authenticate stsendpoint=sts.eu-central-1.amazonaws.com uid=\"aws-iam-authenticator:%s:AROAEXAMPLE%d\" username=ci",
		at.Format(time.RFC3339), fleetAccount(cluster), n%5, 32768+n, fleetAccount(cluster), n%5)
}

// start starts the reader and tells it what to read.
func (f *fleet) start(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	f.reader = exec.CommandContext(ctx, self, tailCommand)
	f.reader.Stderr = os.Stderr
	if f.orders, err = f.reader.StdinPipe(); err != nil {
		return err
	}
	answers, err := f.reader.StdoutPipe()
	if err != nil {
		return err
	}
	f.answers = json.NewDecoder(bufio.NewReader(answers))
	if err := f.reader.Start(); err != nil {
		return err
	}
	task := fleetTask{URL: f.server.URL(), Past: fleetPast}
	for i := range fleetAccounts {
		keys := f.world.Account(fleetAccount(i)).Keys()
		for _, region := range fleetRegions() {
			task.Shards = append(task.Shards, fleetShard{region, keys.AccessKeyID, keys.SecretAccessKey})
		}
	}
	return json.NewEncoder(f.orders).Encode(task)
}

// cycle has the reader read on until it has caught up.
func (f *fleet) cycle() (used usage, err error) {
	if _, err = io.WriteString(f.orders, "1\n"); err == nil {
		err = f.answers.Decode(&used)
	}
	return used, err
}

func (f *fleet) calls() (n int) {
	for _, calls := range f.world.CallsBy() {
		n += calls
	}
	return n
}

func (f *fleet) scanned() (bytes float64) {
	for i := range fleetAccounts {
		bytes += f.world.Billed(fleetAccount(i))
	}
	return bytes
}
