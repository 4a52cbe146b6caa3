package access_test

import (
	"fmt"
	"net"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/eks-authlog/eks-authlog/internal/access"
	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/awssim"
)

func hourly(c *access.Config) { c.TTL = time.Hour }

func named(name string) authlog.Cluster {
	c := prodCluster
	c.Name = name
	return c
}

// denied asks about a role that was denied just now.
func denied(k *access.Keeper, c authlog.Cluster, name string) {
	k.Ask(c, []authlog.Asked{{Principal: role(name), Denied: time.Now()}})
}

func TestNobodyWaitsForAnAPIServerThatDoesNotAnswer(t *testing.T) {
	silent, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0") // takes connections, and that is all
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	s := newScene(t, roles(nodeItem, roleItem(iamARN+"role/team/x/Dev")))
	s.account.AddRole(awssim.Role{Name: "team/x/Dev", Created: clusterMade})
	private := []authlog.Cluster{named("a1"), named("a2"), named("a3")}
	for _, p := range private {
		c := s.cluster
		c.Name, c.Endpoint = p.Name, "https://"+silent.Addr().String()
		s.region.AddCluster(c)
	}
	k, _, _ := keeping(t, s, hourly)
	for _, c := range append(private, prodCluster) {
		denied(k, c, "Dev")
	}
	cause := func(c authlog.Cluster) string {
		if v, ok := k.Facts(c).Principals[iamARN+"role/Dev"]; ok {
			return v.Causes[0].Code
		}
		return ""
	}
	comes(t, "the cluster that answers is explained", func() bool { return cause(prodCluster) == "aws_auth_role_path" })
	for _, c := range private {
		comes(t, "what EKS tells is known", func() bool { return k.Facts(c).Mode == authlog.ModeBoth })
		if got := cause(c); got != "" {
			t.Errorf("%s: %s is said before its aws-auth could be read", c.Name, got)
		}
	}
	if err := silent.Close(); err != nil {
		t.Fatal(err)
	}
	for _, c := range private {
		comes(t, "without aws-auth less is said", func() bool { return cause(c) == "entry_missing" })
		if a := k.Access(c); len(a.Problems) != 1 || a.Tier != 1 {
			t.Errorf("%s: tier %d, %q", c.Name, a.Tier, a.Problems)
		}
	}
}

// gate lets calls of an operation pass one by one, and all once it is open.
func gate(s *scene, operation string) (pass chan<- struct{}, open func()) {
	ch := make(chan struct{})
	s.world.Inject(awssim.Fault{Operation: operation, Do: func() { <-ch }})
	open = sync.OnceFunc(func() { close(ch) })
	s.t.Cleanup(open)
	return ch, open
}

func pass(t *testing.T, gate chan<- struct{}) {
	t.Helper()
	select {
	case gate <- struct{}{}:
	case <-time.After(seen):
		t.Fatal("no call comes")
	}
}

func TestADenialDoesNotWaitUntilAllClustersAreRead(t *testing.T) {
	s := newScene(t, roles(nodeItem))
	for i := range 20 {
		s.region.AddCluster(awssim.Cluster{Name: fmt.Sprintf("a%d", i)})
	}
	k, _, _ := keeping(t, s, hourly, func(c *access.Config) { c.Kubernetes = false })
	describe, open := gate(s, "DescribeCluster")
	pass(t, describe)
	denied(k, prodCluster, "Dev")
	for n := 0; len(k.Facts(prodCluster).Principals) == 0; n++ {
		// The one under way and one that is due longest come first.
		if n > 3 {
			t.Fatalf("%d clusters are read before the one that somebody waits for", n)
		}
		pass(t, describe)
	}
	open()
}

func TestClustersAreListedWhileManyAreRead(t *testing.T) {
	s := newScene(t, roles(nodeItem))
	s.region.AddCluster(awssim.Cluster{Name: "other"})
	const ttl = 50 * time.Millisecond
	describe, open := gate(s, "DescribeCluster")
	keeping(t, s, func(c *access.Config) { c.TTL = ttl })
	comes(t, "the clusters are listed", func() bool { return s.world.Calls("ListClusters") == 1 })
	listed := time.Now()
	comes(t, "the list is due", func() bool { return time.Since(listed) > 2*ttl })
	pass(t, describe)
	comes(t, "they are listed again before the second is read", func() bool { return s.world.Calls("ListClusters") == 2 })
	open()
}

func TestNobodyWatchesAClusterThatIsNotListedAnyMore(t *testing.T) {
	s := newScene(t, roles(nodeItem))
	k, _, _ := keeping(t, s, func(c *access.Config) { c.TTL = time.Second })
	comes(t, "the watch runs", func() bool { return k.Access(prodCluster) != nil && s.kube.Watches() == 1 })
	s.region.DeleteCluster("prod")
	comes(t, "it is gone", func() bool { return len(clusterNames(k)) == 0 && k.Access(prodCluster) == nil })
	comes(t, "its watch has ended", func() bool { return s.kube.Watches() == 0 })
}

