package awsauth_test

import (
	"slices"
	"testing"

	"github.com/eks-authlog/eks-authlog/internal/access/awsauth"
)

// withGroups is an item with these groups.
func withGroups(groups string) string {
	return "mapRoles: |\n  - rolearn: arn:aws:iam::111122223333:role/Dev\n    username: dev\n    groups: " + groups + "\n"
}

func TestEachGroupThatIsNoTextIsPlaced(t *testing.T) {
	wantFound(t, withGroups("[a, 7]"), `error aws_auth_wrong_type 4:17 "7"`)
	wantFound(t, withGroups("\n    - a\n    - 7\n    - [b]\n    - yes"), `error aws_auth_wrong_type 6:7 "7"`, `error aws_auth_wrong_type 7:7`, `error aws_auth_wrong_type 8:7 "yes"`)
	wantFound(t, `mapRoles: '[{"rolearn": "arn:aws:iam::111122223333:role/Dev", "username": "dev", "groups": ["a", 7]}]'`+"\n", `error aws_auth_wrong_type 1:98 "7"`)
}

func TestGroupsOfAnotherTypeArePlaced(t *testing.T) {
	wantFound(t, withGroups(`"a, b"`), `error aws_auth_wrong_type 4:14 "a, b"`)
	wantFound(t, withGroups("|\n      - a\n      - b"), `error aws_auth_wrong_type 5:7 "- a\n- b\n"`)
}

// corrected gives what to write instead of the first finding of a file.
func corrected(t *testing.T, src string) string {
	t.Helper()
	r := awsauth.Lint([]byte(src), awsauth.Options{})
	if len(r.Findings) == 0 {
		t.Fatalf("nothing is wrong in\n%s", src)
	}
	return r.Findings[0].Corrected
}

func TestAValueOfAnotherTypeIsCorrectedAsItIsSpelled(t *testing.T) {
	const arn = "arn:aws:iam::111122223333:role/Dev"
	for _, spelled := range []string{"012345678901", "0123", "1e5", "0x10", "true", "yes", "y", "1_000", "1.50"} {
		src := "mapRoles: |\n  - rolearn: " + arn + "\n    username: " + spelled + "\n"
		if got, want := corrected(t, src), `username: "`+spelled+"\"\n"; got != want {
			t.Errorf("%s: %q", spelled, got)
		}
		src = "mapRoles: |\n  - sso:\n      permissionSetName: Admin\n      accountID: " + spelled + "\n"
		if got, want := corrected(t, src), `accountID: "`+spelled+"\"\n"; got != want {
			t.Errorf("%s: %q", spelled, got)
		}
		if got, want := corrected(t, withGroups("[a, "+spelled+"]")), `- "`+spelled+"\"\n"; got != want {
			t.Errorf("%s: %q", spelled, got)
		}
		m := awsauth.Parse(map[string]string{awsauth.MapRoles: corrected(t, withGroups("a "+spelled))})
		if len(m.Roles) != 1 || !slices.Equal(m.Roles[0].Groups, []string{"a", spelled}) {
			t.Errorf("%s: %+v", spelled, m)
		}
	}
}

// A value that is lost is not lost from the corrections of others.
func TestAWholeItemIsCorrectedAsItIsSpelled(t *testing.T) {
	m := awsauth.Parse(map[string]string{awsauth.MapRoles: corrected(t, "mapRoles: |\n  - rolearn: arn:aws:iam::111122223333:role/p/Dev\n    username: 0123\n    groups: a, 07\n")})
	if len(m.Roles) != 1 || m.Roles[0].Username != "0123" || len(m.Roles[0].Groups) != 2 || m.Roles[0].Groups[1] != "07" {
		t.Errorf("%+v", m)
	}
}

func TestAnARNThatIsNoTextIsNotCorrected(t *testing.T) {
	for _, f := range awsauth.Lint([]byte("mapRoles: |\n  - rolearn: 012345678901\n    username: dev\n    groups: a b\n"), awsauth.Options{}).Findings {
		if f.Corrected != "" {
			t.Errorf("%q", f.Corrected)
		}
	}
}

func TestGroupsInOneTextAreToldApart(t *testing.T) {
	for _, groups := range []string{
		"a:b c", "'a:b, c'", "'[a:b, c]'", `"['a:b', \"c\"]"`, `"- a:b - c"`, `"- a:b\n- c"`, "'- a:b -c'", "-a:b -c", "\n      -a:b\n      -c", "|\n      - a:b\n      -c",
	} {
		m := awsauth.Parse(map[string]string{awsauth.MapRoles: corrected(t, withGroups(groups))})
		if len(m.Roles) != 1 || !slices.Equal(m.Roles[0].Groups, []string{"a:b", "c"}) {
			t.Errorf("groups: %s: %+v", groups, m)
		}
	}
	for _, groups := range []string{"\n    - a:b\n     - c", "\n    - a:b\n     -c"} {
		if got := corrected(t, withGroups(groups)); got != "- a:b\n- c\n" {
			t.Errorf("groups: %s: %q", groups, got)
		}
	}
}
