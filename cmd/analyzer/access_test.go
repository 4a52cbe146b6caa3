package main_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/eks-authlog/eks-authlog/internal/access"
	"github.com/eks-authlog/eks-authlog/internal/access/accesstest"
	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/awssim"
)

// A stage is a cluster called prod with a log and an API server, and whatever a
// test adds.
type stage struct {
	account *awssim.Account
	region  *awssim.Region
	world   *awssim.World
	aws     *awssim.Server
	kube    *accesstest.APIServer
	cluster awssim.Cluster
	stream  *awssim.Stream
}

const stageIAM = "arn:aws:iam::111122223333:"

func newStage(t *testing.T, awsAuth string) *stage {
	t.Helper()
	s := &stage{world: awssim.NewWorld(time.Now)}
	s.account = s.world.Account("111122223333")
	s.region = s.account.Region("eu-central-1")
	s.stream = addCluster(t, s.region, "prod", time.Hour, streamA)[0]
	var err error
	if s.aws, err = awssim.Start(s.world); err != nil {
		t.Fatal(err)
	}
	s.kube = accesstest.Start("prod", s.aws.Credentials(), map[string]string{"mapRoles": awsAuth})
	t.Cleanup(func() { s.kube.Close(); s.aws.Close() })
	s.cluster = awssim.Cluster{
		Name: "prod", RoleARN: stageIAM + "role/eks/cluster-role", Created: time.Now().Add(-time.Hour), Logging: []string{"authenticator"},
		AuthenticationMode: "API_AND_CONFIG_MAP", Endpoint: s.kube.URL(), CertificateAuthority: s.kube.CA(),
		AccessEntries: []awssim.AccessEntry{{PrincipalARN: stageIAM + "role/team/Ops", Policies: []awssim.AccessPolicy{{Name: "AmazonEKSViewPolicy"}}}},
	}
	s.region.AddCluster(s.cluster)
	s.account.AddRole(awssim.Role{Name: "team/x/r1", Created: time.Now().AddDate(-1, 0, 0)})
	return s
}

// deny writes a denial of role/r1.
func (s *stage) deny() {
	at := time.Now().Add(-2 * time.Second)
	s.stream.Put(awssim.Event{Time: at, Message: deniedLine(1, at)})
}

// denyUser writes a denial of user/devs/u2.
func (s *stage) denyUser() {
	at := time.Now().Add(-2 * time.Second)
	s.stream.Put(awssim.Event{Time: at, Message: strings.Replace(deniedLine(2, at), ":role/r2", ":user/devs/u2", 1)})
}

// serve starts the daemon with these lines in its configuration.
func (s *stage) serve(t *testing.T, lines ...string) *child {
	t.Helper()
	return start(t, s.aws, freeAddress(t), "serve", "--config.file", configured(t, "1h", lines...))
}