func TestEKSIsRarelyAskedForAClusterThatItDoesNotHave(t *testing.T) {
	s := newScene(t, roles(nodeItem))
	s.world.Inject(awssim.Fault{Operation: "ListClusters", Fail: awssim.AccessDenied})
	k, _, _ := keeping(t, s, func(c *access.Config) { c.TTL = 500 * time.Millisecond })
	old := named("old")
	k.Ask(old, nil)
	comes(t, "it is gone", func() bool { return k.Facts(old).Status == access.StatusDeleted })
	described, listed, began := s.world.Calls("DescribeCluster"), s.world.Calls("ListClusters"), time.Now()
	comes(t, "four TTLs are over", func() bool {
		denied(k, old, "Dev") // who is denied in what its log still tells
		return s.world.Calls("ListClusters") >= listed+4
	})
	if n := s.world.Calls("DescribeCluster") - described; n > 1+int(time.Since(began)/(3*time.Second)) {
		t.Errorf("asked for %d times in four TTLs", n)
	}
}

func TestAClusterThatIsListedAgainIsReadAgain(t *testing.T) {
	s := newScene(t, roles(nodeItem))
	k, _, _ := keeping(t, s, func(c *access.Config) { c.TTL = 2 * time.Second })
	old := named("old")
	k.Ask(old, nil)
	comes(t, "it is gone", func() bool { return k.Facts(old).Status == access.StatusDeleted })
	s.region.AddCluster(awssim.Cluster{Name: "old"})
	comes(t, "it is back", func() bool { return k.Access(old) != nil && slices.Contains(clusterNames(k), "old") })
}

func TestAClusterThatNobodyAsksAboutIsForgotten(t *testing.T) {
	s := newScene(t, roles(nodeItem))
	k, _, _ := keeping(t, s, func(c *access.Config) { c.TTL = 100 * time.Millisecond })
	comes(t, "one is listed", func() bool { return k.Access(prodCluster) != nil })
	s.world.Inject(awssim.Fault{Operation: "ListClusters", Fail: awssim.AccessDenied})
	s.region.DeleteCluster("prod")
	old := named("old")
	k.Ask(old, nil)
	for _, c := range []authlog.Cluster{old, prodCluster} {
		comes(t, "it is gone", func() bool { return k.Facts(c).Status != "ACTIVE" })
		comes(t, "nothing is kept of it", func() bool { return k.Facts(c).Status == "" && len(clusterNames(k)) == 0 })
	}
}

// A look for an edit of aws-auth does not put off what EKS is asked.
func TestALookThatReadsNothingPutsNoReadingOff(t *testing.T) {
	s := newScene(t, roles(nodeItem))
	const ttl = 5 * time.Second
	k, _, _ := keeping(t, s, func(c *access.Config) { c.TTL = ttl })
	known := func() bool { a := k.Access(prodCluster); return a != nil && a.AWSAuth != nil }
	comes(t, "all is known", known)
	first := k.Access(prodCluster).Read
	comes(t, "much of the TTL is over", func() bool { return time.Since(first) > ttl*7/10 })
	s.kube.Set(roles(nodeItem, roleItem(iamARN+"role/Dev")))
	comes(t, "the edit is seen", func() bool { return len(k.Access(prodCluster).AWSAuth.Roles) == 2 })
	comes(t, "EKS is asked", func() bool { return !k.Access(prodCluster).Read.Equal(first) })
	if after := k.Access(prodCluster).Read.Sub(first); after >= ttl*17/10 {
		t.Errorf("EKS was asked after %v, with a TTL of %v", after, ttl)
	}
}

func TestTheEntryOfAPrincipalThatIsKeptOutIsReadWithTheCluster(t *testing.T) {
	s := newScene(t, roles(nodeItem))
	s.change(func(c *awssim.Cluster) { c.AccessEntries = []awssim.AccessEntry{entry(iamARN+"role/team/Dev", later)} })
	k, _, _ := keeping(t, s, func(c *access.Config) { c.TTL = 2 * time.Second })
	denied(k, prodCluster, "Dev")
	comes(t, "it is explained", func() bool { return len(k.Facts(prodCluster).Principals) == 1 })
	s.change(func(c *awssim.Cluster) { c.AccessEntries[0].Username = "new" })
	comes(t, "its entry is read again", func() bool { return k.Access(prodCluster).Entries[0].Username == "new" })
}

func TestAsksThatNobodyReadsForAreNotKept(t *testing.T) {
	k := access.NewKeeper(nil, &gauges{logging: map[string]string{}, missing: map[string]bool{}}, zerolog.Nop())
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	for i := range 50_000 {
		denied(k, prodCluster, fmt.Sprintf("ci-%d", i))
		k.Ask(prodCluster, nil)
	}
	if grown := heap() - before; grown > 1<<20 {
		t.Errorf("%d KiB are kept for a cluster that asks about nobody", grown>>10)
	}
	runtime.KeepAlive(k)
}

// Until another configuration has told as much, what was known stays.
func TestAWSAuthIsNotForgottenWhileItIsReadAnew(t *testing.T) {
	s := newScene(t, roles(nodeItem))
	k, _, end := keeping(t, s)
	known := func() bool { a := k.Access(prodCluster); return a != nil && a.AWSAuth != nil }
	comes(t, "all is known", known)
	end()
	release := make(chan struct{})
	open := sync.OnceFunc(func() { close(release) })
	defer open()
	s.kube.Before("get", func() { <-release })
	read := k.Access(prodCluster).Read
	before := s.world.Calls("DescribeCluster")
	follow(t, s, k)
	comes(t, "EKS is asked twice", func() bool { return s.world.Calls("DescribeCluster") >= before+3 })
	if !known() {
		t.Error("aws-auth is forgotten")
	}
	open()
	comes(t, "all is read anew", func() bool { return known() && k.Access(prodCluster).Read.After(read) })
}
