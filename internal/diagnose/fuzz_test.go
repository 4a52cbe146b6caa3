package diagnose_test

import (
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/diagnose"
	"github.com/eks-authlog/eks-authlog/internal/rules"
)

// An attempt is what an attacker may choose, and some that nobody may.
type attempt struct {
	arn, oldARN, session, userID, text, caller, name, region, account string
	reason, mode, shape                                               uint8
}

var attemptBase = time.Date(2026, 11, 23, 14, 0, 0, 0, time.UTC)

func (a *attempt) cluster() authlog.Cluster {
	return authlog.Cluster{Name: a.name, Account: a.account, Region: a.region}
}

func (a *attempt) principal(arn string) authlog.Principal {
	p := rules.PrincipalOf(arn, a.session)
	p.UserID = a.userID
	return p
}

// page makes findings of it, so that each bit of shape leads to another
// diagnosis.
func (a *attempt) page() diagnose.Page {
	c := a.cluster()
	p := diagnose.Page{Through: attemptBase.Add(time.Hour)}
	grant := func(after time.Duration, arn, userID, user, groups string) {
		g := authlog.Grant{Cluster: c, Time: attemptBase.Add(after), Principal: a.principal(arn), Username: user, Groups: groups}
		g.Principal.UserID = userID
		p.Grants = append(p.Grants, g)
	}
	if a.shape&1 != 0 {
		grant(-48*time.Hour, a.arn, a.userID, a.text, "[]")
	}
	if a.shape&2 != 0 {
		grant(-47*time.Hour, a.arn, "AROAOLDEXAMPLE00001", a.text, "[]")
	}
	if a.shape&4 != 0 {
		grant(-46*time.Hour, a.oldARN, a.userID, "kubernetes-admin", "[system:masters]")
	}
	codes := rules.All()
	reason := codes[int(a.reason)%len(codes)].Code
	for i := range 5 {
		d := authlog.Denial{
			Cluster: c, Time: attemptBase.Add(time.Duration(i) * time.Minute), Reason: reason,
			Error: a.text, Raw: a.text, Client: a.session, STSEndpoint: a.region,
		}
		if a.shape&8 == 0 {
			who := a.principal(a.arn)
			d.Principal = &who
		}
		p.Denials = append(p.Denials, d)
	}
	if a.shape&16 != 0 {
		p.Markers = append(p.Markers,
			authlog.Marker{Cluster: c, Time: attemptBase, Code: rules.AWSAuthParseError, Msg: a.text, Raw: a.text},
			authlog.Marker{Cluster: c, Time: attemptBase, Code: rules.ARNComparison, Msg: "additional arn comparison for IAM arn. arn from STS response is " + strings.ToLower(a.arn) + ", arn in mapper is " + a.oldARN},
		)
	}
	return p
}

func (a *attempt) facts() authlog.ClusterFacts {
	f := authlog.ClusterFacts{
		Mode:    []authlog.AuthMode{"", authlog.ModeAPI, authlog.ModeBoth, authlog.ModeConfigMap}[a.mode%4],
		RoleARN: a.caller, Partition: a.text,
	}
	if a.shape&32 != 0 {
		f.Creator = authlog.Creator{ARN: a.oldARN, Source: a.text, Exists: []authlog.Answer{authlog.Yes, authlog.No}[a.mode%2]}
	}
	if a.shape&64 != 0 {
		f.Principals = map[string]authlog.AccessVerdict{rules.PrincipalOf(a.arn, "").ARN: a.configuration()}
		f.Broken = []authlog.AccessFault{{Code: a.text, Severity: "error", Where: a.text, Message: a.text, Effect: a.text, Corrected: a.text}}
		f.Missing = []string{a.text}
	}
	return f
}

// configuration is what the cluster's own configuration would say: its texts
// are the cluster administrators', and IAM's.
func (a *attempt) configuration() authlog.AccessVerdict {
	v := authlog.AccessVerdict{ARN: a.arn, FullARN: a.caller, Exists: []authlog.Answer{"", authlog.Yes, authlog.No}[a.reason%3]}
	for _, code := range []string{"entry_stale_unique_id", "sso_role_rotated", "aws_auth_role_path", "aws_auth_deleted", "entry_standard_for_node"} {
		v.Causes = append(v.Causes, authlog.Cause{
			Code: code, Confidence: authlog.ConfidenceCertain, System: "aws_auth", Why: a.text, Corrected: a.text,
			Near: &authlog.NearItem{Where: a.text, Have: a.oldARN, Want: a.text},
		})
	}
	v.Causes = v.Causes[int(a.mode)%len(v.Causes):]
	if a.mode > 200 {
		v.Mapped, v.Username = "access_entry", a.text
	}
	return v
}

