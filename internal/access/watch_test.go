package access_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/eks-authlog/eks-authlog/internal/access"
	"github.com/eks-authlog/eks-authlog/internal/authlog"
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
	r, await := watching(t, s, always)
	await(func() { s.access(r) })
	await(func() { s.kube.Set(roles(nodeItem, roleItem(iamARN+"role/Dev"))); s.access(r) })
	comes(t, "the watch is named", func() bool { return len(s.access(r).Missing) > 0 })
	a := s.access(r)
	if m := a.Missing[0]; len(a.Missing) > 1 || m.Action != "watch configmaps/aws-auth" || m.Tier != 2 || m.Resource == "" || m.Detail == "" {
		t.Errorf("missing: %+v", a.Missing)
	}
	if a.Tier != 1 || len(a.AWSAuth.Roles) != 2 || len(a.Problems) > 0 {
		t.Errorf("tier %d, %q, %+v", a.Tier, a.Problems, a.AWSAuth)
	}
}

// An API server does not remember what was written long ago, and aws-auth is.
func TestAnOldAWSAuthIsWatchedAllTheSame(t *testing.T) {
	s := newScene(t, roles(nodeItem))
	s.kube.Compact()
	r, await := watching(t, s)
	await(func() { s.access(r) })
	comes(t, "the watch runs", func() bool { return s.kube.Watches() == 1 })
	for i := range 5 {
		name := iamARN + "role/dev" + strconv.Itoa(i)
		await(func() { s.kube.Set(roles(nodeItem, roleItem(name))) })
		if a := s.access(r); a.AWSAuth.Roles[1].ARN != name {
			t.Errorf("%+v", a.AWSAuth)
		}
	}
	if n := s.kube.Requests("watch"); n != 1 {
		t.Errorf("%d watches for five edits, want one", n)
	}
}

func TestNoEditIsLostWhereAWatchCannotGoOn(t *testing.T) {
	edited := roles(nodeItem, roleItem(iamARN+"role/Dev"))
	for name, c := range map[string]struct {
		before, edit func(s *scene)
	}{
		"what was read is forgotten before the watch begins": {
			before: func(s *scene) {
				var once sync.Once
				s.kube.Before("watch", func() { once.Do(func() { s.kube.Set(edited); s.kube.Compact() }) })
			},
			edit: func(*scene) {},
		},
		"a running watch falls behind": {
			before: func(*scene) {},
			edit: func(s *scene) {
				comes(s.t, "the watch runs", func() bool { return s.kube.Watches() == 1 })
				s.kube.Expire(edited)
				comes(s.t, "it is told", func() bool { return s.kube.Sent("ERROR") == 1 })
			},
		},
		"a bookmark is no edit": {
			before: func(*scene) {},
			edit: func(s *scene) {
				comes(s.t, "the watch runs", func() bool { return s.kube.Watches() == 1 })
				s.kube.Bookmark()
				comes(s.t, "the bookmark is sent", func() bool { return s.kube.Sent("BOOKMARK") == 1 })
				s.kube.Set(edited)
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, roles(nodeItem))
			c.before(s)
			r, await := watching(t, s)
			await(func() { s.access(r) })
			await(func() { c.edit(s) })
			if a := s.access(r); len(a.AWSAuth.Roles) != 2 || len(a.Problems) > 0 {
				t.Errorf("%q %+v", a.Problems, a.AWSAuth)
			}
		})
	}
}

func TestPausesGrowWithTheFailures(t *testing.T) {
	failed, refused := errors.New("no route"), &authlog.AccessError{Action: "get"}
	const ms = time.Millisecond
	for name, c := range map[string]struct {
		away time.Duration
		row  []error
		want []time.Duration
	}{
		"reached lately": {time.Minute, []error{failed, failed, failed, failed, failed, failed}, []time.Duration{500 * ms, 1000 * ms, 2000 * ms, 4000 * ms, 5000 * ms, 5000 * ms}},
		"far away": {
			time.Hour,
			[]error{failed, failed, failed, failed, failed, failed, failed, failed, failed, failed},
			[]time.Duration{500 * ms, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second, 32 * time.Second, 64 * time.Second, 2 * time.Minute, 2 * time.Minute},
		},
		"success resets":         {time.Hour, []error{failed, failed, nil, failed}, []time.Duration{500 * ms, 1000 * ms, 500 * ms, 1000 * ms}},
		"expired version resets": {time.Minute, []error{failed, failed, access.ErrExpired}, []time.Duration{500 * ms, 1000 * ms, 500 * ms}},
		"refused":                {time.Hour, []error{refused, refused}, []time.Duration{time.Minute, time.Minute}},
	} {
		if d := cmp.Diff(c.want, access.Pauses(c.away, c.row...)); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
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
