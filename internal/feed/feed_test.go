package feed_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/feed"
)

// A log is a store of changes.
type log struct {
	mu      sync.Mutex
	changes []authlog.Change
	pruned  int64
	asked   int
}

func (l *log) ChangeBounds(context.Context) (authlog.ChangeBounds, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := authlog.ChangeBounds{Secret: [16]byte{1}}
	if n := len(l.changes); n > 0 {
		b.Last = l.changes[n-1].Place
	}
	return b, nil
}

func (l *log) PrunedAfter(_ context.Context, place int64) (found []authlog.Cluster, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.changes {
		if c.Place > place && c.Place <= l.pruned {
			found = append(found, c.Cluster())
		}
	}
	return found, nil
}

func (l *log) Changes(_ context.Context, after int64, limit int) ([]authlog.Change, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked++
	i := slices.IndexFunc(l.changes, func(c authlog.Change) bool { return c.Place > after && c.Place > l.pruned })
	if i < 0 {
		return nil, nil
	}
	return slices.Clone(l.changes[i:min(len(l.changes), i+limit)]), nil
}

func (l *log) timesAsked() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.asked
}

// prune drops the first n.
func (l *log) prune(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pruned = l.changes[n-1].Place
}

// save adds n changes of the cluster, whose places have gaps.
func (l *log) save(cluster string, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for range n {
		place := int64(3*len(l.changes) + 2)
		l.changes = append(l.changes, authlog.Change{
			Place: place, Kind: authlog.ChangeDenial,
			Denial: &authlog.Denial{Cluster: authlog.Cluster{Name: cluster}, Raw: strconv.Itoa(len(l.changes))},
		})
	}
}

func frame(id string, c *authlog.Change) []byte { return []byte(id + " " + c.Denial.Raw + "\n") }

func all(cluster string) feed.Interest {
	return feed.Interest{
		Cluster: cluster,
		Sees:    func(authlog.Cluster) bool { return true }, Wants: func(*authlog.Change) bool { return true },
	}
}

// start runs a feed of l until the test ends.
func start(t *testing.T, cfg feed.Config, l *log) *feed.Feed {
	t.Helper()
	f := feed.New(cfg, l, frame, zerolog.Nop())
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return f
}

func follow(t *testing.T, f *feed.Feed, after, cluster string) *feed.Follower {
	t.Helper()
	r, err := f.Follow(t.Context(), after, all(cluster))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// drain reads until nothing comes for a second.
func drain(t *testing.T, r *feed.Follower) (ids, texts []string, err error) {
	t.Helper()
	for {
		frames, err := r.Next(t.Context(), time.Second)
		if err != nil || len(frames) == 0 {
			return ids, texts, err
		}
		for line := range strings.Lines(string(frames)) {
			id, text, _ := strings.Cut(strings.TrimSpace(line), " ")
			ids, texts = append(ids, id), append(texts, text)
		}
	}
}

// pass lets so much time pass.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func numbers(from, to int) (list []string) {
	for i := from; i < to; i++ {
		list = append(list, strconv.Itoa(i))
	}
	return list
}

func mustDrain(t *testing.T, r *feed.Follower, want []string) (ids []string) {
	t.Helper()
	ids, texts, err := drain(t, r)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, texts); diff != "" {
		t.Fatal(diff)
	}
	return ids
}

func TestAFollowerGetsWhatIsSavedFromThenOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &log{}
		l.save("a", 5)
		f := start(t, feed.Config{}, l)
		r := follow(t, f, "", "")
		defer r.Close()
		l.save("a", 1500)
		mustDrain(t, r, numbers(5, 1505))
	})
}

// Whatever the id, and whether what follows it is kept for all or not, nothing
// is missing and nothing comes twice.
func TestAnyIDIsResumedFrom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &log{}
		f := start(t, feed.Config{Kept: 50}, l)
		first := follow(t, f, "", "")
		defer first.Close()
		begin := first.ID()
		var ids []string
		for range 20 {
			l.save("a", 10)
			ids = append(ids, mustDrain(t, first, numbers(len(ids), len(ids)+10))...)
		}
		for i := -1; i < len(ids); i++ {
			id := begin
			if i >= 0 {
				id = ids[i]
			}
			r := follow(t, f, id, "")
			if r.Missed {
				t.Errorf("after %d something is missed", i)
			}
			mustDrain(t, r, numbers(i+1, 200))
			r.Close()
		}
	})
}

func TestWhoFallsBehindIsToldAndLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &log{}
		f := start(t, feed.Config{Kept: 100}, l)
		r := follow(t, f, "", "")
		l.save("a", 10)
		mustDrain(t, r, numbers(0, 10))
		for range 30 { // it does not read meanwhile
			l.save("a", 10)
			pass(time.Second)
		}
		if _, texts, err := drain(t, r); !errors.Is(err, feed.ErrSlow) || len(texts) > 0 {
			t.Fatalf("%v, %d changes", err, len(texts))
		}
		again := follow(t, f, r.ID(), "")
		r.Close()
		defer again.Close()
		mustDrain(t, again, numbers(10, 310))
	})
}

