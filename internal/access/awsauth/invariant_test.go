package awsauth_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/eks-authlog/eks-authlog/internal/access/awsauth"
)

// checkInvariants holds what must be true of every file there is.
func checkInvariants(t *testing.T, r *awsauth.Report) {
	t.Helper()
	for _, e := range r.Mappings.Errors {
		if !slices.ContainsFunc(r.Findings, func(f awsauth.Finding) bool {
			return f.Section == e.Section && f.Severity != awsauth.SeverityInfo
		}) {
			t.Errorf("the authenticator complains and Lint does not: %v", e)
		}
	}
	codes := awsauth.Rules()
	for _, f := range r.Findings {
		if !slices.ContainsFunc(codes, func(rule awsauth.Rule) bool { return rule.Code == f.Code }) {
			t.Errorf("%q is no rule", f.Code)
		}
		if f.Line < 1 || f.Column < 1 || f.EndColumn <= f.Column {
			t.Errorf("%s stands at %d:%d-%d", f.Code, f.Line, f.Column, f.EndColumn)
		}
		checkCorrected(t, f)
	}
	for _, format := range awsauth.Formats() {
		var out bytes.Buffer
		if err := r.Write(&out, format); err != nil {
			t.Errorf("%s: %v", format, err)
		}
		if (format == "json" || format == "sarif") && !json.Valid(out.Bytes()) {
			t.Errorf("%s is no JSON", format)
		}
		if i := strings.IndexFunc(out.String(), func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }); i >= 0 {
			if format == "text" || format == "github" {
				t.Errorf("%s prints %q", format, out.String()[i:min(i+4, out.Len())])
			}
		}
	}
}

// checkCorrected parses what Lint says to write instead: the authenticator
// must take it, and the ARN must match its own role or user.
func checkCorrected(t *testing.T, f awsauth.Finding) {
	t.Helper()
	switch f.Code {
	case awsauth.CodeRolePath, awsauth.CodeSSOPath, awsauth.CodeAssumedRole, awsauth.CodeBadARN, awsauth.CodeInvisible:
	default:
		return
	}
	if f.Corrected == "" {
		return
	}
	r := awsauth.LintData(map[string]string{f.Section: f.Corrected}, awsauth.Options{})
	if len(r.Mappings.Errors) > 0 || len(r.Mappings.Roles)+len(r.Mappings.Users) != 1 {
		t.Errorf("%s: the correction is none: %v\n%s", f.Code, r.Mappings.Errors, f.Corrected)
	}
	for _, g := range r.Findings {
		if g.Code == f.Code {
			t.Errorf("%s: the correction has the same fault:\n%s", f.Code, f.Corrected)
		}
	}
}

// FuzzLint: no input makes Lint panic, hide an error of the authenticator,
// print what a terminal obeys, or correct an ARN into another wrong one.
func FuzzLint(f *testing.F) {
	files, err := filepath.Glob(filepath.Join(lessons, "*.yaml"))
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(src)
	}
	for _, text := range []string{"\xff\xfea\x00", "\xfe\xff\x00a\xd8", "\ufeffmapRoles: |\n  \ufeff- a\n", `{"data":{"mapRoles":"- rolearn: \ud83d\ude00\ud83d"}}`, "mapRoles: \"- a\u0085\u2028 b\"\u2029", "mapAccounts: |\n  -1\n  - {a: 111122223333}\n"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		r := awsauth.Lint(src, awsauth.Options{Granted: []string{"arn:aws:iam::111122223333:role/Dev"}})
		checkInvariants(t, r)
		if m, ok := r.Mappings.Map("arn:aws:iam::111122223333:role/Dev"); ok && len(r.LockedOut) > 0 {
			t.Errorf("locked out and let in by %+v", m)
		}
	})
}

// The time that a file takes grows with its size alone: each of these would
// take long, and be too long to tell, if it grew with the square.
func TestLongTextsAreReadOnce(t *testing.T) {
	const many = 1 << 15
	for _, src := range []string{
		withGroups(`["` + strings.Repeat(" ", many) + `x"]`), withGroups("[" + strings.Repeat("a b,", many/4) + "7]"),
		"mapAccounts: [" + strings.Repeat("1,", many/2) + "1]\n", "mapAccounts: |\n  [" + strings.Repeat("1,", many/2) + "1]\n",
		"mapRoles: |\n  [" + strings.Repeat("~,", many/2) + "~]\n",
	} {
		r := awsauth.Lint([]byte(src), awsauth.Options{})
		var out bytes.Buffer
		if err := r.Write(&out, "json"); err != nil || len(r.Findings) == 0 || out.Len() > 1<<26 {
			t.Errorf("%.40q: %d findings in %d bytes, %v", src, len(r.Findings), out.Len(), err)
		}
	}
}