// configured is a configuration file with these lines, for a quick daemon that
// looks back so far and has a database of its own.
func configured(t *testing.T, lookback string, lines ...string) string {
	t.Helper()
	dir := t.TempDir()
	text := "tail: {interval: 1s, settle: {min: 5s, max: 5s}, lookback: " + lookback + ", discovery: 1s}\n" +
		"limits: {start_query_rate: 10, get_results_rate: 10, describe_rate: 10}\n" +
		"storage: {path: " + filepath.Join(dir, "analyzer.db") + "}\n" + strings.Join(lines, "\n") + "\n"
	cfg := filepath.Join(dir, "analyzer.yml")
	if err := os.WriteFile(cfg, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return cfg
}

// see asks for a document, and reports whether it is there.
func see[T any](t *testing.T, c *child, path string) (v T, ok bool) {
	t.Helper()
	body, status, err := c.get(t.Context(), path)
	if err != nil || status != http.StatusOK {
		return v, false
	}
	if err := json.Unmarshal(body, &v); err != nil {
		t.Fatalf("%s: %v in %s", path, err, body)
	}
	return v, true
}

func accessOf(t *testing.T, c *child) authlog.Access {
	t.Helper()
	a, _ := see[authlog.Access](t, c, "/clusters/prod/access")
	return a
}

// diagnosis is the whole one of that code; zero where there is none.
func diagnosis(t *testing.T, c *child, code string) authlog.Diagnosis {
	t.Helper()
	list, _ := see[struct{ Diagnoses []struct{ ID string } }](t, c, "/diagnoses?state=all&code="+code)
	if len(list.Diagnoses) == 0 {
		return authlog.Diagnosis{}
	}
	d, _ := see[authlog.Diagnosis](t, c, "/diagnoses/"+list.Diagnoses[0].ID)
	return d
}

const allTiers = "access: {interval: 1s, rate: 50, kubernetes: true}"

func mapRole(arn string) string { return "- rolearn: " + arn + "\n  username: dev\n  groups: [team]\n" }

func TestADenialIsExplainedByTheConfigurationOfItsCluster(t *testing.T) {
	s := newStage(t, mapRole(stageIAM+"role/team/x/r1"))
	s.deny()
	c := s.serve(t, "access: {rate: 50, kubernetes: true}")
	var d authlog.Diagnosis
	until(t, "the cause is certain", func() bool {
		d = diagnosis(t, c, "never_mapped")
		return d.Confidence == authlog.ConfidenceCertain
	})
	if d.Configuration == nil || len(d.Configuration.Causes) != 1 || d.Configuration.Causes[0].Code != "aws_auth_role_path" ||
		d.Configuration.Causes[0].Near.Have != stageIAM+"role/team/x/r1" || d.Configuration.FullARN != stageIAM+"role/team/x/r1" {
		t.Errorf("%+v", d.Configuration)
	}
	if d.Remedies[0].Key != "correct_aws_auth_item" {
		t.Errorf("first remedy: %+v", d.Remedies[0])
	}
	// An edit is seen within ten seconds, although EKS is asked every ten
	// minutes only, and becomes part of the diagnosis.
	began := time.Now()
	s.kube.Set(map[string]string{"mapRoles": mapRole(stageIAM + "role/r1")})
	until(t, "the edit is seen", func() bool {
		a := accessOf(t, c)
		return a.AWSAuth != nil && a.AWSAuth.Roles[0].ARN == stageIAM+"role/r1"
	})
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("seen after %v", took)
	}
	until(t, "the diagnosis says that it is mapped now", func() bool {
		d = diagnosis(t, c, "never_mapped")
		return d.Configuration != nil && d.Configuration.Mapped == "aws_auth" && d.Remedies[0].Key == "try_again"
	})
	if n := s.world.Calls("ListAccessEntries"); n > 3 {
		t.Errorf("access entries listed %d times", n)
	}
	if err := c.signal(t, syscall.SIGTERM); err != nil {
		t.Errorf("ended by SIGTERM: %v", err)
	}
}

