package access_test

import (
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/eks-authlog/eks-authlog/internal/access"
	"github.com/eks-authlog/eks-authlog/internal/awssim"
)

func TestEachCallIsToldOfOnceWithItsRetries(t *testing.T) {
	s := newScene(t, roles(nodeItem))
	for _, operation := range []string{"DescribeCluster", "ListRoles"} {
		s.world.Inject(awssim.Fault{Operation: operation, Times: 1, Fail: awssim.Throttling})
	}
	s.world.Inject(awssim.Fault{Operation: "ListAccessEntries", Fail: awssim.AccessDenied})
	var mu sync.Mutex
	told := map[string]int{}
	s.access(s.reader(func(c *access.Config) {
		c.OnCall = func(operation string, err error) {
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				operation += " error"
			}
			told[operation]++
		}
	}))
	mu.Lock()
	defer mu.Unlock()
	want := map[string]int{"DescribeCluster": 1, "ListAccessEntries error": 1, "ListRoles": 1}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}
