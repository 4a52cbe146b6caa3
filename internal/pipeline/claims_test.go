package pipeline_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/diagnose"
	"github.com/eks-authlog/eks-authlog/internal/pipeline"
	"github.com/eks-authlog/eks-authlog/internal/store"
)

const (
	instanceA = "authenticator-0123456789abcdef0123456789abcdef"
	instanceB = "authenticator-fedcba9876543210fedcba9876543210"
)

var central = authlog.Cluster{Name: "alpha", Account: "999900001111", Region: "eu-central-1"}

// A watch is several tails over one store, as a daemon with several sources.
type watch struct {
	store  *store.SQLite
	claims *pipeline.Claims
	tails  []*pipeline.Tail
	clouds []*cloud
}

func newWatch(t *testing.T, clouds ...*cloud) *watch {
	t.Helper()
	st, err := store.Open(t.Context(), dbPath(t), zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	w := &watch{store: st, claims: pipeline.NewClaims(), clouds: clouds}
	m := pipeline.NewMetrics(prometheus.NewRegistry(), []string{"denied"}, []string{"arn_not_mapped"})
	for _, c := range clouds {
		cfg := pipeline.Config{
			Interval: time.Hour, SettleMin: time.Minute, SettleMax: 2 * time.Minute, Discovery: 10 * time.Minute,
			Lookback: time.Hour, Step: time.Hour, SweepInterval: 10 * time.Minute, Diagnose: diagnose.Default(), Claims: w.claims,
		}
		w.tails = append(w.tails, pipeline.NewTail("test", cfg, c, st, m, pipeline.NewHealth(), zerolog.Nop()))
	}
	return w
}

// cycles runs all tails at a time, n times a minute apart.
func (w *watch) cycles(t *testing.T, n int) {
	t.Helper()
	for range n {
		var wait sync.WaitGroup
		for _, tail := range w.tails {
			wait.Go(func() {
				for tail.Cycle(t.Context()) {
				}
			})
		}
		wait.Wait()
		for _, c := range w.clouds {
			c.now = c.now.Add(time.Minute)
		}
	}
}

// denials are those stored, by account.
func (w *watch) denials(t *testing.T) map[string]int {
	t.Helper()
	all, err := w.store.Denials(t.Context(), authlog.DenialFilter{Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	by := map[string]int{}
	for _, d := range all {
		by[d.Cluster.Account]++
	}
	return by
}

// write puts n denials of the last minutes into the stream.
func write(c *cloud, cl authlog.Cluster, stream string, n int) {
	for i := range n {
		at := c.now.Add(-10*time.Minute + time.Duration(i)*time.Second)
		c.put(cl, stream, denied(i, at), at, time.Second)
	}
}

func TestACopyInACentralAccountIsLeftToTheOriginal(t *testing.T) {
	for _, name := range []string{instanceA, instanceA + "-111122223333-eu-central-1"} {
		own, copied := newCloud(1), newCloud(2)
		own.addGroup(alpha, noon.Add(-2*time.Hour), authlog.Stream{Name: instanceA, Created: noon.Add(-2 * time.Hour)})
		copied.addGroup(central, noon.Add(-2*time.Hour),
			authlog.Stream{Name: name, Created: noon.Add(-time.Hour)},
			authlog.Stream{Name: instanceB, Created: noon.Add(-time.Hour)}) // of a cluster that nobody else reads
		write(own, alpha, instanceA, 20)
		write(copied, central, name, 20)
		write(copied, central, instanceB, 7)
		// Whoever lists first must not matter.
		for _, order := range [][]*cloud{{own, copied}, {copied, own}} {
			w := newWatch(t, order...)
			w.claims.Expect(2)
			w.cycles(t, 5)
			want := map[string]int{alpha.Account: 20, central.Account: 7}
			if diff := cmp.Diff(want, w.denials(t)); diff != "" {
				t.Errorf("copied as %s: %s", name, diff)
			}
			for _, c := range order {
				c.now = noon
			}
		}
	}
}

func TestALogGroupThatTwoSourcesListIsReadByOne(t *testing.T) {
	direct, linked := newCloud(1), newCloud(2)
	for _, c := range []*cloud{direct, linked} {
		c.addGroup(alpha, noon.Add(-2*time.Hour), authlog.Stream{Name: instanceA, Created: noon.Add(-2 * time.Hour)})
		write(c, alpha, instanceA, 20)
	}
	w := newWatch(t, direct, linked)
	w.cycles(t, 5)
	if n := min(len(direct.asked), len(linked.asked)); n != 0 {
		t.Errorf("both were asked for lines, one of them %d times", n)
	}
	if got := w.denials(t)[alpha.Account]; got != 20 {
		t.Errorf("%d denials, want 20", got)
	}
	// When the one that reads it does not list it any more, the other does.
	reader := direct
	if len(linked.asked) > 0 {
		reader = linked
	}
	reader.groups = nil
	asked := len(direct.asked) + len(linked.asked)
	w.cycles(t, 25)
	if len(direct.asked)+len(linked.asked) == asked || w.denials(t)[alpha.Account] != 20 {
		t.Errorf("after it was given back it was asked for %d times, and there are %d denials",
			len(direct.asked)+len(linked.asked)-asked, w.denials(t)[alpha.Account])
	}
}

func TestClustersOfOneNameInTwoAccountsAreTwo(t *testing.T) {
	one, other := newCloud(1), newCloud(2)
	one.addGroup(alpha, noon.Add(-2*time.Hour), authlog.Stream{Name: instanceA, Created: noon.Add(-2 * time.Hour)})
	other.addGroup(central, noon.Add(-2*time.Hour), authlog.Stream{Name: instanceB, Created: noon.Add(-2 * time.Hour)})
	write(one, alpha, instanceA, 3)
	write(other, central, instanceB, 4)
	w := newWatch(t, one, other)
	w.cycles(t, 3)
	if diff := cmp.Diff(map[string]int{alpha.Account: 3, central.Account: 4}, w.denials(t)); diff != "" {
		t.Error(diff)
	}
}

func TestASourceThatCannotListKeepsNobodyWaiting(t *testing.T) {
	broken, whole := newCloud(1), newCloud(2)
	whole.addGroup(alpha, noon.Add(-2*time.Hour), authlog.Stream{Name: instanceA, Created: noon.Add(-2 * time.Hour)})
	write(whole, alpha, instanceA, 3)
	broken.refuses = errors.New("not allowed")
	w := newWatch(t, broken, whole)
	w.claims.Expect(2)
	w.cycles(t, 2) // would wait for good
	if got := w.denials(t)[alpha.Account]; got != 3 {
		t.Errorf("%d denials, want 3", got)
	}
}