// Each call that the service makes is refused in turn: it names what is missing
// and the tier that is left, and everything else goes on.
func TestEachRefusedCallIsNamedByTheDaemonAndNothingElseBreaks(t *testing.T) {
	s := newStage(t, mapRole(stageIAM+"role/team/x/r1"))
	s.deny()
	s.account.AddUser(awssim.User{Name: "devs/u2"})
	s.denyUser()
	c := s.serve(t, allTiers)
	whole := func() bool { a := accessOf(t, c); return a.Tier == 3 && len(a.Missing) == 0 }
	until(t, "all is known", whole)
	until(t, "role and user are asked about", func() bool { return s.world.Calls("GetRole") > 0 && s.world.Calls("GetUser") > 0 })
	for tier := 1; tier <= 3; tier++ {
		actions := access.Actions(tier)
		if tier == 2 {
			slices.Reverse(actions) // once a reading was refused, a watch is not tried for a minute
		}
		for _, action := range actions {
			_, operation, isAWS := strings.Cut(action, ":")
			verb, _, _ := strings.Cut(action, " ")
			var fault *awssim.Injected
			if isAWS {
				fault = s.world.Inject(awssim.Fault{Operation: operation, Fail: awssim.AccessDenied})
			} else {
				s.kube.Forbid(verb, true)
				s.kube.Drop()
			}
			var a authlog.Access
			until(t, action+" is named", func() bool {
				a = accessOf(t, c)
				return slices.ContainsFunc(a.Missing, func(m authlog.MissingPermission) bool { return m.Action == action && m.Tier == tier })
			})
			if a.Tier >= tier {
				t.Errorf("without %s the tier is %d", action, a.Tier)
			}
			body, status, err := c.get(t.Context(), "/metrics")
			if want := fmt.Sprintf(`eks_authn_access_missing_permission{account="111122223333",action=%q,region="eu-central-1"} 1`, action); err != nil || !strings.Contains(string(body), want) {
				t.Errorf("no metric %s (%d, %v)", want, status, err)
			}
			if want := fmt.Sprintf(`eks_authn_aws_calls_total{account="111122223333",operation=%q,region="eu-central-1",result="error"} `, operation); isAWS && !strings.Contains(string(body), want) {
				t.Errorf("no metric %s", want)
			}
			for _, path := range []string{"/clusters", "/clusters/prod", "/clusters/prod/denials", "/lockouts", "/-/ready"} {
				if _, ok := see[map[string]any](t, c, path); !ok {
					t.Errorf("without %s, %s does not answer", action, path)
				}
			}
			if isAWS {
				fault.Remove()
			} else {
				s.kube.Forbid(verb, false)
				continue // a refused watch is tried again after a minute
			}
			until(t, "all is known again after "+action, func() bool { return tier == 3 || len(accessOf(t, c).Missing) == 0 })
		}
	}
	// Each was said once: in the log of the daemon.
	if err := c.signal(t, syscall.SIGTERM); err != nil {
		t.Errorf("ended by SIGTERM: %v", err)
	}
	if n := strings.Count(c.stderr.String(), "action=eks:DescribeAccessEntry "); n != 2 { // gone, and back
		t.Errorf("the log tells %d times of eks:DescribeAccessEntry", n)
	}
}

func TestAClusterWithoutALogIsToldOfUntilItHasOne(t *testing.T) {
	s := newStage(t, mapRole(stageIAM+"role/r1"))
	s.region.AddCluster(awssim.Cluster{Name: "quiet"})
	c := s.serve(t, "access: {interval: 1s, rate: 50}")
	type one struct {
		Status        string
		EnableLogging string `json:"enable_logging"`
		OpenLockouts  []any  `json:"open_lockouts"`
	}
	var q one
	until(t, "the cluster is known", func() bool { q, _ = see[one](t, c, "/clusters/quiet"); return q.EnableLogging != "" })
	if q.Status != "logging_off" || !strings.HasPrefix(q.EnableLogging, "aws eks update-cluster-config --name quiet --region eu-central-1 --logging ") {
		t.Errorf("%+v", q)
	}
	var d authlog.Diagnosis
	until(t, "logging_disabled", func() bool { d = diagnosis(t, c, "logging_disabled"); return d.Cluster.Name == "quiet" })
	if d.State != authlog.DiagnosisOpen || d.FirstSeen.Before(time.Now().Add(-time.Minute)) {
		t.Errorf("%+v", d)
	}
	gauge := func(value string) func() bool {
		return func() bool {
			body, _, _ := c.get(t.Context(), "/metrics")
			return strings.Contains(string(body), `eks_authn_logging_enabled{account="111122223333",cluster="quiet",region="eu-central-1"} `+value)
		}
	}
	until(t, "the metric says so", gauge("0"))
	s.region.AddCluster(awssim.Cluster{Name: "quiet", Logging: []string{"authenticator"}})
	until(t, "it is over", func() bool { return diagnosis(t, c, "logging_disabled").State == authlog.DiagnosisResolved })
	until(t, "the metric says so", gauge("1"))
	s.region.DeleteCluster("quiet")
	until(t, "it is not listed any more", func() bool { _, ok := see[one](t, c, "/clusters/quiet"); return !ok || !gauge("1")() })
}

