package awsauth_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/eks-authlog/eks-authlog/internal/access/awsauth"
)

// bad has an error, a warning, and a character that a terminal would obey.
const bad = `mapRoles: |
  - rolearn: arn:aws:iam::111122223333:role/team/Dev
    username: "dev\e[31m:{{ Session }}"
    groups: [team]
`

func report(t *testing.T, src, format string) string {
	t.Helper()
	r := awsauth.Lint([]byte(src), awsauth.Options{File: "a,b:c.yaml", Granted: []string{"arn:aws:iam::111122223333:role/Dev"}})
	var out bytes.Buffer
	if err := r.Write(&out, format); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestTextShowsPlaceByteEffectAndCorrection(t *testing.T) {
	want := `a,b:c.yaml:2:45: error: the role is written with its path [aws_auth_role_path]
      - rolearn: arn:aws:iam::111122223333:role/team/Dev
  wrong:   "team/"
  effect:  matches nobody: arn:aws:iam::111122223333:role/Dev is denied
  instead: - rolearn: arn:aws:iam::111122223333:role/Dev
             username: "dev\e[31m:{{ Session }}"
             groups:
             - team
a,b:c.yaml:3:26: warning: the authenticator does not know this template [aws_auth_bad_template]
        username: "dev\e[31m:{{ Session }}"
  wrong:   "{{ Session }}"
  effect:  it stays as it is written
a,b:c.yaml: error: would lock out arn:aws:iam::111122223333:role/Dev
  nearest: mapRoles item 1, line 2: the role is written with its path [aws_auth_role_path]
  written: arn:aws:iam::111122223333:role/team/Dev
                                          ^^^^^
  denied:  arn:aws:iam::111122223333:role/Dev
  instead: - rolearn: arn:aws:iam::111122223333:role/Dev
             username: "dev\e[31m:{{ Session }}"
             groups:
             - team
a,b:c.yaml: 1 errors, 1 warnings, 0 notes, 1 principals locked out
`
	if d := cmp.Diff(want, report(t, bad, "text")); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

func TestGoodFileSaysSo(t *testing.T) {
	got := report(t, "mapRoles: |\n  - rolearn: arn:aws:iam::111122223333:role/Dev\n    username: dev\n    groups: [team]\n", "text")
	if got != "a,b:c.yaml: nothing wrong (1 roles, 0 users, 0 accounts)\n" {
		t.Errorf("%q", got)
	}
}

func TestGitHubEscapesWhatItsCommandsTakeAsSyntax(t *testing.T) {
	lines := strings.Split(strings.TrimSpace(report(t, bad, "github")), "\n")
	want := `::error file=a%2Cb%3Ac.yaml,line=2,col=45,endColumn=50,title=aws_auth_role_path::the role is written with its path. Effect: matches nobody: arn:aws:iam::111122223333:role/Dev is denied%0AInstead:%0A- rolearn: arn:aws:iam::111122223333:role/Dev%0A  username: "dev\e[31m:{{ Session }}"%0A  groups:%0A  - team`
	if len(lines) != 3 || lines[0] != want {
		t.Errorf("%d lines\n%s", len(lines), lines[0])
	}
	for i, level := range []string{"::error ", "::warning ", "::error "} {
		if !strings.HasPrefix(lines[i], level) {
			t.Errorf("%q does not begin with %q", lines[i], level)
		}
	}
}

func TestSARIFNamesRuleLevelAndRegion(t *testing.T) {
	var log struct {
		Version string
		Runs    []struct {
			Tool struct {
				Driver struct {
					Rules []struct{ ID string }
				}
			}
			Results []struct {
				RuleID, Level string
				Locations     []struct {
					PhysicalLocation struct {
						ArtifactLocation struct{ URI string }
						Region           struct{ StartLine, StartColumn, EndColumn int }
					}
				}
			}
		}
	}
	if err := json.Unmarshal([]byte(report(t, bad, "sarif")), &log); err != nil {
		t.Fatal(err)
	}
	if log.Version != "2.1.0" || len(log.Runs) != 1 || len(log.Runs[0].Results) != 3 {
		t.Fatalf("%+v", log)
	}
	known := map[string]bool{}
	for _, rule := range log.Runs[0].Tool.Driver.Rules {
		known[rule.ID] = true
	}
	for i, want := range []struct {
		rule, level       string
		line, column, end int
	}{{"aws_auth_role_path", "error", 2, 45, 50}, {"aws_auth_bad_template", "warning", 3, 26, 39}, {"aws_auth_would_lock_out", "error", 2, 14, 0}} {
		got := log.Runs[0].Results[i]
		at := got.Locations[0].PhysicalLocation
		if got.RuleID != want.rule || got.Level != want.level || !known[want.rule] || at.ArtifactLocation.URI != "a%2Cb%3Ac.yaml" ||
			at.Region.StartLine != want.line || at.Region.StartColumn != want.column || at.Region.EndColumn != want.end {
			t.Errorf("result %d: %+v", i, got)
		}
	}
}

func TestJSONIsReadBack(t *testing.T) {
	var got awsauth.Report
	if err := json.Unmarshal([]byte(report(t, bad, "json")), &got); err != nil {
		t.Fatal(err)
	}
	want := awsauth.Lint([]byte(bad), awsauth.Options{File: "a,b:c.yaml", Granted: []string{"arn:aws:iam::111122223333:role/Dev"}})
	want.Mappings = awsauth.Mappings{}
	if d := cmp.Diff(want, &got, cmpopts.IgnoreUnexported(awsauth.Report{})); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

func TestUnknownFormatNamesTheOnesThereAre(t *testing.T) {
	err := new(awsauth.Report).Write(&bytes.Buffer{}, "xml")
	if err == nil || !strings.Contains(err.Error(), "text, json, sarif, github") {
		t.Errorf("%v", err)
	}
}

// TestJSONManifest reads what kubectl get -o json prints; its faults stand at
// the escapes inside the strings.
func TestJSONManifest(t *testing.T) {
	src := `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"aws-auth","namespace":"kube-system"},
 "data":{"mapRoles":"- rolearn: arn:aws:iam::111122223333:role/D\u00e9v\n  username: x\n  groups:\n  - a\n",
 "mapUsers":"- userarn: arn:aws:iam::11112222333:user/alice\n  username: alice\n  groups: []\n"}}`
	r := awsauth.Lint([]byte(src), awsauth.Options{})
	var got []string
	for _, f := range r.Findings {
		lines := strings.Split(src, "\n")
		got = append(got, f.Code+" "+lines[f.Line-1][f.Column-1:f.Column+5])
	}
	if d := cmp.Diff([]string{`aws_auth_bad_arn \u00e9`, `aws_auth_bad_arn 111122`}, got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

func TestClusterTellsWhatTheFileAloneCannot(t *testing.T) {
	data := map[string]string{"mapRoles": "- rolearn: arn:aws:iam::111122223333:role/Dev\n  username: dev\n  groups: [a]\n- rolearn: Ops\n  username: ops\n  groups: [a]\n"}
	codes := func(o awsauth.Options) (out []string) {
		for _, f := range awsauth.LintData(data, o).Findings {
			out = append(out, f.Severity.String()+" "+f.Code)
		}
		return out
	}
	if d := cmp.Diff([]string{"error aws_auth_bad_arn"}, codes(awsauth.Options{})); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"error aws_auth_bad_arn", "error aws_auth_bad_arn"}, codes(awsauth.Options{Partition: "aws-cn"})); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"warning aws_auth_ignored_in_api_mode", "error aws_auth_bad_arn"}, codes(awsauth.Options{Mode: "API"})); d != "" {
		t.Error(d)
	}
	r := awsauth.LintData(data, awsauth.Options{Account: "111122223333", Partition: "aws"})
	if want := "- rolearn: arn:aws:iam::111122223333:role/Ops\n  username: ops\n  groups:\n  - a\n"; r.Findings[0].Corrected != want {
		t.Errorf("corrected:\n%s", r.Findings[0].Corrected)
	}
}

func TestNobodyIsLockedOutByAFileThatIsNotRead(t *testing.T) {
	granted := []string{"arn:aws:iam::111122223333:role/Dev"}
	if r := awsauth.LintData(nil, awsauth.Options{Granted: granted}); len(r.LockedOut) != 1 {
		t.Errorf("empty: %+v", r.LockedOut)
	}
	if r := awsauth.LintData(nil, awsauth.Options{Granted: granted, Mode: "API"}); len(r.LockedOut) != 0 {
		t.Errorf("mode API: %+v", r.LockedOut)
	}
	if r := awsauth.Lint([]byte("a: [\n"), awsauth.Options{Granted: granted}); len(r.LockedOut) != 0 || !r.Refused || !r.Failed() {
		t.Errorf("refused: %+v", r)
	}
}

func TestLintDataCountsLinesWithinTheValue(t *testing.T) {
	data := map[string]string{"a": "x\ny\nz", "b": "x\ry\u2028z", "mapRoles": "\n- rolearn: arn:aws:iam::1:role/Dev\n  username: x\n  groups: [a]\n"}
	for _, f := range awsauth.LintData(data, awsauth.Options{}).Findings {
		if f.Section == "mapRoles" && (f.Line != 2 || f.Column != 25) {
			t.Errorf("%d:%d", f.Line, f.Column)
		}
	}
}

func TestDataGivesWhatTheClusterWouldHold(t *testing.T) {
	src, err := os.ReadFile(filepath.Join(lessons, "good.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	data := awsauth.Data(src)
	if len(data) != 3 || !strings.HasPrefix(data["mapRoles"], "- rolearn: arn:aws:iam::111122223333:role/Node\n") {
		t.Errorf("%q", data)
	}
}
