package access_test

import (
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/eks-authlog/eks-authlog/internal/access"
	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/awssim"
)

func TestAccessTellsAllThatIsKnown(t *testing.T) {
	s := newScene(t, map[string]string{
		"mapRoles": nodeItem + roleItem(iamARN+"role/Dev"), "mapUsers": userItem(iamARN + "user/devs/alice"), "mapAccounts": "- \"444455556666\"\n",
	})
	boss := s.account.AddRole(awssim.Role{Name: "team/boss"})
	s.change(func(c *awssim.Cluster) {
		c.AccessEntries = []awssim.AccessEntry{admin(boss), {PrincipalARN: iamARN + "role/x/Dev", Username: "dev", Groups: []string{"team"}, Created: later}}
	})
	got := s.access(s.reader())
	want := &authlog.Access{
		Cluster: authlog.Cluster{Name: "prod", Account: account, Region: "eu-central-1"},
		Tier:    3, Status: "ACTIVE", Version: "1.34", PlatformVersion: "eks.1", Created: clusterMade, Endpoint: s.kube.URL(),
		RoleARN: iamARN + "role/eks/cluster-role", Mode: authlog.ModeBoth, Logging: authlog.Yes, BootstrapAdmin: authlog.Yes,
		Creator: authlog.Creator{ARN: iamARN + "role/boss", Source: "access entry made with the cluster", Exists: authlog.Yes},
		Entries: []authlog.AccessEntry{
			{ARN: boss, Type: "STANDARD", Created: clusterMade, Modified: clusterMade, Groups: []string{}, Policies: []authlog.AccessPolicy{{ARN: "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy", Scope: "cluster", Namespaces: []string{}}}},
			{ARN: iamARN + "role/x/Dev", Type: "STANDARD", Username: "dev", Groups: []string{"team"}, Created: later, Modified: later, Policies: []authlog.AccessPolicy{}},
		},
		AWSAuth: &authlog.AWSAuth{
			Exists: true, Source: "kubernetes", Accounts: []string{"444455556666"},
			Roles: []authlog.AWSAuthItem{
				{ARN: iamARN + "role/Node", Username: "system:node:{{EC2PrivateDNSName}}", Groups: []string{"system:bootstrappers", "system:nodes"}},
				{ARN: iamARN + "role/Dev", Username: "dev:{{SessionName}}", Groups: []string{"team"}, Overridden: true},
			},
			Users: []authlog.AWSAuthItem{{ARN: iamARN + "user/devs/alice", Username: "alice", Groups: []string{"team"}}},
		},
		Missing: []authlog.MissingPermission{}, Problems: []string{}, Broken: []authlog.AccessFault{},
	}
	recent := cmp.FilterPath(func(p cmp.Path) bool {
		name := p.Last().String()
		return name == ".Read" || name == ".EntriesRead"
	}, cmp.Ignore())
	if d := cmp.Diff(want, got, recent); d != "" {
		t.Errorf("access (-want +got):\n%s", d)
	}
	for _, at := range []time.Time{got.Read, got.EntriesRead, got.AWSAuth.Read} {
		if time.Since(at) > time.Minute {
			t.Errorf("read at %v", at)
		}
	}
	if d := cmp.Diff(authlog.ClusterFacts{Status: "ACTIVE", Mode: authlog.ModeBoth, RoleARN: want.RoleARN, Logging: authlog.Yes, Creator: want.Creator}, got.Facts()); d != "" {
		t.Errorf("facts:\n%s", d)
	}
}

