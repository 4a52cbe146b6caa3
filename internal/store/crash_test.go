package store_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/store"
)

const (
	crashPath = "STORE_TEST_CRASH_PATH" // makes this binary a child that saves batches there
	crashStep = "STORE_TEST_CRASH_STEP" // the step of its first Save at which the child kills itself
	perBatch  = 20                      // denials, and as many grants
)

// numbered is the n-th batch of a child. It replaces part of what the batch
// before it saved.
func numbered(n int) authlog.Batch {
	at := noon.Add(time.Duration(n) * time.Minute)
	b := authlog.Batch{
		Markers: []authlog.Marker{{ID: authlog.NewID(at, keyOf("m", n)), Cluster: alpha, Time: at, Code: "code", Raw: "m"}},
		Samples: []authlog.Sample{{ID: authlog.NewID(at, keyOf("s", n)), Cluster: alpha, Time: at, Code: "code", Raw: "s"}},
		Seen: []authlog.Seen{
			{Cluster: alpha, Minute: minuteOf(at) - 1, Keys: keys(2*perBatch, n-1)},
			{Cluster: alpha, Minute: minuteOf(at), Keys: keys(perBatch, n)},
		},
		Cursors: []authlog.Cursor{{Cluster: alpha, Start: noon, Watermark: at, Through: at, Streams: []string{strconv.Itoa(n)}}},
	}
	for i := range perBatch {
		d := denial(alpha, at, i)
		d.Principal.ARN = fmt.Sprintf("arn:aws:iam::111122223333:role/%d-%d", n, i)
		b.Denials = append(b.Denials, d)
		b.Grants = append(b.Grants, authlog.Grant{Cluster: alpha, Time: at, Username: strconv.Itoa(i)})
	}
	return b
}

// reached is how many batches the store says that it has.
func reached(ctx context.Context, s *store.SQLite) (int, error) {
	cursors, err := s.Cursors(ctx, []authlog.Cluster{alpha})
	if err != nil || len(cursors) == 0 {
		return 0, err
	}
	return int(cursors[0].Watermark.Sub(noon) / time.Minute), nil
}

// crash is the child: it saves batch after batch, and prints the number of each
// that is saved. With a step given it saves one.
func crash(path string) (status int) {
	step, _ := strconv.Atoi(os.Getenv(crashStep))
	ctx := context.Background()
	s, err := store.Open(ctx, path, zerolog.Nop())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if step > 0 {
		var cancel func()
		ctx, cancel = mortal(ctx, int64(step))
		defer cancel()
	}
	n, err := reached(context.Background(), s)
	for err == nil {
		n++
		if err = s.Save(ctx, numbered(n)); err == nil {
			fmt.Fprintln(os.Stdout, n)
		}
		if step > 0 {
			break
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// A mortalContext kills the process when it is asked for the last time. Every
// statement asks its context, so this reaches between any two of them.
type mortalContext struct {
	context.Context //nolint:containedctx // it is one
	left            *atomic.Int64
}

// mortal returns a context that lets so many questions less one pass.
func mortal(ctx context.Context, questions int64) (mortalContext, func()) {
	ctx, cancel := context.WithCancel(ctx)
	left := new(atomic.Int64)
	left.Store(questions)
	return mortalContext{ctx, left}, cancel
}

func (c mortalContext) Done() <-chan struct{} {
	if c.left.Add(-1) == 0 {
		_ = unix.Kill(os.Getpid(), unix.SIGKILL)
		select {}
	}
	return c.Context.Done()
}

func child(t *testing.T, path string, step int) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), crashPath+"="+path, crashStep+"="+strconv.Itoa(step))
	cmd.Stderr = os.Stderr
	return cmd
}

// consistent opens what a child left and checks that it holds the first n
// batches, all of each and nothing else; it returns n.
func consistent(t *testing.T, path string) (n int) {
	t.Helper()
	s := open(t, path)
	defer func() { _ = s.Close() }()
	n, err := reached(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	var want authlog.Batch
	wantSeen := map[int64][]authlog.Key{}
	for i := range n {
		b := numbered(i + 1)
		want.Denials = append(want.Denials, b.Denials...)
		for _, x := range b.Seen {
			wantSeen[x.Minute] = x.Keys
		}
	}
	same(t, "denials", newestFirst(want.Denials), denials(t, s, authlog.DenialFilter{Cluster: "alpha", Limit: perBatch*n + 1}))
	gotSeen := map[int64][]authlog.Key{}
	for _, x := range seen(t, s, alpha, 0, minuteOf(noon)+1e6) {
		gotSeen[x.Minute] = x.Keys
	}
	same(t, "seen", wantSeen, gotSeen)
	db := raw(t, path)
	for query, want := range map[string]string{
		"SELECT ifnull(sum(n), 0) FROM grant_hour":                         strconv.Itoa(perBatch * n),
		"SELECT ifnull(sum(n), 0) FROM denial_hour":                        strconv.Itoa(perBatch * n),
		"SELECT count(DISTINCT principal) FROM denied":                     strconv.Itoa(perBatch * n),
		"SELECT count(*) FROM marker":                                      strconv.Itoa(n),
		"SELECT count(*) FROM sample":                                      strconv.Itoa(n),
		"SELECT group_concat(integrity_check) FROM pragma_integrity_check": "ok",
		"SELECT count(*) FROM pragma_foreign_key_check":                    "0",
	} {
		same(t, query, []string{fmt.Sprintf("%q", []string{want})}, ask(t, db, query))
	}
	return n
}

// TestKilledAtAnyStepOfSaveLeavesWholeBatches walks through the steps of a Save
// and kills it there. To be quick it leaves out most steps; each run takes
// others.
func TestKilledAtAnyStepOfSaveLeavesWholeBatches(t *testing.T) {
	path := dbPath(t)
	stride := 13
	if testing.Short() {
		stride = 50
	}
	before, killed := consistent(t, path), 0
	for step := 1 + rand.N(stride); ; step += stride {
		out, err := child(t, path, step).Output()
		if err == nil {
			break // it lived through all steps
		}
		killed++
		after := consistent(t, path)
		if len(out) > 0 || after < before || after > before+1 {
			t.Fatalf("killed at step %d: it said %q and went from batch %d to %d", step, out, before, after)
		}
		before = after
	}
	if killed < 100/stride {
		t.Errorf("killed at %d steps only: the context was hardly asked", killed)
	}
}

func TestKilledAtAnyTimeKeepsWhatWasSaved(t *testing.T) {
	path := dbPath(t)
	rounds := 10
	if testing.Short() {
		rounds = 3
	}
	for range rounds {
		cmd := child(t, path, 0)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		said, last := bufio.NewScanner(out), 0
		for first := true; said.Scan(); first = false {
			if last, err = strconv.Atoi(said.Text()); err != nil {
				t.Fatal(err)
			}
			if first {
				time.AfterFunc(rand.N(30*time.Millisecond), func() { _ = cmd.Process.Kill() })
			}
		}
		_ = cmd.Wait()
		if n := consistent(t, path); last == 0 || n < last || n > last+1 {
			t.Fatalf("the child had saved batch %d, but %d are stored", last, n)
		}
	}
}
