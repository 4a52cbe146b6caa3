package access_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/access"
	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/awssim"
)

// said are the codes of the causes with their confidence.
func said(v *authlog.AccessVerdict) (list []string) {
	for _, c := range v.Causes {
		list = append(list, c.Code+" "+string(c.Confidence))
	}
	return list
}

// denied is what is said of a principal that is denied just now.
func (s *scene) denied(r *access.Reader, p authlog.Principal) *authlog.AccessVerdict {
	s.t.Helper()
	v, err := r.Explain(s.t.Context(), "prod", p, time.Now())
	if err != nil {
		s.t.Fatal(err)
	}
	return v
}

// A permission set is provisioned anew, and people come with the new role at
// once, when the list of roles is an old one.
func TestARoleThatIsNotListedYetIsNotTakenForRotated(t *testing.T) {
	s := newScene(t, roles(nodeItem))
	const path = "aws-reserved/sso.amazonaws.com/eu-central-1/"
	old := s.account.AddRole(awssim.Role{Name: path + oldSSO, Created: clusterMade})
	s.change(func(c *awssim.Cluster) { c.AccessEntries = []awssim.AccessEntry{entry(old, later)} })
	r := s.reader()
	s.access(r)
	made := s.account.AddRole(awssim.Role{Name: path + newSSO, Created: time.Now()})
	v := s.denied(r, role(newSSO))
	if i := slices.IndexFunc(v.Causes, func(c authlog.Cause) bool { return c.System == "iam" }); i >= 0 || len(v.Causes) == 0 {
		t.Errorf("of the new role: %+v", v.Causes)
	}
	if c := v.Causes[0]; c.Code != "sso_role_rotated" || c.Near == nil || !strings.HasSuffix(c.Near.Have, oldSSO) {
		t.Errorf("the entry of the old role is not shown: %+v", c)
	}
	// Its entry is not one of a role that is gone.
	s.change(func(c *awssim.Cluster) { c.AccessEntries = []awssim.AccessEntry{entry(made, time.Now())} })
	r.Denied("prod", iamARN+"role/Other")
	if broken := s.access(r).Broken; len(broken) > 0 {
		t.Errorf("%+v", broken)
	}
}

func TestTheNewestRoleOfAPermissionSetIsTheOneOfNow(t *testing.T) {
	s := newScene(t, roles(nodeItem))
	const path = "aws-reserved/sso.amazonaws.com/eu-central-1/"
	s.account.AddRole(awssim.Role{Name: path + newSSO, Created: later})
	s.account.AddRole(awssim.Role{Name: path + "AWSReservedSSO_Admin_ffffffffffffffff", Created: clusterMade})
	gone := iamARN + "role/" + path + oldSSO
	s.change(func(c *awssim.Cluster) { c.AccessEntries = []awssim.AccessEntry{entry(gone, later)} })
	broken := s.access(s.reader()).Broken
	if len(broken) != 1 || broken[0].Corrected != iamARN+"role/"+newSSO {
		t.Errorf("%+v", broken)
	}
}

// A failure to look somebody up is told of until it is over, and to everybody
// who sees a cluster of the account: it does not say who it was.
func TestFailuresOfIAMPassAndNameNobody(t *testing.T) {
	s := newScene(t, roles(nodeItem))
	r := s.reader(func(c *access.Config) { c.TTL = time.Nanosecond })
	for _, f := range []awssim.Failure{awssim.AccessDenied, awssim.InternalFailure} {
		in := s.world.Inject(awssim.Fault{Operation: "GetUser", Fail: f})
		s.explain(r, user("alice"))
		a := s.access(r)
		told := fmt.Sprint(a.Missing, a.Problems)
		if a.Tier == 3 && f == awssim.AccessDenied || !strings.Contains(told, "iam:GetUser") || strings.Contains(told, "alice") {
			t.Errorf("tier %d, %s", a.Tier, told)
		}
		in.Remove()
		if a := s.access(r); a.Tier != 3 || len(a.Missing)+len(a.Problems) > 0 {
			t.Errorf("when it is over: tier %d, %v %v", a.Tier, a.Missing, a.Problems)
		}
	}
}

func TestAnEntryOfUnknownAgeLetsNobodyIn(t *testing.T) {
	s := newScene(t, roles(nodeItem))
	s.account.AddRole(awssim.Role{Name: "Dev", Created: later})
	s.change(func(c *awssim.Cluster) { c.AccessEntries = []awssim.AccessEntry{entry(iamARN+"role/Dev", clusterMade)} })
	s.world.Inject(awssim.Fault{Operation: "DescribeAccessEntry", Fail: awssim.AccessDenied})
	v := s.denied(s.reader(), role("Dev"))
	if v.Mapped != "" || !slices.Equal(said(v), []string{"entry_stale_unique_id low"}) {
		t.Errorf("%+v", v)
	}
}

func TestIAMIsAskedAnewWhereItsAnswerIsOlderThanTheDenial(t *testing.T) {
	s := newScene(t, roles(nodeItem))
	s.account.AddRole(awssim.Role{Name: "Dev", Created: clusterMade})
	s.change(func(c *awssim.Cluster) { c.AccessEntries = []awssim.AccessEntry{entry(iamARN+"role/Dev", later)} })
	r := s.reader()
	if v := s.explain(r, role("Dev")); v.Mapped != "access_entry" {
		t.Fatalf("%+v", v)
	}
	s.account.AddRole(awssim.Role{Name: "Dev", Created: time.Now().Add(-time.Minute)})
	if v := s.denied(r, role("Dev")); v.Mapped != "" || !slices.Equal(said(v), []string{"entry_stale_unique_id certain"}) {
		t.Errorf("made anew: %+v", v)
	}
}

