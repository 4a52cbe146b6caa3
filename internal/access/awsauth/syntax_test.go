package awsauth_test

import (
	"strings"
	"testing"

	"github.com/eks-authlog/eks-authlog/internal/access/awsauth"
)

// mended gives a file with the lines of all findings in place of its own.
func mended(t *testing.T, src string) string {
	t.Helper()
	lines := strings.Split(src, "\n")
	for _, f := range awsauth.Lint([]byte(src), awsauth.Options{}).Findings {
		if f.Code == awsauth.CodeNotYAML {
			lines[f.Line-1] = "  " + strings.TrimSuffix(f.Corrected, "\n")
		}
	}
	return strings.Join(lines, "\n")
}

func TestABlankIsMissingAfterADash(t *testing.T) {
	const arn = "arn:aws:iam::111122223333:role/Dev"
	for _, src := range []string{
		"mapRoles: |\n  - rolearn: " + arn + "\n    username: dev\n    groups:\n    - a\n    -b\n",
		"mapRoles: |\n  -rolearn: " + arn + "\n   username: dev\n   groups:\n   -a\n   -b\n",
		"mapRoles: |\n  -rolearn: " + arn + "\n    username: dev\n    groups:\n    - a\n    - b\n",
		"mapRoles: |\n  - rolearn: " + arn + "\n    username: dev\n    groups: [a, b]\nmapAccounts: |\n  - 444455556666\n  -444455557777\n",
	} {
		r := awsauth.Lint([]byte(src), awsauth.Options{})
		if !strings.Contains(r.Findings[0].Message, "a blank is missing after the dash") {
			t.Errorf("%s\n%s", src, r.Findings[0].Message)
		}
		again := awsauth.Lint([]byte(mended(t, src)), awsauth.Options{})
		if len(again.Findings) > 0 || len(again.Mappings.Roles) != 1 || len(again.Mappings.Roles[0].Groups) != 2 {
			t.Errorf("%s\n%+v", mended(t, src), again.Findings)
		}
	}
}

func TestItemsWhoseDashesAreGluedAreNoList(t *testing.T) {
	r := awsauth.Lint([]byte("mapUsers: |\n  -userarn: arn:aws:iam::111122223333:user/a\n  -userarn: arn:aws:iam::111122223333:user/b\n"), awsauth.Options{})
	f := r.Findings[0]
	again := awsauth.Parse(map[string]string{awsauth.MapUsers: f.Corrected})
	if f.Message != "the section is no list: a blank is missing after the dash" || len(again.Users) != 2 {
		t.Errorf("%s\n%s", f.Message, f.Corrected)
	}
}
