package access_test

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/access"
)

// seen is the promise: an edit of aws-auth is seen within this time.
const seen = 10 * time.Second

// watching runs a reader and gives a function that waits for the next change
// of aws-auth, and how long that took.
func watching(t *testing.T, s *scene, edit ...func(*access.Config)) (*access.Reader, func(do func())) {
	t.Helper()
	changes := make(chan string, 16)
	edit = append(edit, func(c *access.Config) { c.OnChange = func(cluster string) { changes <- cluster } })
	r := s.reader(edit...)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	await := func(do func()) {
		t.Helper()
		do()
		select {
		case name := <-changes:
			if name != "prod" {
				t.Errorf("%q changed", name)
			}
		case <-time.After(seen):
			t.Fatalf("not seen within %v", seen)
		}
	}
	return r, await
}

func TestEditOfAWSAuthIsSeenWithinTenSeconds(t *testing.T) {
	s := newScene(t, roles(nodeItem))
	r, await := watching(t, s)
	await(func() { s.access(r) })
	items := func(want int) {
		t.Helper()
		if a := s.access(r); len(a.AWSAuth.Roles) != want || a.AWSAuth.Exists != (want > 0) {
			t.Errorf("%d roles, exists %v; want %d", len(a.AWSAuth.Roles), a.AWSAuth.Exists, want)
		}
	}
	items(1)
	await(func() { s.kube.Set(roles(nodeItem, roleItem(iamARN+"role/Dev"))) })
	items(2)
	await(func() { s.kube.Set(nil) })
	items(0)
	await(func() { s.kube.Set(roles(nodeItem)) })
	items(1)
	// A connection that breaks is opened anew, and what came meanwhile is read.
	await(func() { s.kube.Drop(); s.kube.Set(roles(nodeItem, roleItem(iamARN+"role/Ops"))) })
	items(2)
	if got := s.kube.Refusals(); len(got) > 0 {
		t.Errorf("tokens were not taken: %q", got)
	}
	// EKS was asked once: the watch alone told of the changes.
	if n := s.world.Calls("DescribeCluster"); n != 1 {
		t.Errorf("%d calls", n)
	}
}

func TestForbiddenWatchIsNamedAndTheTTLStillReads(t *testing.T) {
	s := newScene(t, roles(nodeItem))
	s.kube.Forbid("watch", true)
	r, await := watching(t, s, func(c *access.Config) { c.TTL = time.Nanosecond })
	await(func() { s.access(r) })
	await(func() { s.kube.Set(roles(nodeItem, roleItem(iamARN+"role/Dev"))); s.access(r) })
	if a := s.access(r); len(a.AWSAuth.Roles) != 2 {
		t.Errorf("%+v", a.AWSAuth)
	}
}

func TestEditOfAFileIsSeenWithinTenSeconds(t *testing.T) {
	s := newScene(t, nil)
	file := filepath.Join(t.TempDir(), "data.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(roleItem(iamARN + "role/Dev"))
	r, await := watching(t, s, func(c *access.Config) { c.AWSAuthFiles = map[string]string{"prod": file} })
	await(func() { s.access(r) })
	await(func() { write(roleItem(iamARN+"role/Dev") + roleItem(iamARN+"role/Ops")) })
	if a := s.access(r); len(a.AWSAuth.Roles) != 2 {
		t.Errorf("%+v", a.AWSAuth)
	}
}

// What happens between a reading and the watch that follows is told by the
// watch: the server knows what there was at the version it is asked for.
func TestADeletionBeforeTheWatchBeginsIsSeen(t *testing.T) {
	s := newScene(t, roles(nodeItem))
	var once sync.Once
	s.kube.Before("watch", func() { once.Do(func() { s.kube.Set(nil) }) })
	r, await := watching(t, s)
	await(func() { s.access(r) })
	await(func() {})
	if a := s.access(r); a.AWSAuth.Exists {
		t.Errorf("%+v", a.AWSAuth)
	}
}
