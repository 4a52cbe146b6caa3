package diagnose_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"mvdan.cc/sh/v3/syntax"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// programs are what a remedy may call.
var programs = []string{"aws", "eksctl", "kubectl", "chronyc", "sudo", "timedatectl", "unset", "export"}

// A call is what a shell makes of a command.
type call struct {
	words     []string // as the program sees them; $NAME for a variable
	variables []string // that are read
	assigned  string   // the variable that its output goes to
}

// readCommand parses a command as a POSIX shell does, and fails when it is
// anything but one call of one program: no second command, no pipe, no
// expansion but of a variable in double quotes.
func readCommand(t *testing.T, command string) call {
	t.Helper()
	file, err := syntax.NewParser(syntax.Variant(syntax.LangPOSIX)).Parse(strings.NewReader(command), "")
	if err != nil {
		t.Fatalf("%q: %v", command, err)
	}
	if len(file.Stmts) != 1 || len(file.Last) != 0 {
		t.Fatalf("%q is not one command", command)
	}
	return readStatement(t, command, file.Stmts[0])
}

func readStatement(t *testing.T, command string, s *syntax.Stmt) call {
	t.Helper()
	if s.Negated || s.Background || s.Coprocess {
		t.Fatalf("%q: more than a plain command", command)
	}
	for _, r := range s.Redirs {
		if to := readWord(t, command, r.Word, nil); r.Op != syntax.RdrOut || !strings.HasPrefix(to, "aws-auth.") {
			t.Fatalf("%q: writes to %q", command, to)
		}
	}
	c, ok := s.Cmd.(*syntax.CallExpr)
	if !ok {
		t.Fatalf("%q: not a simple command", command)
	}
	return readCall(t, command, c)
}

func readCall(t *testing.T, command string, c *syntax.CallExpr) call {
	t.Helper()
	if len(c.Assigns) == 1 && len(c.Args) == 0 { // NAME=$(command)
		parts := c.Assigns[0].Value.Parts
		sub, ok := parts[0].(*syntax.CmdSubst)
		if !ok || len(parts) != 1 || len(sub.Stmts) != 1 {
			t.Fatalf("%q: what is assigned?", command)
		}
		inner := readStatement(t, command, sub.Stmts[0])
		inner.assigned = c.Assigns[0].Name.Value
		return inner
	}
	if len(c.Assigns) > 0 {
		t.Fatalf("%q: what is assigned?", command)
	}
	var out call
	for _, w := range c.Args {
		out.words = append(out.words, readWord(t, command, w, &out.variables))
	}
	if !slices.Contains(programs, out.words[0]) {
		t.Fatalf("%q calls %q", command, out.words[0])
	}
	return out
}

// readWord gives a word as the program sees it.
func readWord(t *testing.T, command string, w *syntax.Word, variables *[]string) string {
	t.Helper()
	var b strings.Builder
	var read func(parts []syntax.WordPart, inQuotes bool)
	read = func(parts []syntax.WordPart, inQuotes bool) {
		for _, p := range parts {
			switch p := p.(type) {
			case *syntax.Lit:
				text := p.Value
				if !inQuotes {
					if strings.ContainsAny(strings.ReplaceAll(text, `\'`, ""), "*?[]{}~\\$`") {
						t.Fatalf("%q: %q is not quoted", command, text)
					}
					text = strings.ReplaceAll(text, `\'`, "'")
				}
				b.WriteString(text)
			case *syntax.SglQuoted:
				b.WriteString(p.Value)
			case *syntax.DblQuoted:
				read(p.Parts, true)
			case *syntax.ParamExp:
				if !inQuotes || variables == nil || !p.Short {
					t.Fatalf("%q: an expansion outside of quotes", command)
				}
				*variables = append(*variables, p.Param.Value)
				b.WriteString("$" + p.Param.Value)
			case *syntax.CmdSubst:
				if len(p.Stmts) != 1 || command[p.Pos().Offset():p.End().Offset()] != "$(date +%s)" {
					t.Fatalf("%q: runs another command", command)
				}
				b.WriteString("0")
			default:
				t.Fatalf("%q: what is %T?", command, p)
			}
		}
	}
	read(w.Parts, false)
	return b.String()
}

// commandsOf calls f with each command of a diagnosis; the remedy is nil for
// those that would confirm.
func commandsOf(d *authlog.Diagnosis, f func(r *authlog.Remedy, s authlog.Step)) {
	for _, s := range d.WouldConfirm {
		f(nil, s)
	}
	for i := range d.Remedies {
		r := &d.Remedies[i]
		for _, s := range slices.Concat(r.Steps, r.Check, r.Undo) {
			f(r, s)
		}
	}
}

// everyDiagnosis calls f with all that the incidents lead to.
func everyDiagnosis(t *testing.T, f func(t *testing.T, d *authlog.Diagnosis)) {
	t.Helper()
	for _, in := range incidents(t) {
		t.Run(in.name, func(t *testing.T) {
			m, _ := replay(in, inOrder(in, find(in.lines)))
			for _, d := range all(in, m) {
				f(t, &d)
			}
		})
	}
}

