package diagnose_test

import (
	"slices"
	"testing"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/diagnose"
)

// TestThresholdsDecide changes one threshold at a time and looks whether the
// diagnosis of an incident comes or goes.
func TestThresholdsDecide(t *testing.T) {
	for _, c := range []struct {
		name, incident, code string
		change               func(*diagnose.Config)
		want                 bool
	}{
		{"WipePrincipals", "aws_auth_wiped", "aws_auth_wiped", func(c *diagnose.Config) { c.WipePrincipals, c.WipeShare = 4, 2 }, false},
		{"WipeShare", "near_aws_auth_wiped", "aws_auth_wiped", func(c *diagnose.Config) { c.WipeShare, c.WipeWindow = 0.1, 2*time.Hour }, true},
		{"WipeWindow", "aws_auth_wiped", "aws_auth_wiped", func(c *diagnose.Config) { c.WipeWindow = 30 * time.Second }, false},
		{"Flap", "near_aws_auth_wiped_restart", "aws_auth_wiped", func(c *diagnose.Config) { c.Flap = 10 * time.Second }, true},
		{"Sibling", "possible_wrong_profile", "possible_wrong_profile", func(c *diagnose.Config) { c.Sibling = time.Hour }, false},
		{"LoopDenials", "denied_principal_loop", "denied_principal_loop", func(c *diagnose.Config) { c.LoopDenials = 61 }, false},
		{"LoopSpan", "near_denied_principal_loop", "denied_principal_loop", func(c *diagnose.Config) { c.LoopSpan = 20 * time.Minute }, true},
		{"PeriodicDenials", "near_non_iam_token_loop", "non_iam_token_loop", func(c *diagnose.Config) { c.PeriodicDenials = 9 }, true},
		{"PeriodicWindow", "stale_credentials_loop", "stale_credentials_loop", func(c *diagnose.Config) { c.PeriodicWindow = 4 * time.Minute }, false},
		{"PeriodicJitter", "near_stale_credentials_loop", "stale_credentials_loop", func(c *diagnose.Config) { c.PeriodicJitter = 5 }, true},
		{"StaleTokens", "near_stale_token_loop", "stale_token_loop", func(c *diagnose.Config) { c.StaleTokens = 2 }, true},
		{"SkewTokens", "clock_skew_behind", "clock_skew", func(c *diagnose.Config) { c.SkewTokens = 5 }, false},
		{"SkewJitter", "near_clock_skew", "clock_skew", func(c *diagnose.Config) { c.SkewJitter = 2 * time.Hour }, true},
		{"BrokenTokens", "near_broken_token_client", "broken_token_client", func(c *diagnose.Config) { c.BrokenTokens = 1 }, true},
		{"STSDenials", "sts_throttled_cluster", "sts_throttled_cluster", func(c *diagnose.Config) { c.STSDenials, c.STSShare = 25, 2 }, false},
		{"STSClients", "near_sts_throttled_cluster", "sts_throttled_cluster", func(c *diagnose.Config) { c.STSClients = 1 }, true},
		{"STSShare", "sts_throttled_cluster_share", "sts_throttled_cluster", func(c *diagnose.Config) { c.STSShare = 0.5 }, false},
		{"STSCalm", "sts_throttled_cluster_over", "sts_throttled_cluster", func(c *diagnose.Config) { c.STSCalm = 5 * time.Minute }, false},
		{"ProbeDenials", "credential_probe", "credential_probe", func(c *diagnose.Config) { c.ProbeDenials = 61 }, false},
		{"ProbeReasons", "near_credential_probe", "credential_probe", func(c *diagnose.Config) { c.ProbeReasons = 1 }, true},
		{"ProbeFloor", "credential_probe_rate", "credential_probe", func(c *diagnose.Config) { c.ProbeFloor = 151 }, false},
		{"ForeignPrincipals", "never_mapped_foreign_once", "foreign_account_probe", func(c *diagnose.Config) { c.ForeignPrincipals = 1 }, true},
		{"ForeignDenials", "foreign_account_probe_tries", "foreign_account_probe", func(c *diagnose.Config) { c.ForeignDenials = 6 }, false},
		{"Gap", "log_gap", "log_gap", func(c *diagnose.Config) { c.Gap = time.Hour }, false},
		{"Quiet", "mapping_lost_quiet", "mapping_lost", func(c *diagnose.Config) { c.Quiet = 12 * time.Hour }, false},
		{"Calm", "stale_token_loop", "stale_token_loop", func(c *diagnose.Config) { c.Calm = 5 * time.Minute }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := byName(t, c.incident)
			cfg := diagnose.Default()
			if has(in, cfg, c.code) == c.want {
				t.Fatalf("the default decides as the change does")
			}
			c.change(&cfg)
			if got := has(in, cfg, c.code); got != c.want {
				t.Errorf("%s is there: %t, want %t", c.code, got, c.want)
			}
		})
	}
}