// Sessions of a role that is gone are denied for as long as they last.
func TestIAMIsNotAskedAtEachDenialOfWhoIsGone(t *testing.T) {
	s := newScene(t, roles(nodeItem))
	r := s.reader()
	for range 3 {
		if v := s.denied(r, role("Dev")); v.Exists != authlog.No {
			t.Errorf("%+v", v)
		}
	}
	if n := s.world.Calls("GetRole"); n != 1 {
		t.Errorf("%d calls", n)
	}
}

// EKS refuses much by the same code.
func TestOnlyItsOwnRefusalTellsOfTheMode(t *testing.T) {
	s := newScene(t, roles(nodeItem))
	s.change(func(c *awssim.Cluster) { c.AuthenticationMode = "API" })
	s.world.Inject(awssim.Fault{Operation: "ListAccessEntries", Fail: awssim.InvalidState})
	a := s.access(s.reader())
	if a.Mode != authlog.ModeAPI || !a.EntriesRead.IsZero() || len(a.Problems) != 1 || a.Tier != 0 {
		t.Errorf("%+v", a)
	}
}

func TestWhatCannotBeReadAnyMoreIsNotCertain(t *testing.T) {
	s := newScene(t, roles(nodeItem, roleItem(iamARN+"role/Ops")))
	s.account.AddRole(awssim.Role{Name: "Dev", Created: clusterMade})
	s.account.AddRole(awssim.Role{Name: "Ops", Created: clusterMade})
	r := s.reader(func(c *access.Config) { c.TTL = time.Nanosecond })
	s.access(r)
	s.kube.Forbid("get", true)
	s.kube.Set(roles(nodeItem, roleItem(iamARN+"role/p/Dev")))
	v := s.denied(r, role("Dev"))
	if !slices.Equal(said(v), []string{"never_mapped medium"}) || !strings.Contains(v.Causes[0].Why, "cannot be read now") {
		t.Errorf("of an item added since: %+v", v)
	}
	if v := s.denied(r, role("Ops")); v.Mapped != "" || len(v.Causes) > 0 {
		t.Errorf("of an item taken out since: %+v", v)
	}
}

func TestWithoutTheModeAWSAuthMayNotBeInForce(t *testing.T) {
	s := newScene(t, roles(nodeItem, roleItem(iamARN+"role/Dev"), roleItem(iamARN+"role/p/Ops")))
	s.account.AddRole(awssim.Role{Name: "Dev", Created: clusterMade})
	s.account.AddRole(awssim.Role{Name: "Ops", Created: clusterMade})
	s.change(func(c *awssim.Cluster) { c.AuthenticationMode = "API" })
	r := s.reader(func(c *access.Config) { c.TTL = time.Nanosecond })
	s.access(r)
	s.world.Inject(awssim.Fault{Operation: "DescribeCluster", Fail: awssim.AccessDenied})
	if v := s.denied(r, role("Dev")); v.Mapped != "" || !slices.Equal(said(v), []string{"aws_auth_ignored_in_api_mode medium"}) {
		t.Errorf("of an item: %+v", v)
	}
	if v := s.denied(r, role("Ops")); !slices.Equal(said(v), []string{"aws_auth_role_path medium"}) {
		t.Errorf("of an item that was meant for it: %+v", v)
	}
}

// Teams call their roles alike.
func TestOneEntryOfNearlyThatNameIsShownAndTheSureCauseWithIt(t *testing.T) {
	s := newScene(t, nil)
	s.change(func(c *awssim.Cluster) {
		c.AuthenticationMode = "API"
		for i := range 90 {
			arn := s.account.AddRole(awssim.Role{Name: fmt.Sprintf("team-%02d-deploy", i), Created: clusterMade})
			c.AccessEntries = append(c.AccessEntries, entry(arn, later))
		}
	})
	s.account.AddRole(awssim.Role{Name: "team-95-deploy", Created: clusterMade})
	v := s.denied(s.reader(), role("team-95-deploy"))
	if !slices.Equal(said(v), []string{"entry_missing certain", "entry_misspelt medium"}) {
		t.Errorf("%v", said(v))
	}
}

// A cluster that is run by access entries has no aws-auth.
func TestAnAWSAuthThatNeverWasIsNotDeleted(t *testing.T) {
	s := newScene(t, nil)
	s.account.AddRole(awssim.Role{Name: "Dev", Created: clusterMade})
	r := s.reader(func(c *access.Config) { c.TTL = time.Nanosecond })
	v := s.denied(r, role("Dev"))
	if broken := s.access(r).Broken; !slices.Equal(said(v), []string{"never_mapped certain"}) || len(broken) > 0 {
		t.Errorf("%v, %+v", said(v), broken)
	}
	s.kube.Set(roles(nodeItem))
	s.access(r)
	s.kube.Set(nil)
	v = s.denied(r, role("Dev"))
	if broken := s.access(r).Broken; !slices.Equal(said(v), []string{"aws_auth_deleted high"}) || len(broken) != 1 || broken[0].Severity != "warning" {
		t.Errorf("once it was there: %v, %+v", said(v), broken)
	}
}
