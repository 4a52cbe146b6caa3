package awsauth_test

import (
	"strings"
	"testing"

	"github.com/eks-authlog/eks-authlog/internal/access/awsauth"
)

const adminItem = "mapRoles: |\n  - rolearn: arn:aws:iam::111122223333:role/ops-2\n    username: ops\n    groups:\n      - system:masters\n"

// Somebody else's good item must not be rewritten for who was denied.
func TestAnItemThatLetsSomebodyInIsShownAndNotCorrected(t *testing.T) {
	for _, arn := range []string{
		"arn:aws:iam::111122223333:role/ops-1", "arn:aws:iam::999999999999:role/ops-2", "arn:aws-cn:iam::111122223333:role/ops-2",
	} {
		r := awsauth.Lint([]byte(adminItem), awsauth.Options{Account: "111122223333", Granted: []string{arn}})
		if len(r.LockedOut) != 1 || r.LockedOut[0].Nearest == nil || r.LockedOut[0].Nearest.Corrected != "" {
			t.Errorf("%s: %+v", arn, r.LockedOut)
		}
	}
}

func TestAnItemOfAnotherAccountIsNotCorrectedForOne(t *testing.T) {
	file := strings.Replace(adminItem, "111122223333", "99999999999", 1) // a digit too few
	for arn, want := range map[string]bool{"arn:aws:iam::999999999999:role/ops-2": false, "arn:aws:iam::111122223333:role/ops-2": true} {
		r := awsauth.Lint([]byte(file), awsauth.Options{Account: "111122223333"})
		if n := r.Nearest(arn); n == nil || (n.Corrected != "") != want {
			t.Errorf("%s: %+v", arn, n)
		}
	}
}

func TestAnItemWithoutARNIsCorrectedWithAPlaceholder(t *testing.T) {
	r := awsauth.Lint([]byte("mapRoles: |\n  - username: a\n    groups: [team]\n"), awsauth.Options{})
	if len(r.Findings) != 1 || r.Findings[0].Corrected == "" {
		t.Fatalf("%+v", r.Findings)
	}
	again := awsauth.LintData(map[string]string{awsauth.MapRoles: r.Findings[0].Corrected}, awsauth.Options{})
	if len(again.Findings) != 1 || again.Findings[0].Code != awsauth.CodePlaceholder {
		t.Errorf("%s: %+v", r.Findings[0].Corrected, again.Findings)
	}
}

func TestOfTwoItemsInOneTheOneThatCountsIsNotLost(t *testing.T) {
	const one, two = "arn:aws:iam::111122223333:role/one", "arn:aws:iam::111122223333:role/two"
	file := "mapRoles: |\n  - rolearn: " + one + "\n    username: one\n    roleARN: " + two + "\n    groups: [team]\n"
	r := awsauth.Lint([]byte(file), awsauth.Options{Granted: []string{one, two}})
	for _, l := range r.LockedOut {
		if !strings.Contains(r.Findings[0].Effect, l.Principal+" is denied") {
			t.Errorf("%s is locked out; said was %q", l.Principal, r.Findings[0].Effect)
		}
	}
	if len(r.LockedOut) != 1 {
		t.Errorf("%+v", r.LockedOut)
	}
}

func TestAllWrongKeysOfAnItemAreCorrectedAtOnce(t *testing.T) {
	r := awsauth.Lint([]byte("mapRoles: |\n  - role_arn: arn:aws:iam::111122223333:role/one\n    username: one\n    group: [team]\n"), awsauth.Options{})
	if len(r.Findings) != 2 {
		t.Fatalf("%+v", r.Findings)
	}
	for _, f := range r.Findings {
		if again := awsauth.LintData(map[string]string{awsauth.MapRoles: f.Corrected}, awsauth.Options{}); len(again.Findings) > 0 || !strings.Contains(f.Corrected, "team") {
			t.Errorf("%s: %+v", f.Corrected, again.Findings)
		}
	}
}

func TestAFileThatMapsNobodyFails(t *testing.T) {
	for mode, want := range map[string]bool{"": true, "CONFIG_MAP": true, "API_AND_CONFIG_MAP": false, "API": false} {
		for _, file := range []string{"", "# nothing\n", "mapRoles: \"\"\n", "other: |\n  x\n"} {
			if r := awsauth.Lint([]byte(file), awsauth.Options{Mode: mode}); r.Failed() != want {
				t.Errorf("%q in mode %q: %+v", file, mode, r.Findings)
			}
		}
	}
}