func TestManyClustersAndEntriesComeInPages(t *testing.T) {
	s := newScene(t, roles(nodeItem))
	want := []string{"prod"}
	for i := range 150 {
		name := "c" + string(rune('a'+i/26)) + string(rune('a'+i%26))
		s.region.AddCluster(awssim.Cluster{Name: name})
		want = append(want, name)
	}
	s.change(func(c *awssim.Cluster) {
		for _, name := range want[:130] {
			c.AccessEntries = append(c.AccessEntries, entry(iamARN+"role/"+name, later))
		}
	})
	r := s.reader()
	slices.Sort(want)
	got, err := r.Clusters(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if n := len(s.access(r).Entries); n != 130 {
		t.Errorf("%d entries", n)
	}
}

func TestEachRefusedCallIsNamedAndNothingElseBreaks(t *testing.T) {
	aws := func(operation string) func(*scene) {
		return func(s *scene) { s.world.Inject(awssim.Fault{Operation: operation, Fail: awssim.AccessDenied}) }
	}
	for action, c := range map[string]struct {
		refuse func(*scene)
		tier   int // what is left
		lost   []string
	}{
		"eks:DescribeCluster":              {aws("DescribeCluster"), 0, []string{"Status", "Version", "PlatformVersion", "Created", "Endpoint", "RoleARN", "Mode", "Logging", "BootstrapAdmin", "Creator", "AWSAuth"}},
		"eks:ListAccessEntries":            {aws("ListAccessEntries"), 0, []string{"Entries", "EntriesRead", "Creator"}},
		"eks:DescribeAccessEntry":          {aws("DescribeAccessEntry"), 0, []string{"Entries", "Creator"}},
		"eks:ListAssociatedAccessPolicies": {aws("ListAssociatedAccessPolicies"), 0, []string{"Entries", "Creator"}},
		"get configmaps/aws-auth":          {func(s *scene) { s.kube.Forbid("get", true) }, 1, []string{"AWSAuth"}},
		"sign in to Kubernetes":            {func(s *scene) { s.kube.Unknown(true) }, 1, []string{"AWSAuth"}},
		"iam:GetRole":                      {aws("GetRole"), 2, []string{"Creator"}},
		"iam:GetUser":                      {aws("GetUser"), 2, nil},
		"iam:ListRoles":                    {aws("ListRoles"), 2, nil},
	} {
		t.Run(action, func(t *testing.T) {
			s := newScene(t, roles(nodeItem))
			boss := s.account.AddRole(awssim.Role{Name: "team/boss"})
			s.change(func(cl *awssim.Cluster) { cl.AccessEntries = []awssim.AccessEntry{admin(boss)} })
			whole := s.access(s.reader())
			c.refuse(s)
			r := s.reader()
			alice := authlog.Principal{ARN: iamARN + "user/alice", Kind: authlog.PrincipalUser}
			if v := s.explain(r, alice); v.Mapped != "" {
				t.Errorf("explained as %+v", v)
			}
			got := s.access(r)
			if len(got.Missing) != 1 || got.Missing[0].Action != action || got.Missing[0].Detail == "" {
				t.Errorf("missing: %+v", got.Missing)
			}
			if got.Tier != c.tier || len(got.Problems) > 0 {
				t.Errorf("tier %d, problems %q", got.Tier, got.Problems)
			}
			// Whatever the call does not give is still there.
			ignore := slices.Concat(c.lost, []string{"Read", "EntriesRead", "Tier", "Missing"})
			opts := []cmp.Option{cmpopts.IgnoreFields(authlog.Access{}, ignore...), cmpopts.IgnoreFields(authlog.AWSAuth{}, "Read")}
			if d := cmp.Diff(whole, got, opts...); d != "" {
				t.Errorf("lost more than it had to (-whole +got):\n%s", d)
			}
			if action != "eks:ListAccessEntries" && (len(got.Entries) != 1 || got.Entries[0].ARN != boss) {
				t.Errorf("entries: %+v", got.Entries)
			}
		})
	}
}

func TestRefusedListOfClustersIsAnAccessError(t *testing.T) {
	s := newScene(t, nil)
	s.world.Inject(awssim.Fault{Operation: "ListClusters", Fail: awssim.AccessDenied})
	_, err := s.reader().Clusters(t.Context())
	refused, ok := errors.AsType[*authlog.AccessError](err)
	if !ok || refused.Action != "eks:ListClusters" {
		t.Errorf("%v", err)
	}
}

func TestRefusedDetailIsNotAskedForEachEntry(t *testing.T) {
	s := newScene(t, nil)
	s.change(func(c *awssim.Cluster) {
		for _, name := range []string{"a", "b", "c", "d"} {
			c.AccessEntries = append(c.AccessEntries, entry(iamARN+"role/"+name, later))
		}
	})
	s.world.Inject(awssim.Fault{Operation: "DescribeAccessEntry", Fail: awssim.AccessDenied})
	if a := s.access(s.reader()); len(a.Missing) != 1 {
		t.Errorf("missing: %+v", a.Missing)
	}
	if n := s.world.Calls("DescribeAccessEntry"); n != 1 {
		t.Errorf("asked %d times", n)
	}
}

func TestConfigMapModeHasNoEntries(t *testing.T) {
	s := newScene(t, roles(nodeItem))
	s.change(func(c *awssim.Cluster) { c.AuthenticationMode = "CONFIG_MAP" })
	a := s.access(s.reader())
	if a.Tier != 3 || a.Mode != authlog.ModeConfigMap || a.EntriesRead.IsZero() || len(a.Missing)+len(a.Problems) > 0 {
		t.Errorf("%+v", a)
	}
	// Without the mode EKS's own refusal tells it.
	s.world.Inject(awssim.Fault{Operation: "DescribeCluster", Fail: awssim.AccessDenied})
	a = s.access(s.reader())
	if a.Mode != authlog.ModeConfigMap || a.EntriesRead.IsZero() || len(a.Missing) != 1 || len(a.Problems) > 0 {
		t.Errorf("%+v", a)
	}
}

func TestGoneClusterIsNotFound(t *testing.T) {
	s := newScene(t, nil)
	if _, err := s.reader().Access(t.Context(), "staging"); !errors.Is(err, authlog.ErrNotFound) {
		t.Errorf("%v", err)
	}
}

func TestAnswersAreKeptForTheTTL(t *testing.T) {
	s := newScene(t, nil)
	s.change(func(c *awssim.Cluster) { c.AccessEntries = []awssim.AccessEntry{entry(iamARN+"role/a", later)} })
	calls := func() [2]int { return [2]int{s.world.Calls("ListAccessEntries"), s.world.Calls("DescribeAccessEntry")} }
	r := s.reader()
	for range 5 {
		s.access(r)
	}
	if got := calls(); got != [2]int{1, 1} {
		t.Errorf("list and describe were called %v times", got)
	}
	r = s.reader(func(c *access.Config) { c.TTL = time.Nanosecond })
	for range 3 {
		s.access(r)
	}
	if got := calls(); got != [2]int{4, 4} {
		t.Errorf("list and describe were called %v times", got)
	}
}

func TestNewDeniedPrincipalIsLookedAtAtOnce(t *testing.T) {
	s := newScene(t, nil)
	dev := iamARN + "role/Dev"
	s.change(func(c *awssim.Cluster) {
		c.AccessEntries = []awssim.AccessEntry{entry(iamARN+"role/path/Dev", later), entry(iamARN+"role/Ops", later)}
	})
	r := s.reader()
	s.access(r)
	s.change(func(c *awssim.Cluster) { c.AccessEntries[0].Username = "new"; c.AccessEntries[1].Username = "new" })
	for range 3 {
		r.Denied("prod", dev)
		a := s.access(r)
		if got := a.Entries[1].Username; got != "new" {
			t.Errorf("the entry of the denied principal is still %q", got)
		}
	}
	// The other entry's details were fresh enough, and one look was enough.
	if list, describe := s.world.Calls("ListAccessEntries"), s.world.Calls("DescribeAccessEntry"); list != 2 || describe != 3 {
		t.Errorf("%d lists, %d describes", list, describe)
	}
	r.Denied("prod", iamARN+"role/Other")
	s.access(r)
	if list := s.world.Calls("ListAccessEntries"); list != 3 {
		t.Errorf("%d lists", list)
	}
}

func TestThrottledCallsAreTriedAgain(t *testing.T) {
	s := newScene(t, roles(nodeItem))
	for _, operation := range []string{"DescribeCluster", "ListRoles"} {
		s.world.Inject(awssim.Fault{Operation: operation, Times: 1, Fail: awssim.Throttling})
	}
	if a := s.access(s.reader()); a.Tier != 3 || len(a.Problems) > 0 {
		t.Errorf("tier %d: %q %+v", a.Tier, a.Problems, a.Missing)
	}
}

func TestFailureIsNamedAndIsNoMissingPermission(t *testing.T) {
	s := newScene(t, roles(nodeItem))
	s.kube.Close()
	s.world.Inject(awssim.Fault{Operation: "ListAccessEntries", Fail: awssim.InternalFailure})
	a := s.access(s.reader())
	if a.Tier != 0 || len(a.Missing) > 0 || len(a.Problems) != 2 || a.Mode != authlog.ModeBoth {
		t.Errorf("tier %d: %q %+v", a.Tier, a.Problems, a.Missing)
	}
}

func TestTiersThatAreOffAreNotAsked(t *testing.T) {
	s := newScene(t, roles(nodeItem))
	a := s.access(s.reader(func(c *access.Config) { c.Kubernetes, c.IAM = false, false }))
	if a.Tier != 1 || len(a.Missing)+len(a.Problems) > 0 || a.AWSAuth != nil {
		t.Errorf("%+v", a)
	}
	if n := s.kube.Requests("get") + s.world.Calls("ListRoles"); n != 0 {
		t.Errorf("%d calls", n)
	}
}

func TestAWSAuthFromAFile(t *testing.T) {
	s := newScene(t, nil)
	file := filepath.Join(t.TempDir(), "aws-auth.yaml")
	manifest := "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: aws-auth\n  namespace: kube-system\ndata:\n  mapRoles: |\n    - rolearn: " + iamARN + "role/Dev\n      username: dev\n      groups: [team]\n"
	if err := os.WriteFile(file, []byte(manifest), 0o600); err != nil {
		t.Fatal(err)
	}
	a := s.access(s.reader(func(c *access.Config) { c.AWSAuthFiles = map[string]string{"prod": file} }))
	if a.AWSAuth == nil || a.AWSAuth.Source != file || len(a.AWSAuth.Roles) != 1 || s.kube.Requests("get") != 0 {
		t.Errorf("%+v", a.AWSAuth)
	}
	a = s.access(s.reader(func(c *access.Config) { c.AWSAuthFiles = map[string]string{"prod": file + ".gone"} }))
	if a.AWSAuth != nil || len(a.Problems) != 1 || a.Tier != 1 {
		t.Errorf("tier %d, %q", a.Tier, a.Problems)
	}
}

func TestBrokenAWSAuthIsNamed(t *testing.T) {
	s := newScene(t, map[string]string{"mapRoles": nodeItem + "- rolearn: " + iamARN + "role/Dev\n\tusername: dev\n", "mapusers": userItem(iamARN + "user/alice")})
	a := s.access(s.reader())
	var got []string
	for _, b := range a.Broken {
		got = append(got, b.Severity+" "+b.Code+" "+b.Where)
	}
	want := []string{
		"error aws_auth_not_yaml aws-auth mapRoles line 7:1",
		"error aws_auth_wrong_data_key aws-auth mapusers line 1:1",
	}
	slices.Sort(got)
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
	if len(a.AWSAuth.Roles) != 0 {
		t.Errorf("roles: %+v", a.AWSAuth.Roles)
	}
}

func TestAWSAuthWithThePodsOwnServiceAccount(t *testing.T) {
	s := newScene(t, roles(nodeItem))
	s.kube.Take("pod-token")
	dir := t.TempDir()
	for name, text := range map[string][]byte{"token": []byte("pod-token\n"), "ca.crt": s.kube.CA()} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	u, err := url.Parse(s.kube.URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("KUBERNETES_SERVICE_HOST", u.Hostname())
	t.Setenv("KUBERNETES_SERVICE_PORT", u.Port())
	inCluster := func(c *access.Config) { c.Kubernetes, c.InCluster, c.ServiceAccount = false, "prod", dir }
	if a := s.access(s.reader(inCluster)); a.AWSAuth == nil || a.AWSAuth.Source != "in-cluster" || len(a.AWSAuth.Roles) != 1 || a.Tier != 3 {
		t.Errorf("%+v", a)
	}
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	if a := s.access(s.reader(inCluster)); a.AWSAuth != nil || len(a.Problems) != 1 || a.Tier != 1 {
		t.Errorf("%+v", a)
	}
}

func TestAnotherCertificateAuthorityIsNotTrusted(t *testing.T) {
	s := newScene(t, roles(nodeItem))
	for _, ca := range [][]byte{[]byte("no certificate"), nil} {
		s.change(func(c *awssim.Cluster) { c.CertificateAuthority = ca })
		if a := s.access(s.reader()); a.AWSAuth != nil || len(a.Problems) != 1 || s.kube.Requests("get") != 0 {
			t.Errorf("%+v", a)
		}
	}
}

func TestCallsKeepToTheRate(t *testing.T) {
	s := newScene(t, nil)
	s.change(func(c *awssim.Cluster) {
		for i := range 75 {
			c.AccessEntries = append(c.AccessEntries, entry(iamARN+"role/r"+strconv.Itoa(i), later))
		}
	})
	began := time.Now()
	s.access(s.reader(func(c *access.Config) { c.Rate = 50; c.Kubernetes, c.IAM = false, false }))
	// Describe and list of the cluster, and two calls an entry; twice the rate
	// may come at once.
	calls := 2 + s.world.Calls("DescribeAccessEntry") + s.world.Calls("ListAssociatedAccessPolicies")
	if took := time.Since(began); calls != 152 || took < time.Second {
		t.Errorf("%d calls took %v", calls, took)
	}
}

func TestLintOfACluster(t *testing.T) {
	s := newScene(t, roles(nodeItem, roleItem(iamARN+"role/team/Dev")))
	granted := []string{iamARN + "role/Node", iamARN + "role/Dev"}
	rep, err := s.reader().Lint(t.Context(), "prod", granted)
	if err != nil {
		t.Fatal(err)
	}
	if len(rep.Findings) != 1 || rep.Findings[0].Code != "aws_auth_role_path" || rep.Findings[0].Line != 6 || len(rep.LockedOut) != 1 || rep.LockedOut[0].Principal != iamARN+"role/Dev" {
		t.Errorf("%+v", rep)
	}
	s.kube.Set(nil)
	if _, err := s.reader().Lint(t.Context(), "prod", nil); !errors.Is(err, authlog.ErrNotFound) {
		t.Errorf("%v", err)
	}
	s.kube.Forbid("get", true)
	if _, err := s.reader().Lint(t.Context(), "prod", nil); !isAccessError(err) {
		t.Errorf("%v", err)
	}
	if _, err := s.reader(func(c *access.Config) { c.Kubernetes = false }).Lint(t.Context(), "prod", nil); err == nil {
		t.Error("no error without a way to Kubernetes")
	}
}

func isAccessError(err error) bool {
	_, ok := errors.AsType[*authlog.AccessError](err)
	return ok
}
