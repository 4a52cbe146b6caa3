package rules_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/rules"
)

func TestPrincipalOfTellsTheKind(t *testing.T) {
	const iam, sts = "arn:aws:iam::111122223333:", "arn:aws:sts::111122223333:"
	for _, c := range []struct {
		arn, session string
		want         authlog.PrincipalKind
	}{
		{iam + "role/Dev", "", authlog.PrincipalRole},
		{iam + "role/Dev", "bob@example.com", authlog.PrincipalRole},
		{iam + "role/Node", "i-0123456789abcdef0", authlog.PrincipalNode},
		{iam + "role/Node", "i-1a2b3c4d", authlog.PrincipalNode},
		{sts + "assumed-role/Node/i-0123456789abcdef0", "", authlog.PrincipalNode},
		{iam + "role/Node", "i-0123456789abcdef", authlog.PrincipalRole},
		{iam + "role/Node", "i-0123456789ABCDEF0", authlog.PrincipalRole},
		{iam + "role/Node", "xi-0123456789abcdef0", authlog.PrincipalRole},
		{iam + "role/Pods", "fargate-ip-10-0-1-2.ec2.internal", authlog.PrincipalFargate},
		{iam + "role/Hybrid", "mi-0123456789abcdef0", authlog.PrincipalHybrid},
		{iam + "role/Hybrid", "mi-someone", authlog.PrincipalRole},
		{iam + "role/AWSReservedSSO_Admin_0123456789abcdef", "carol", authlog.PrincipalSSO},
		{iam + "role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_Admin_0123456789abcdef", "carol", authlog.PrincipalSSO},
		{iam + "role/AWSReservedSSO_Admin_0123456789abcdeg", "carol", authlog.PrincipalRole},
		{iam + "role/AWSServiceRoleForBatch", "x", authlog.PrincipalServiceLinked},
		{iam + "role/AWSWesleyClusterManagerLambda-NodeManagerRole-1A", "EKSAuthTokenSession", authlog.PrincipalAWS},
		{iam + "role/AmazonEKSClusterInsightsViewOnlyRole", "EKSClusterInsightsAuth", authlog.PrincipalAWS},
		{iam + "role/Evil", "EKSAuthTokenSession", authlog.PrincipalRole},
		{iam + "user/devs/alice", "", authlog.PrincipalUser},
		{iam + "user/i-0123456789abcdef0", "", authlog.PrincipalUser},
		{iam + "root", "", authlog.PrincipalRoot},
		{sts + "federated-user/bob", "", authlog.PrincipalFederatedUser},
		{iam + "group/devs", "", authlog.PrincipalUnknown},
		{"arn:aws:iam::XXXXXXXXXXXX:role/Dev", "", authlog.PrincipalRole},
		{"not-an-arn", "", authlog.PrincipalUnknown},
		{"", "", authlog.PrincipalUnknown},
	} {
		got := rules.PrincipalOf(c.arn, c.session)
		if got.Kind != c.want {
			t.Errorf("%s with session %q is %s, want %s", c.arn, c.session, got.Kind, c.want)
		}
		if got.Benign != (c.want == authlog.PrincipalAWS) {
			t.Errorf("%s: benign=%v", c.arn, got.Benign)
		}
	}
}

func TestPrincipalOfMakesTheARNCanonical(t *testing.T) {
	got := rules.PrincipalOf("arn:aws:sts::111122223333:assumed-role/Dev/bob", "")
	want := authlog.Principal{
		ARN: "arn:aws:iam::111122223333:role/Dev", Kind: authlog.PrincipalRole, Account: "111122223333", Session: "bob",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestPrincipalOfKeepsOnlyValidText(t *testing.T) {
	got := rules.PrincipalOf("arn:aws:iam::111122223333:role/D\xffv", "b\xfeb")
	if got.ARN != "arn:aws:iam::111122223333:role/D\uFFFDv" || got.Session != "b\uFFFDb" {
		t.Errorf("%+v", got)
	}
}

func TestSplitSSORole(t *testing.T) {
	for role, want := range map[string][2]string{
		"AWSReservedSSO_Admin_0123456789abcdef":     {"Admin", "0123456789abcdef"},
		"AWSReservedSSO_Read_Only_0123456789abcdef": {"Read_Only", "0123456789abcdef"},
		"AWSReservedSSO_Admin_0123456789abcde":      {},
		"AWSReservedSSO__0123456789abcdef":          {},
		"AWSReservedSSO_0123456789abcdef":           {},
		"Admin_0123456789abcdef":                    {},
		"AWSReservedSSO_":                           {},
	} {
		set, suffix, ok := rules.SplitSSORole(role)
		if [2]string{set, suffix} != want || ok != (want[0] != "") {
			t.Errorf("%s: %q %q %v", role, set, suffix, ok)
		}
	}
}

// A customer's role of EKS's name must not hide behind it.
func TestARoleOfTheClustersOwnAccountIsNotEKS(t *testing.T) {
	ev := denied("identity is not mapped")
	ev.Fields = append(ev.Fields, authlog.Field{Key: "arn", Value: "arn:aws:iam::111122223333:role/AWSWesleyClusterManagerLambda-x"})
	for account, benign := range map[string]bool{"111122223333": false, "444455556666": true, "": true} {
		ev.Cluster.Account = account
		if d := rules.Denial(&ev, rules.Identity{}); d.Principal.Benign != benign {
			t.Errorf("in account %q benign=%v", account, d.Principal.Benign)
		}
	}
	ev.Cluster.Account = ""
	ev.Fields[len(ev.Fields)-1].Value = "arn:aws:iam::XXXXXXXXXXXX:role/AWSWesleyClusterManagerLambda-x"
	if d := rules.Denial(&ev, rules.Identity{}); !d.Principal.Benign {
		t.Error("two accounts that are not known are taken for the same")
	}
}