// policyActions are those of the policies in deploy/iam that a service of one
// account is given.
func policyActions(t *testing.T) (operations []string) {
	t.Helper()
	for _, file := range []string{"tier0-logs.json", "tier1-eks.json", "tier3-iam.json"} {
		text, err := os.ReadFile(filepath.Join("../../deploy/iam", file))
		if err != nil {
			t.Fatal(err)
		}
		var policy struct{ Statement []struct{ Action any } }
		if err := json.Unmarshal(text, &policy); err != nil {
			t.Fatal(err)
		}
		for _, s := range policy.Statement {
			list, ok := s.Action.([]any)
			if !ok {
				list = []any{s.Action}
			}
			for _, action := range list {
				_, operation, _ := strings.Cut(action.(string), ":")
				operations = append(operations, operation)
			}
		}
	}
	slices.Sort(operations)
	return operations
}

// The daemon makes every call that the policies of deploy/iam allow, when it
// must, and no other; sts:GetCallerIdentity needs no permission.
func TestTheDaemonCallsExactlyWhatThePoliciesAllow(t *testing.T) {
	s := newStage(t, mapRole(stageIAM+"role/r1"))
	s.deny()
	s.denyUser()
	// An answer that is lost makes the service look for its query, one that
	// never ends makes it stop it.
	s.world.Inject(awssim.Fault{Operation: "StartQuery", Times: 1, Fail: awssim.DropAfter})
	other := addCluster(t, s.account.Region("us-east-1"), "other", time.Hour, streamB)[0]
	at := time.Now().Add(-2 * time.Second)
	other.Put(awssim.Event{Time: at, Message: deniedLine(3, at)})
	s.world.Inject(awssim.Fault{Operation: "StartQuery", Region: "us-east-1", Polls: slices.Repeat([]string{"Running"}, 10_000)})
	// The log group that both sources list is the filter's: the other one asks
	// for the regions meanwhile.
	filtered := make(chan struct{})
	s.world.Inject(awssim.Fault{Operation: "FilterLogEvents", Times: 1, Do: func() { close(filtered) }})
	s.world.Inject(awssim.Fault{Operation: "ListRegions", Times: 1, Do: func() {
		select {
		case <-filtered:
		case <-t.Context().Done():
		}
	}})
	c := s.serve(t, "sources: [{regions: all}, {regions: [eu-central-1], mode: filter-log-events}]", allTiers)
	until(t, "both denials are explained", func() bool {
		list, _ := see[struct{ Diagnoses []struct{ ID string } }](t, c, "/diagnoses?code=never_mapped")
		return len(list.Diagnoses) == 2
	})
	for _, operation := range policyActions(t) {
		if operation != "StopQuery" {
			until(t, operation+" is called", func() bool { return s.world.Calls(operation) > 0 })
		}
	}
	until(t, "a query of the other region runs", func() bool { return s.world.RunningQueries() > 0 })
	if err := c.signal(t, syscall.SIGTERM); err != nil {
		t.Errorf("ended by SIGTERM: %v", err)
	}
	called := map[string]bool{}
	for call := range s.world.CallsBy() {
		if call.Operation != "GetCallerIdentity" {
			called[call.Operation] = true
		}
	}
	var got []string
	for operation := range called {
		got = append(got, operation)
	}
	slices.Sort(got)
	if diff := cmp.Diff(policyActions(t), got); diff != "" {
		t.Errorf("(-allowed +called):\n%s", diff)
	}
}
