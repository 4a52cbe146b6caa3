package access_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/eks-authlog/eks-authlog/internal/access"
	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/awssim"
)

// gauges is what a meter was told last.
type gauges struct {
	mu      sync.Mutex
	logging map[string]string
	missing map[string]bool
}

func (g *gauges) Read(name, _, _ string, _ int, logging string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.logging[name] = logging
}

func (g *gauges) Gone(name, _, _ string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.logging, name)
}

func (g *gauges) Missing(_, _, action string, missing bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.missing[action] = missing
}

func (g *gauges) is(do func() bool) func() bool {
	return func() bool {
		g.mu.Lock()
		defer g.mu.Unlock()
		return do()
	}
}

// keeping runs a keeper on a scene and gives a function that ends it.
func keeping(t *testing.T, s *scene, edit ...func(*access.Config)) (*access.Keeper, *gauges, func()) {
	t.Helper()
	g := &gauges{logging: map[string]string{}, missing: map[string]bool{}}
	k := access.NewKeeper([]string{"777788889999"}, g, zerolog.Nop())
	return k, g, follow(t, s, k, edit...)
}

func follow(t *testing.T, s *scene, k *access.Keeper, edit ...func(*access.Config)) (end func()) {
	t.Helper()
	cfg := access.Config{AWS: s.aws.Config("eu-central-1"), Account: account, Rate: 1000, Kubernetes: true, IAM: true, TTL: 200 * time.Millisecond}
	for _, e := range edit {
		e(&cfg)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- k.Follow(ctx, cfg, func(name string) bool { return name != "unwanted" }) }()
	end = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(end)
	return end
}

// comes waits until something holds, at most as long as an edit may take to be
// seen.
func comes(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(seen)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not within %v: %s", seen, what)
		}
	}
}

var prodCluster = authlog.Cluster{Name: "prod", Account: account, Region: "eu-central-1"}

func clusterNames(k *access.Keeper) (names []string) {
	for _, c := range k.Clusters(authlog.Shard{Account: account, Region: "eu-central-1"}) {
		names = append(names, c.Name)
	}
	slices.Sort(names)
	return names
}

func TestKeeperKnowsEveryClusterThatIsWanted(t *testing.T) {
	s := newScene(t, roles(nodeItem))
	s.region.AddCluster(awssim.Cluster{Name: "quiet"})
	s.region.AddCluster(awssim.Cluster{Name: "unwanted"})
	k, g, _ := keeping(t, s)
	comes(t, "both are read", func() bool {
		return slices.Equal(clusterNames(k), []string{"prod", "quiet"}) && k.Access(prodCluster) != nil
	})
	f := k.Facts(prodCluster)
	if f.Mode != authlog.ModeBoth || f.Logging != authlog.Yes || !slices.Equal(f.Trusted, []string{"777788889999"}) {
		t.Errorf("%+v", f)
	}
	comes(t, "the log of one is off", g.is(func() bool { return g.logging["prod"] == "yes" && g.logging["quiet"] == "no" }))
	s.region.DeleteCluster("quiet")
	comes(t, "it is gone", func() bool { return slices.Equal(clusterNames(k), []string{"prod"}) })
	comes(t, "its series too", g.is(func() bool { return g.logging["quiet"] == "" }))
}

// A log group outlives its cluster.
func TestKeeperTellsOfAFollowedClusterThatEKSDoesNotHave(t *testing.T) {
	s := newScene(t, roles(nodeItem))
	k, _, _ := keeping(t, s)
	old := prodCluster
	old.Name = "old"
	k.Ask(old, nil)
	comes(t, "it is known to be gone", func() bool { return k.Facts(old).Status == access.StatusDeleted })
	if k.Access(old) != nil || slices.Contains(clusterNames(k), "old") {
		t.Errorf("%+v, %v", k.Access(old), clusterNames(k))
	}
}

func TestKeeperReadsAtOnceForANewDeniedPrincipal(t *testing.T) {
	s := newScene(t, roles(nodeItem, roleItem(iamARN+"role/team/x/Dev")))
	k, _, _ := keeping(t, s, func(c *access.Config) { c.TTL = time.Hour })
	comes(t, "the cluster is read", func() bool { return k.Access(prodCluster) != nil })
	before := s.world.Calls("ListAccessEntries")
	ask := func(names ...string) {
		var who []authlog.Asked
		for _, name := range names {
			who = append(who, authlog.Asked{Principal: role(name), Denied: time.Now()})
		}
		k.Ask(prodCluster, who)
	}
	ask("Dev")
	comes(t, "its cause is known", func() bool {
		v := k.Facts(prodCluster).Principals[iamARN+"role/Dev"]
		return len(v.Causes) == 2 && v.Causes[0].Code == "aws_auth_role_path" // and IAM has no such role
	})
	if n := s.world.Calls("ListAccessEntries"); n != before+1 {
		t.Errorf("%d readings for the first one, want one", n-before)
	}
	// A flood of new names does not make a flood of calls.
	for i := range 1000 {
		ask(fmt.Sprintf("probe-%d", i))
	}
	comes(t, "the watch goes on meanwhile", func() bool {
		s.kube.Set(roles(nodeItem))
		return len(k.Access(prodCluster).AWSAuth.Roles) == 1
	})
	if n := s.world.Calls("ListAccessEntries"); n > before+2 {
		t.Errorf("%d readings for a thousand names", n-before)
	}
}

func TestKeeperNamesRefusedCallsAndFollowsWhatIsAskedAbout(t *testing.T) {
	s := newScene(t, roles(nodeItem))
	k, g, _ := keeping(t, s)
	comes(t, "all is known", func() bool { a := k.Access(prodCluster); return a != nil && a.Tier == 3 })
	fault := s.world.Inject(awssim.Fault{Operation: "ListClusters", Fail: awssim.AccessDenied})
	comes(t, "the list is refused", func() bool {
		a := k.Access(prodCluster)
		return a.Tier == 0 && len(a.Missing) == 1 && a.Missing[0].Action == "eks:ListClusters" && a.Mode == authlog.ModeBoth
	})
	s.region.AddCluster(awssim.Cluster{Name: "later"})
	later := prodCluster
	later.Name = "later"
	k.Ask(later, nil)
	comes(t, "a cluster that has a log is read all the same", func() bool { return k.Access(later) != nil })
	comes(t, "the metric says so", g.is(func() bool { return g.missing["eks:ListClusters"] }))
	fault.Remove()
	comes(t, "and when it is over", g.is(func() bool { return !g.missing["eks:ListClusters"] }))
}

// With another configuration the same shards are followed anew: nothing is
// forgotten in between, and the new settings hold at once.
func TestKeeperBeginsAnewWithoutForgetting(t *testing.T) {
	s := newScene(t, roles(nodeItem))
	k, g, end := keeping(t, s, func(c *access.Config) { c.TTL = time.Hour })
	comes(t, "all is known", func() bool { a := k.Access(prodCluster); return a != nil && a.Tier >= 2 })
	end()
	if k.Access(prodCluster) == nil || k.Facts(prodCluster).Mode == "" {
		t.Error("forgotten")
	}
	g.is(func() bool {
		if len(g.logging) > 0 {
			t.Errorf("series of what nobody follows: %v", g.logging)
		}
		return true
	})()
	k.Trust([]string{"444455556666"})
	follow(t, s, k, func(c *access.Config) { c.TTL, c.Kubernetes = time.Hour, false })
	comes(t, "the new settings hold", func() bool {
		return k.Access(prodCluster).AWSAuth == nil && slices.Equal(k.Facts(prodCluster).Trusted, []string{"444455556666"})
	})
}