// A reader of a quiet cluster is not slow because others are loud.
func TestAQuietClusterOutlivesLoudOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &log{}
		l.save("quiet", 1)
		f := start(t, feed.Config{Kept: 100}, l)
		r := follow(t, f, "", "quiet")
		defer r.Close()
		mustDrain(t, r, nil)
		for range 30 {
			l.save("loud", 50)
			pass(time.Second)
		}
		l.save("quiet", 1)
		mustDrain(t, r, []string{"1501"})
	})
}

func TestFramesAreBoundedByTheirBytesToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &log{}
		f := start(t, feed.Config{KeptBytes: 300}, l) // some ten frames
		r := follow(t, f, "", "")
		defer r.Close()
		mustDrain(t, r, nil)
		l.save("a", 100)
		pass(time.Second)
		if _, _, err := drain(t, r); !errors.Is(err, feed.ErrSlow) {
			t.Errorf("got %v", err)
		}
	})
}

func TestWhatWasPrunedIsMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &log{}
		f := start(t, feed.Config{}, l)
		r := follow(t, f, "", "")
		l.save("a", 10)
		ids := mustDrain(t, r, numbers(0, 10))
		r.Close()
		pass(time.Second)
		l.prune(6)
		for i, id := range ids {
			r := follow(t, f, id, "")
			if r.Missed != (i < 5) {
				t.Errorf("after %d of 5: missed is %v", i, r.Missed)
			}
			other := follow(t, f, id, "b")
			if other.Missed {
				t.Errorf("of another cluster, after %d something is missed", i)
			}
			other.Close()
			mustDrain(t, r, numbers(max(i+1, 6), 10))
			r.Close()
		}
		// The same store, as it was once.
		copied := start(t, feed.Config{}, &log{changes: l.changes[:8]})
		r = follow(t, copied, ids[9], "")
		defer r.Close()
		if !r.Missed {
			t.Error("an id that the store has not come to: nothing is missed")
		}
	})
}

func TestNoIDIsGuessed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &log{}
		l.save("a", 300)
		f := start(t, feed.Config{}, l)
		id := follow(t, f, "", "").ID()
		const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
		forged := []string{"0", "5", id + id, strings.ToLower(id), " " + id, id + "\n", id[:24] + "\r\n" + id[24:], id[:len(id)-4]}
		for i := range id {
			other := letters[(strings.IndexByte(letters, id[i])+1)%len(letters)]
			forged = append(forged, id[:i]+string(other)+id[i+1:])
		}
		for _, other := range forged {
			if _, err := f.Follow(t.Context(), other, all("")); !errors.Is(err, feed.ErrUnknownID) {
				t.Errorf("%q for %s: %v", other, id, err)
			}
		}
	})
}

// Who gets two ids does not learn from them whether anything was saved between.
func TestIDsOfOnePlaceDifferAndAnyInstanceKnowsThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &log{}
		l.save("a", 5)
		one, other := start(t, feed.Config{}, l), start(t, feed.Config{}, l)
		quiet := follow(t, one, "", "nothing")
		defer quiet.Close()
		seen := map[string]bool{}
		for range 100 {
			seen[follow(t, one, "", "nothing").ID()] = true
			seen[quiet.ID()] = true
		}
		if len(seen) != 200 {
			t.Errorf("200 ids of one place are %d", len(seen))
		}
		l.save("a", 3)
		for id := range seen {
			r := follow(t, other, id, "")
			mustDrain(t, r, numbers(5, 8))
			r.Close()
		}
	})
}

func TestThereIsAnEndToFollowers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, feed.Config{Followers: 2}, &log{})
		a, b := follow(t, f, "", ""), follow(t, f, "", "")
		if _, err := f.Follow(t.Context(), "", all("")); !errors.Is(err, feed.ErrFull) {
			t.Errorf("the third: %v", err)
		}
		a.Close()
		follow(t, f, "", "").Close()
		b.Close()
	})
}

func TestNobodyIsAskedForNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &log{}
		l.save("a", 3)
		f := start(t, feed.Config{}, l)
		pass(time.Hour)
		r := follow(t, f, "", "")
		mustDrain(t, r, nil)
		r.Close()
		pass(time.Second)
		asked := l.timesAsked()
		pass(time.Hour)
		if got := l.timesAsked(); got != asked || asked == 0 {
			t.Errorf("asked %d times, then %d", asked, got)
		}
		// What came while nobody followed is no news.
		l.save("a", 3)
		r = follow(t, f, "", "")
		defer r.Close()
		l.save("a", 1)
		mustDrain(t, r, []string{"6"})
	})
}

func TestTheEndOfTheFeedEndsItsFollowers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := feed.New(feed.Config{}, &log{}, frame, zerolog.Nop())
		ctx, cancel := context.WithCancel(t.Context())
		var wait sync.WaitGroup
		wait.Go(func() { f.Run(ctx) })
		r := follow(t, f, "", "")
		time.AfterFunc(time.Minute, cancel)
		if _, err := r.Next(t.Context(), time.Hour); !errors.Is(err, feed.ErrStopped) {
			t.Errorf("got %v", err)
		}
		wait.Wait()
		if _, err := f.Follow(t.Context(), "", all("")); !errors.Is(err, feed.ErrStopped) {
			t.Errorf("afterwards: %v", err)
		}
	})
}