// TestCommandsAreSingleCalls parses every command that any incident leads to,
// and looks whether each variable is set: by a command before, or by whoever
// follows the remedy.
func TestCommandsAreSingleCalls(t *testing.T) {
	everyDiagnosis(t, func(t *testing.T, d *authlog.Diagnosis) {
		t.Helper()
		set := map[*authlog.Remedy]map[string]bool{}
		commandsOf(d, func(r *authlog.Remedy, s authlog.Step) {
			if s.Command == "" {
				return
			}
			c := readCommand(t, s.Command)
			if set[r] == nil {
				set[r] = map[string]bool{}
				for _, p := range placeholdersOf(r) {
					set[r][p.Name] = true
				}
			}
			for _, name := range c.variables {
				if !set[r][name] && r != nil {
					t.Errorf("%s: %q: nobody sets %s", d.Code, s.Command, name)
				}
			}
			set[r][c.assigned] = true
		})
	})
}

func placeholdersOf(r *authlog.Remedy) []authlog.Placeholder {
	if r == nil {
		return nil
	}
	return r.Set
}

// TestRemediesNeverGrantTooMuch holds what must never be advised.
func TestRemediesNeverGrantTooMuch(t *testing.T) {
	everyDiagnosis(t, func(t *testing.T, d *authlog.Diagnosis) {
		t.Helper()
		commandsOf(d, func(r *authlog.Remedy, s authlog.Step) {
			text := s.Command + s.Text
			for _, never := range []string{"system:masters", "--kubernetes-groups", "type=cluster,"} {
				if strings.Contains(text, never) {
					t.Errorf("%s: %q has %s", d.Code, text, never)
				}
			}
			if strings.Contains(text, "ClusterAdmin") && (r == nil || r.Key != "break_glass" || r.Warning == "") {
				t.Errorf("%s: %q makes an administrator", d.Code, text)
			}
			if strings.Contains(text, "authenticationMode=") && !s.OneWay {
				t.Errorf("%s: %q is not said to be one-way", d.Code, text)
			}
		})
		for _, r := range d.Remedies {
			if strings.Contains(r.Terraform, "ClusterAdmin") || strings.Contains(r.Terraform, "system:") {
				t.Errorf("%s: Terraform gives too much:\n%s", d.Code, r.Terraform)
			}
		}
	})
}

var letsIn = regexp.MustCompile(`create-access-entry|associate-access-policy|create iamidentitymapping`)

// What to write into aws-auth for a stranger is not shown anywhere.
func TestAStrangersItemIsNotCorrected(t *testing.T) {
	in := byName(t, "never_mapped_stranger_near_item")
	if in.facts.Principals["arn:aws:iam::999988887777:role/Dev"].Causes[0].Corrected == "" {
		t.Fatal("the incident has nothing to hide")
	}
	m, _ := replay(in, inOrder(in, find(in.lines)))
	for _, d := range all(in, m) {
		if d.Configuration == nil {
			continue
		}
		for _, c := range d.Configuration.Causes {
			if c.Corrected != "" {
				t.Errorf("%s: %q", d.Code, c.Corrected)
			}
		}
		for _, r := range d.Remedies {
			if r.Key == "correct_aws_auth_item" {
				t.Errorf("%s: %+v", d.Code, r)
			}
		}
	}
}

// TestNoGrantForUntrustedAccounts looks at the incidents with principals of
// accounts that are not trusted: no command names them, and none lets anybody
// in.
func TestNoGrantForUntrustedAccounts(t *testing.T) {
	untrusted := 0
	everyDiagnosis(t, func(t *testing.T, d *authlog.Diagnosis) {
		t.Helper()
		for _, a := range d.Affected {
			if a.Account != "999988887777" {
				continue
			}
			untrusted++
			commandsOf(d, func(_ *authlog.Remedy, s authlog.Step) {
				if letsIn.MatchString(s.Command) || strings.Contains(s.Command, a.Account) {
					t.Errorf("%s: %q", d.Code, s.Command)
				}
			})
		}
	})
	if untrusted == 0 {
		t.Fatal("no incident has an untrusted account")
	}
}

// TestGrantsWarnWhereTheAccountMayBeAnyones replays the incidents as of a cluster
// whose account is not known, so that nobody can tell whose principals are
// strangers: each remedy that lets one in says so first.
func TestGrantsWarnWhereTheAccountMayBeAnyones(t *testing.T) {
	warned := 0
	for _, in := range incidents(t) {
		in.cluster.Account = ""
		for i := range in.lines {
			in.lines[i].Cluster.Account = ""
		}
		m, _ := replay(in, inOrder(in, find(in.lines)))
		for _, d := range all(in, m) {
			if len(d.Affected) != 1 || d.Affected[0].Account == "" {
				continue
			}
			account := d.Affected[0].Account
			for _, r := range d.Remedies {
				grants := slices.ContainsFunc(r.Steps, func(s authlog.Step) bool {
					return letsIn.MatchString(s.Command) && strings.Contains(s.Command, account) ||
						strings.HasPrefix(s.Command, "ARN=$(") || r.Key == "correct_aws_auth_item" && s.Text != ""
				})
				if !grants {
					continue
				}
				warned++
				if !strings.Contains(r.Warning, "Make sure that the account "+account+" is yours.") {
					t.Errorf("%s: %s: %s: %q", in.name, d.Code, r.Key, r.Warning)
				}
			}
		}
	}
	if warned == 0 {
		t.Fatal("nothing lets anybody in")
	}
}
