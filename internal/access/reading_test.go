package access_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/eks-authlog/eks-authlog/internal/access"
	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/awssim"
)

// always reads anew whatever is asked for.
func always(c *access.Config) { c.TTL = time.Nanosecond }

func TestAFailedCallLeavesWhatWasKnown(t *testing.T) {
	for operation, ignored := range map[string][]string{
		"DescribeCluster":              {"EntriesRead"},
		"ListAccessEntries":            nil,
		"DescribeAccessEntry":          {"EntriesRead"},
		"ListAssociatedAccessPolicies": {"EntriesRead"},
	} {
		t.Run(operation, func(t *testing.T) {
			s := newScene(t, roles(nodeItem))
			boss := s.account.AddRole(awssim.Role{Name: "team/boss"})
			s.change(func(c *awssim.Cluster) {
				c.AccessEntries = []awssim.AccessEntry{admin(boss), entry(iamARN+"role/Dev", later)}
			})
			r := s.reader(always)
			whole := s.access(r)
			s.world.Inject(awssim.Fault{Operation: operation, Fail: awssim.ExpiredToken})
			for range 2 {
				got := s.access(r)
				if len(got.Problems) != 1 || len(got.Missing) > 0 {
					t.Errorf("problems %q, missing %+v", got.Problems, got.Missing)
				}
				opts := []cmp.Option{
					cmpopts.IgnoreFields(authlog.Access{}, slices.Concat(ignored, []string{"Read", "Problems"})...),
					cmpopts.IgnoreFields(authlog.AWSAuth{}, "Read"),
				}
				if d := cmp.Diff(whole, got, opts...); d != "" {
					t.Errorf("(-whole +got):\n%s", d)
				}
			}
		})
	}
}

// What may not be read any more is not known, and a failure after it knows
// nothing either.
func TestARefusedCallLeavesNothingThatWasKnown(t *testing.T) {
	s := newScene(t, roles(nodeItem))
	s.change(func(c *awssim.Cluster) { c.AccessEntries = []awssim.AccessEntry{entry(iamARN+"role/Dev", later)} })
	r := s.reader(always)
	s.access(r)
	for _, fail := range []awssim.Failure{awssim.AccessDenied, awssim.ExpiredToken} {
		describe := s.world.Inject(awssim.Fault{Operation: "DescribeCluster", Fail: fail})
		list := s.world.Inject(awssim.Fault{Operation: "ListAccessEntries", Fail: fail})
		if a := s.access(r); a.Status+a.Endpoint+a.RoleARN+string(a.Mode) != "" || len(a.Entries) > 0 || !a.EntriesRead.IsZero() {
			t.Errorf("%+v", a)
		}
		describe.Remove()
		list.Remove()
	}
}

func TestAfterAFailedCallTheNextReadingComesSoon(t *testing.T) {
	for _, c := range []struct {
		ttl, after time.Duration
		fail       awssim.Failure
	}{
		{time.Hour, time.Hour, awssim.NoFailure},
		{time.Hour, time.Hour, awssim.AccessDenied},
		{time.Hour, 30 * time.Second, awssim.ExpiredToken},
		{10 * time.Second, 10 * time.Second, awssim.ExpiredToken},
	} {
		for _, operation := range []string{"DescribeCluster", "ListAccessEntries", "DescribeAccessEntry"} {
			s := newScene(t, nil)
			s.change(func(c *awssim.Cluster) { c.AccessEntries = []awssim.AccessEntry{entry(iamARN+"role/Dev", later)} })
			s.world.Inject(awssim.Fault{Operation: operation, Fail: c.fail})
			r := s.reader(func(cfg *access.Config) { cfg.TTL = c.ttl })
			a := s.access(r)
			due, err := r.Due(t.Context(), "prod")
			if got := due.Sub(a.Read); err != nil || got != c.after {
				t.Errorf("%+v %s: due after %v, %v", c, operation, got, err)
			}
		}
	}
}

func TestAnEntryAtFaultIsReadWithTheCluster(t *testing.T) {
	s := newScene(t, roles(nodeItem))
	worker := awssim.AccessEntry{PrincipalARN: iamARN + "role/Worker", Created: later}
	s.change(func(c *awssim.Cluster) {
		c.AccessEntries = []awssim.AccessEntry{entry(iamARN+"role/Dev", later), worker}
	})
	r := s.reader(func(c *access.Config) { c.TTL = 2 * time.Second })
	if a := s.access(r); len(a.Broken) != 1 || a.Broken[0].Code != "entry_without_rights" {
		t.Errorf("%+v", a.Broken)
	}
	worker.Type = "EC2_LINUX" // made anew, as the remedy says
	s.change(func(c *awssim.Cluster) { c.AccessEntries[1] = worker })
	comes(t, "the entry is a node's", func() bool { a := s.access(r); return a.Entries[1].Type == "EC2_LINUX" && len(a.Broken) == 0 })
	readings := s.world.Calls("ListAccessEntries")
	if n := s.world.Calls("DescribeAccessEntry"); n > readings+1+readings/6 {
		t.Errorf("%d calls: the other entry was described again", n)
	}
}

func TestAnEntryThatIsDeletedWhileItIsReadIsLeftOut(t *testing.T) {
	for _, operation := range []string{"DescribeAccessEntry", "ListAssociatedAccessPolicies"} {
		s := newScene(t, roles(nodeItem))
		there := func() {
			s.change(func(c *awssim.Cluster) {
				c.AccessEntries = []awssim.AccessEntry{{PrincipalARN: iamARN + "role/Worker", Created: later, Type: "EC2_LINUX"}}
			})
		}
		there()
		s.world.Inject(awssim.Fault{Operation: operation, Times: 1, Do: func() { s.change(func(c *awssim.Cluster) { c.AccessEntries = nil }) }})
		r := s.reader()
		if a := s.access(r); len(a.Entries) > 0 || a.EntriesRead.IsZero() || len(a.Problems) > 0 {
			t.Errorf("%s: %+v", operation, a)
		}
		there()
		r.Denied("prod", iamARN+"role/Other")
		if a := s.access(r); len(a.Entries) != 1 || a.Entries[0].Type != "EC2_LINUX" {
			t.Errorf("%s: made anew it is %+v", operation, a.Entries)
		}
	}
}

func TestAClusterThatIsMadeAnewHasNothingOfTheOldOne(t *testing.T) {
	s := newScene(t, roles(nodeItem))
	boss := s.account.AddRole(awssim.Role{Name: "boss", Created: clusterMade})
	s.change(func(c *awssim.Cluster) { c.AccessEntries = []awssim.AccessEntry{admin(boss)} })
	r := s.reader()
	s.access(r)
	s.change(func(c *awssim.Cluster) {
		c.Created = later
		c.AccessEntries[0].Created = later
	})
	r.Denied("prod", iamARN+"role/Other")
	if a := s.access(r); !a.Entries[0].Created.Equal(later) || a.Creator.ARN != boss {
		t.Errorf("%+v, made by %+v", a.Entries, a.Creator)
	}
	s.change(func(c *awssim.Cluster) { c.Created = later.Add(time.Hour) })
	s.world.Inject(awssim.Fault{Operation: "ListAccessEntries", Fail: awssim.ExpiredToken})
	r.Denied("prod", iamARN+"role/Third")
	if a := s.access(r); len(a.Entries) > 0 || !a.EntriesRead.IsZero() {
		t.Errorf("%+v", a.Entries)
	}
}
