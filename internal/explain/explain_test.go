package explain_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/explain"
)

var update = flag.Bool("update", false, "write the sections text and markdown of testdata")

var now = time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)

func section(a *txtar.Archive, name string) string {
	for _, f := range a.Files {
		if f.Name == name {
			return string(f.Data)
		}
	}
	return ""
}

// options reads "key: value" lines.
func options(t *testing.T, text string) explain.Options {
	t.Helper()
	o := explain.Options{Now: now}
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch key {
		case "cluster":
			o.Cluster.Name = value
		case "region":
			o.Cluster.Region = value
		case "account":
			o.Cluster.Account = value
		case "mode":
			o.Facts.Mode = authlog.AuthMode(value)
		case "creator":
			o.Facts.Creator.ARN = value
		default:
			t.Fatalf("what is %q?", key)
		}
	}
	return o
}

// TestAnswers explains the section input of each file of testdata and compares
// the answer with the sections text and markdown. With -update it writes them.
func TestAnswers(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			answer := explain.Text(section(a, "input"), options(t, section(a, "options")))
			for i, f := range a.Files {
				var got bytes.Buffer
				switch f.Name {
				case "text":
					err = answer.WriteText(&got)
				case "markdown":
					err = answer.WriteMarkdown(&got)
				default:
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				if *update {
					a.Files[i].Data = got.Bytes()
				} else if diff := cmp.Diff(string(f.Data), got.String()); diff != "" {
					t.Errorf("%s (-want +got):\n%s", f.Name, diff)
				}
			}
			if *update {
				if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

const deniedLine = `time="2026-11-24T02:58:00Z" level=warning msg="access denied" arn="arn:aws:iam::111122223333:role/Dev" client="127.0.0.1:40100" error="identity is not mapped" method=POST path=/authenticate`

func stsLine(userID string) string {
	return `time="2026-11-24T02:58:00Z" level=info msg="STS response" accesskeyid=ASIAIOSFODNN7EXAMPLE accountid=111122223333 arn="arn:aws:sts::111122223333:assumed-role/Dev/alice@example.com" client="127.0.0.1:40100" method=POST path=/authenticate session="alice@example.com" userid=` + userID
}

// TestIdentityIsComparedWithTheDenials pastes lines and an identity.
func TestIdentityIsComparedWithTheDenials(t *testing.T) {
	lines := stsLine("AROADEVEXAMPLE00001") + "\n" + deniedLine + "\n"
	for _, c := range []struct{ name, userID, account, arn, want string }{
		{"the same", "AROADEVEXAMPLE00001:alice@example.com", "111122223333", "arn:aws:sts::111122223333:assumed-role/Dev/alice@example.com", explain.RelationDenied},
		{"made anew", "AROADEVEXAMPLE00002:alice@example.com", "111122223333", "arn:aws:sts::111122223333:assumed-role/Dev/alice@example.com", explain.RelationRecreated},
		{"another role", "AROAOPSEXAMPLE00001:alice@example.com", "111122223333", "arn:aws:sts::111122223333:assumed-role/Ops/alice@example.com", explain.RelationSameAccount},
		{"another account", "AROAOPSEXAMPLE00001:alice@example.com", "444455556666", "arn:aws:sts::444455556666:assumed-role/Dev/alice@example.com", explain.RelationOtherAccount},
	} {
		t.Run(c.name, func(t *testing.T) {
			identity := `{"UserId": "` + c.userID + `", "Account": "` + c.account + `", "Arn": "` + c.arn + `"}`
			for _, input := range []string{lines + identity, identity + "\n" + lines} {
				a := explain.Text(input, explain.Options{Now: now})
				if a.Identity == nil || a.Identity.Relation != c.want {
					t.Errorf("relation is %+v, want %s", a.Identity, c.want)
				}
			}
		})
	}
}

// TestSameAnswerInEveryWrapping pastes one denial in the forms in which people
// have it on their clipboard.
func TestSameAnswerInEveryWrapping(t *testing.T) {
	want := explain.Text(deniedLine, explain.Options{Now: now}).Headline
	if !strings.Contains(want, "role/Dev") {
		t.Fatalf("headline %q", want)
	}
	docker, err := json.Marshal(map[string]string{"log": deniedLine + "\n", "stream": "stderr", "time": "2026-11-24T02:58:00.1Z"})
	if err != nil {
		t.Fatal(err)
	}
	for name, input := range map[string]string{
		"S3 export":     "2026-11-24T02:58:00.719Z " + deniedLine,
		"Insights CSV":  "@timestamp,@message\n2026-11-24 02:58:00.719,\"" + strings.ReplaceAll(deniedLine, `"`, `""`) + "\"",
		"Docker":        string(docker),
		"kubectl logs":  "[pod/aws-iam-authenticator-x7/aws-iam-authenticator] " + deniedLine,
		"Windows":       deniedLine + "\r\n",
		"without time=": strings.TrimPrefix(deniedLine, `time="2026-11-24T02:58:00Z" `),
	} {
		t.Run(name, func(t *testing.T) {
			got := explain.Text(input, explain.Options{Now: time.Date(2026, 11, 24, 2, 58, 0, 0, time.UTC)})
			if got.Headline != want {
				t.Errorf("headline %q, want %q", got.Headline, want)
			}
		})
	}
}

// TestHostileTextStaysText pastes lines whose session and error try to become
// commands, markup or terminal codes.
func TestHostileTextStaysText(t *testing.T) {
	input := strings.ReplaceAll(stsLine("AROADEVEXAMPLE00001"), `session="alice@example.com"`, `session="[x](http://evil.example)<b>\x1b[2J;id"`) + "\n" + deniedLine
	input = strings.ReplaceAll(input, "assumed-role/Dev/alice@example.com", `assumed-role/Dev/[x](http://evil.example)<b>\x1b[2J;id`)
	a := explain.Text(input, explain.Options{Now: now})
	var text, markdown bytes.Buffer
	if err := a.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	if err := a.WriteMarkdown(&markdown); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsRune(text.String(), '\x1b') {
		t.Error("the text has a terminal code")
	}
	outside := fenced(markdown.String())
	for _, never := range []string{"](http", "<b>", "\x1b"} {
		if strings.Contains(outside, never) {
			t.Errorf("the Markdown has %q:\n%s", never, outside)
		}
	}
	for _, d := range a.Diagnoses {
		for _, r := range d.Remedies {
			for _, s := range r.Steps {
				if strings.Contains(s.Command, "evil") {
					t.Errorf("command %q", s.Command)
				}
			}
		}
	}
}

// fenced returns Markdown without its code blocks.
func fenced(s string) string {
	var b strings.Builder
	fence := ""
	for line := range strings.Lines(s) {
		mark := strings.TrimSpace(line)
		switch {
		case fence == "" && strings.HasPrefix(mark, "```"):
			fence = mark
		case fence != "" && mark == fence:
			fence = ""
		case fence == "":
			b.WriteString(line)
		}
	}
	return b.String()
}

// TestBracesWithoutEndAreNotReadFromEachAnew pastes as much as the API takes of
// what begins like an identity again and again, and looks at how much is
// allocated to find that none is there.
func TestBracesWithoutEndAreNotReadFromEachAnew(t *testing.T) {
	input := strings.Repeat(`{"a":`, 256<<10/5)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	a := explain.Text(input, explain.Options{Now: now})
	runtime.ReadMemStats(&after)
	if a.Identity != nil || a.Read.Unknown != 1 {
		t.Errorf("%+v %+v", a.Identity, a.Read)
	}
	if mb := (after.TotalAlloc - before.TotalAlloc) >> 20; mb > 1024 {
		t.Errorf("%d MB were allocated", mb)
	}
}

// The AWS CLI's word for a profile that is missing is not taken for that of
// something else.
func TestOnlyAProfileThatIsMissingIsOne(t *testing.T) {
	for line, want := range map[string]string{
		"The config profile (prod) could not be found":                       "no_credentials",
		"Error: release: could not be found: Kubernetes cluster unreachable": "",
	} {
		got := ""
		if a := explain.Text(line, explain.Options{Now: now}); len(a.Symptoms) > 0 {
			got = a.Symptoms[0].Code
		}
		if got != want {
			t.Errorf("%q is %q, want %q", line, got, want)
		}
	}
}

// FuzzText holds that any text has an answer, that its renderings have no
// control characters and its Markdown no markup of the text, and that it is
// JSON.
func FuzzText(f *testing.F) {
	f.Add(deniedLine, "prod", "eu-central-1")
	f.Add(stsLine("AROADEVEXAMPLE00001")+"\n"+deniedLine, "", "")
	f.Add("error: You must be logged in to the server (Unauthorized)", "$(id)", "x;y")
	f.Add(`{"UserId":"A","Account":"1","Arn":"arn:aws:iam::1:user/<b>"}`, "prod", "eu-central-1")
	f.Add("```\n[x](http://y)\n# h <script>forbidden: user \x1b[2J", "", "")
	f.Fuzz(func(t *testing.T, input, cluster, region string) {
		a := explain.Text(input, explain.Options{Now: now, Cluster: authlog.Cluster{Name: cluster, Region: region}})
		var text, markdown bytes.Buffer
		if err := a.WriteText(&text); err != nil {
			t.Fatal(err)
		}
		if err := a.WriteMarkdown(&markdown); err != nil {
			t.Fatal(err)
		}
		for _, out := range []string{text.String(), markdown.String()} {
			if i := strings.IndexFunc(out, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }); i >= 0 {
				t.Errorf("%q has the character %q", out, out[i])
			}
		}
		outside := fenced(markdown.String())
		if strings.ContainsAny(outside, "<>") || strings.Contains(outside, "](") {
			t.Errorf("markup in %q", outside)
		}
		if _, err := json.Marshal(a); err != nil {
			t.Error(err)
		}
	})
}