func has(in *incident, cfg diagnose.Config, code string) bool {
	m := diagnose.New(cfg)
	m.Know(in.cluster, in.facts)
	for _, p := range append(inOrder(in, find(in.lines)), page(in, in.through, nil)) {
		m.Observe(p).Commit()
	}
	return slices.ContainsFunc(m.Diagnoses(in.cluster), func(d authlog.Diagnosis) bool { return d.Code == code })
}

// TestSeverityAndConfidenceThresholds are those that do not decide whether a
// diagnosis is made.
func TestSeverityAndConfidenceThresholds(t *testing.T) {
	find := func(in *incident, cfg diagnose.Config, code string) authlog.Diagnosis {
		m := diagnose.New(cfg)
		m.Know(in.cluster, in.facts)
		for _, p := range append(inOrder(in, findAll(in)), page(in, in.through, nil)) {
			m.Observe(p).Commit()
		}
		list := m.Diagnoses(in.cluster)
		i := slices.IndexFunc(list, func(d authlog.Diagnosis) bool { return d.Code == code })
		if i < 0 {
			t.Fatalf("no %s", code)
		}
		return list[i]
	}
	cfg := diagnose.Default()
	cfg.SSOUsers = 4
	if d := find(byName(t, "sso_role_rotated_many"), cfg, "sso_role_rotated"); d.Severity != authlog.SeverityWarning {
		t.Errorf("three of four people: %s", d.Severity)
	}
	cfg = diagnose.Default()
	cfg.WipeCause = 10 * time.Second
	if d := find(byName(t, "aws_auth_wiped"), cfg, "aws_auth_wiped"); d.Confidence != authlog.ConfidenceMedium {
		t.Errorf("no change of aws-auth near: %s", d.Confidence)
	}
	cfg = diagnose.Default()
	cfg.NodeInstances = 1
	if d := find(byName(t, "node_granted_as_non_node_bastion"), cfg, "node_granted_as_non_node"); d.Confidence != authlog.ConfidenceHigh {
		t.Errorf("one instance is enough: %s", d.Confidence)
	}
	cfg = diagnose.Default()
	cfg.MaxListed = 2
	if d := find(byName(t, "aws_auth_wiped"), cfg, "aws_auth_wiped"); len(d.Affected) != 2 || d.AffectedTotal != 3 || len(d.Children) != 2 || d.ChildrenTotal != 3 {
		t.Errorf("listed %d of %d affected, %d of %d children", len(d.Affected), d.AffectedTotal, len(d.Children), d.ChildrenTotal)
	}
}

func findAll(in *incident) []finding { return find(in.lines) }

// TestBoundsDropTheOldest gives the machine more principals than it may keep.
func TestBoundsDropTheOldest(t *testing.T) {
	cfg := diagnose.Default()
	cfg.MaxPrincipals = 100
	m := diagnose.New(cfg)
	for _, p := range benchPages(20_000, 1_000, 240) {
		m.Observe(p).Commit()
	}
	if n := len(m.Diagnoses(benchCluster)); n == 0 || n > cfg.MaxPrincipals+10 {
		t.Errorf("%d diagnoses of at most %d principals", n, cfg.MaxPrincipals)
	}
}
