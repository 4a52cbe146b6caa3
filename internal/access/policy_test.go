package access_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"

	"github.com/eks-authlog/eks-authlog/internal/access"
	"github.com/eks-authlog/eks-authlog/internal/awssim"
)

const policies = "../../deploy/iam"

// allowed are the actions of a policy, in order.
func allowed(t *testing.T, file string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(policies, file))
	if err != nil {
		t.Fatal(err)
	}
	var policy struct {
		Version   string
		Statement []struct {
			Sid, Effect string
			Action      any
			Resource    any
		}
	}
	if err := json.Unmarshal(text, &policy); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	var actions []string
	for _, s := range policy.Statement {
		if policy.Version != "2012-10-17" || s.Effect != "Allow" || s.Resource == nil {
			t.Errorf("%s: statement %s", file, s.Sid)
		}
		switch a := s.Action.(type) {
		case string:
			actions = append(actions, a)
		case []any:
			for _, action := range a {
				actions = append(actions, action.(string))
			}
		}
	}
	slices.Sort(actions)
	return actions
}

func sorted(list []string) []string {
	list = slices.Clone(list)
	slices.Sort(list)
	return list
}

func TestPoliciesAllowTheActionsOfEachTierAndNoMore(t *testing.T) {
	for tier, file := range map[int]string{1: "tier1-eks.json", 3: "tier3-iam.json"} {
		if d := cmp.Diff(sorted(access.Actions(tier)), allowed(t, file)); d != "" {
			t.Errorf("tier %d (-called +allowed):\n%s", tier, d)
		}
	}
	text, err := os.ReadFile(filepath.Join(policies, "tier2-kubernetes.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var role struct {
		Rules []struct {
			APIGroups     []string `yaml:"apiGroups"`
			Resources     []string `yaml:"resources"`
			ResourceNames []string `yaml:"resourceNames"`
			Verbs         []string `yaml:"verbs"`
		} `yaml:"rules"`
	}
	if err := yaml.Unmarshal(text, &role); err != nil {
		t.Fatal(err)
	}
	var verbs []string
	for _, r := range role.Rules {
		for _, verb := range r.Verbs {
			verbs = append(verbs, verb+" "+strings.Join(r.Resources, ",")+"/"+strings.Join(r.ResourceNames, ","))
		}
	}
	if d := cmp.Diff(sorted(access.Actions(2)), sorted(verbs)); d != "" {
		t.Errorf("tier 2 (-called +allowed):\n%s", d)
	}
}

// TestCallsMadeAreTheActionsListed does all that a reader does and looks at
// what reached AWS and Kubernetes.
func TestCallsMadeAreTheActionsListed(t *testing.T) {
	s := newScene(t, roles(nodeItem))
	boss := s.account.AddRole(awssim.Role{Name: "team/boss", Created: clusterMade})
	s.change(func(c *awssim.Cluster) { c.AccessEntries = []awssim.AccessEntry{admin(boss)} })
	r, await := watching(t, s)
	await(func() { s.access(r) })
	await(func() { s.kube.Set(roles(nodeItem, roleItem(iamARN+"role/Dev"))) })
	s.explain(r, role("Dev"))
	s.explain(r, user("alice"))
	if _, err := r.Clusters(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{}
	for _, tier := range []int{1, 3} {
		for _, action := range access.Actions(tier) {
			_, operation, _ := strings.Cut(action, ":")
			want[operation] = true
		}
	}
	got := map[string]bool{}
	for call := range s.world.CallsBy() {
		got[call.Operation] = true
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("AWS (-listed +called):\n%s", d)
	}
	for _, action := range access.Actions(2) {
		verb, _, _ := strings.Cut(action, " ")
		if s.kube.Requests(verb) == 0 {
			t.Errorf("%s is listed and was not asked for", action)
		}
	}
	if s.kube.Requests("") > 0 {
		t.Error("Kubernetes was asked for something else")
	}
}

func TestTrustPoliciesAreJSON(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(policies, "*.json"))
	if err != nil || len(files) < 7 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil || !json.Valid(text) {
			t.Errorf("%s: %v", file, err)
		}
	}
}
