package awsauth_test

import (
	"strings"
	"testing"

	"github.com/eks-authlog/eks-authlog/internal/access/awsauth"
)

// accounts is a file with these accounts, which begin in line 3.
func accounts(text string) string {
	return "mapAccounts: |\n  # who may come\n  " + strings.ReplaceAll(text, "\n", "\n  ") + "\n"
}

const noList = "the accounts are no list: "

func TestAccountsThatAreNoListAreCorrectedWithTheirOwn(t *testing.T) {
	for text, want := range map[string]string{
		`"999900001111"`:                                "- \"999900001111\"\n",
		"012345678901":                                  "- \"012345678901\"\n",
		"444455556666, 4444-5555-7777":                  "- \"444455556666\"\n- \"444455557777\"\n",
		"-444455556666\n-444455557777":                  "- \"444455556666\"\n- \"444455557777\"\n",
		"a: 444455556666\n444455557777: [444455558888]": "- \"444455556666\"\n- \"444455557777\"\n- \"444455558888\"\n",
		`{"a": "b"}`:                                    "- <ACCOUNT>\n",
		"4444":                                          "- <ACCOUNT>\n",
	} {
		r := awsauth.Lint([]byte(accounts(text)), awsauth.Options{})
		if len(r.Findings) != 1 {
			t.Errorf("%s: %+v", text, r.Findings)
			continue
		}
		if f := r.Findings[0]; f.Corrected != want || !strings.HasPrefix(f.Message, noList) || strings.HasPrefix(text, "-") == strings.HasSuffix(f.Message, "begins with a dash") || f.Line != 3 || f.Column != 3 {
			t.Errorf("%s: %d:%d %s, corrected:\n%s", text, f.Line, f.Column, f.Message, f.Corrected)
		}
	}
}

func TestAnAccountOfAnotherFormIsShownAndTheOthersAreChecked(t *testing.T) {
	src := accounts("- 4444\n- {id: \"444455556666\"}\n- 44445555666\n- []")
	wantFound(t, src, `error aws_auth_bad_account 3:5 "4444"`, "error aws_auth_wrong_type 4:5", `error aws_auth_bad_account 5:5 "44445555666"`, "error aws_auth_wrong_type 6:5")
	r := awsauth.Lint([]byte(src), awsauth.Options{})
	if f := r.Findings[1]; f.Corrected != "- \"444455556666\"\n" || f.Item != 1 {
		t.Errorf("%+v", f)
	}
}

func TestAccountsThatAreNoYAMLAreMended(t *testing.T) {
	wantFound(t, accounts("- 444455556666\n\t- 444455557777"), `error aws_auth_not_yaml 4:3 "\t"`)
	wantFound(t, accounts("- \"444455556666\n- 4444"), "error aws_auth_not_yaml 3:18", `error aws_auth_bad_account 4:5 "4444"`)
	wantFound(t, accounts("{444455556666"), "error aws_auth_not_yaml 4:1")
	r := awsauth.Lint([]byte(accounts("- 444455556666\n\t- 444455557777")), awsauth.Options{})
	if f := r.Findings[0]; f.Corrected != "- 444455557777\n" {
		t.Errorf("%q", f.Corrected)
	}
}

func TestNoTextOfALibraryIsShownForAccounts(t *testing.T) {
	for _, text := range []string{"{a: b}", "- [1]", "1", "- 1\n- {}", "- a: b\n- c", "- {a"} {
		for _, f := range awsauth.Lint([]byte(accounts(text)), awsauth.Options{}).Findings {
			if strings.Contains(f.Message, "yaml: ") || strings.Contains(f.Message, "unmarshal") {
				t.Errorf("%s: %s", text, f.Message)
			}
		}
	}
}