func (a *attempt) diagnoses() []authlog.Diagnosis {
	m := diagnose.New(diagnose.Default())
	m.Know(a.cluster(), a.facts())
	m.Observe(a.page()).Commit()
	return append(m.Diagnoses(a.cluster()), m.Ask(a.cluster(), a.arn, attemptBase, attemptBase)...)
}

// What may stand in a command beside the words that are always the same: names
// as IAM and EKS give them, which no program takes for an option.
var (
	name        = `[A-Za-z0-9_+=,.@/:][A-Za-z0-9_+=,.@/:-]*`
	nameWord    = regexp.MustCompile(`^` + name + `$`)
	wrappedWord = regexp.MustCompile(`^(Roles\[\?RoleName=='` + name + `'\]\.Arn|` + name + `:\{\{SessionName\}\})$`)
	optionWord  = regexp.MustCompile(`^--?[a-z0-9-]+$`)
	variables   = regexp.MustCompile(`^[a-zA-Z=,/-]*\$[A-Z_]+$`)
	inQuotes    = regexp.MustCompile(`"([^"\n]*)"`)
)

// FuzzRemedies holds that whatever stands in the log, a command is one call of
// one program that the remedy means, and what comes of the log in it is a name
// of the strict grammar.
func FuzzRemedies(f *testing.F) {
	const role = "arn:aws:iam::111122223333:role/"
	for i := range uint8(56) {
		f.Add(role+"Dev", role+"Old", "alice@example.com", "AROADEVEXAMPLE00001", "identity is not mapped", role+"eks", "prod", "eu-central-1", "111122223333", i, i, i*7)
	}
	for i := range uint8(56) {
		f.Add(role+"Dev", role+"x;id", "alice@example.com", "AROADEVEXAMPLE00001", "`id`\n$(id)", role+"team/x/Dev", "prod", "eu-central-1", "111122223333", i, i*5, 64+i)
	}
	f.Add(role+"-rf", role+"x;id", "i-0123456789abcdef0", "AROA$(id)", "`id`", role+"a b", "-x", "eu-central-1;id", "111122223333", uint8(0), uint8(1), uint8(0))
	f.Add(role+"AWSReservedSSO_A'.B_0123456789abcdef", role+"AWSReservedSSO_A_0123456789abcdef", "b'\n", "A", "\x1b[2J", "", "a$b", "--x", "", uint8(0), uint8(2), uint8(4))
	f.Fuzz(func(t *testing.T, arn, oldARN, session, userID, text, caller, cluster, region, account string, reason, mode, shape uint8) {
		a := attempt{arn, oldARN, session, userID, text, caller, cluster, region, account, reason, mode, shape}
		for _, d := range a.diagnoses() {
			commandsOf(&d, func(_ *authlog.Remedy, s authlog.Step) { checkCommand(t, s.Command) })
			for _, r := range d.Remedies {
				checkTerraform(t, r.Terraform)
			}
		}
	})
}

func checkCommand(t *testing.T, command string) {
	t.Helper()
	for i := range len(command) {
		if command[i] < ' ' || command[i] > '~' {
			t.Fatalf("%q has the byte %#x", command, command[i])
		}
	}
	if command == "" {
		return
	}
	for _, w := range readCommand(t, command).words {
		if !optionWord.MatchString(w) && !nameWord.MatchString(w) && !wrappedWord.MatchString(w) &&
			!variables.MatchString(w) && !oddWords(t)[w] {
			t.Errorf("%q has the word %q", command, w)
		}
	}
}

// odd are words with other characters that stand in the commands of the
// incidents, whose own values have none but those of names.
var odd struct {
	once  sync.Once
	words map[string]bool
}

func oddWords(t *testing.T) map[string]bool {
	t.Helper()
	odd.once.Do(func() {
		odd.words = map[string]bool{}
		for _, in := range incidents(t) {
			m, _ := replay(in, inOrder(in, find(in.lines)))
			for _, d := range all(in, m) {
				commandsOf(&d, func(_ *authlog.Remedy, s authlog.Step) {
					if s.Command == "" {
						return
					}
					for _, w := range readCommand(t, s.Command).words {
						odd.words[w] = odd.words[w] || !nameWord.MatchString(w) && !wrappedWord.MatchString(w)
					}
				})
			}
		}
	})
	return odd.words
}

func checkTerraform(t *testing.T, text string) {
	t.Helper()
	for _, m := range inQuotes.FindAllStringSubmatch(text, -1) {
		if !nameWord.MatchString(m[1]) {
			t.Errorf("%q in Terraform:\n%s", m[1], text)
		}
	}
	if rest := inQuotes.ReplaceAllString(text, ""); strings.ContainsAny(rest, "\"$%`\\;") {
		t.Errorf("Terraform:\n%s", text)
	}
}
