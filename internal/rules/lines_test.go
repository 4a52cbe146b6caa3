package rules_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/parse"
	"github.com/eks-authlog/eks-authlog/internal/rules"
)

var update = flag.Bool("update", false, "write the rules sections of testdata/lines and the pages of docs/reasons")

const linesDir = "../../testdata/lines"

// TestLessons reads the line section of every file of testdata/lines and
// compares what the rules make of it with its rules section. A file named
// after a reason must hold denials of that reason alone.
func TestLessons(t *testing.T) {
	for _, file := range lessons(t) {
		name := lessonName(file)
		t.Run(name, func(t *testing.T) {
			ar := archive(t, file)
			events := read(section(ar, "line"))
			if want := reasonOf(name); want != "" {
				checkReason(t, events, want)
			}
			got := render(events)
			if *update {
				setSection(ar, "rules", got)
				if err := os.WriteFile(file, txtar.Format(ar), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(section(ar, "rules"), got); diff != "" {
				t.Errorf("rules differ (-file +code; -update writes the file):\n%s", diff)
			}
		})
	}
}

func lessons(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(linesDir + "/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no lessons: %v", err)
	}
	return files
}

func archive(t *testing.T, file string) *txtar.Archive {
	t.Helper()
	ar, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return ar
}

func lessonName(file string) string { return strings.TrimSuffix(filepath.Base(file), ".txtar") }

// reasonOf is the longest reason code that a file's name begins with, or "".
func reasonOf(name string) string {
	longest := ""
	for _, r := range rules.All() {
		if (name == r.Code || strings.HasPrefix(name, r.Code+"_")) && len(r.Code) > len(longest) {
			longest = r.Code
		}
	}
	return longest
}

func checkReason(t *testing.T, events []authlog.Event, want string) {
	t.Helper()
	denied := 0
	for i := range events {
		if events[i].Kind != authlog.KindDenied {
			continue
		}
		denied++
		if got := rules.Classify(&events[i]); got != want {
			t.Errorf("line %d is %s, but the file is named after %s", i+1, got, want)
		}
	}
	if denied == 0 {
		t.Errorf("no denied line in a file that is named after %s", want)
	}
}

func section(ar *txtar.Archive, name string) string {
	for _, f := range ar.Files {
		if f.Name == name {
			return string(f.Data)
		}
	}
	return ""
}

func setSection(ar *txtar.Archive, name, data string) {
	for i := range ar.Files {
		if ar.Files[i].Name == name {
			ar.Files[i].Data = []byte(data)
			return
		}
	}
	ar.Files = append(ar.Files, txtar.File{Name: name, Data: []byte(data)})
}

// read parses the lines as those of one stream.
func read(section string) []authlog.Event {
	var events []authlog.Event
	for text := range strings.SplitSeq(strings.TrimSuffix(section, "\n"), "\n") {
		events = append(events, parse.Line(authlog.Line{Text: text}))
	}
	return events
}

// render writes for people what the rules make of some lines.
func render(events []authlog.Event) string {
	var b strings.Builder
	var j rules.Joiner
	found := j.Page(events)
	for i := range events {
		if i > 0 {
			b.WriteString("\n")
		}
		ev := &events[i]
		switch ev.Kind {
		case authlog.KindDenied:
			d := rules.Denial(ev, found[i])
			fmt.Fprintf(&b, "denied: %s\n", d.Reason)
			writePrincipal(&b, d.Principal)
			writeStrings(&b, "sts_endpoint", d.STSEndpoint)
		case authlog.KindGranted:
			g := rules.Grant(ev, found[i])
			b.WriteString("granted:\n")
			writePrincipal(&b, &g.Principal)
			writeStrings(&b, "username", g.Username, "groups", g.Groups)
		case authlog.KindMarker:
			fmt.Fprintf(&b, "marker: %s\n", rules.Marker(ev).Code)
		default:
			fmt.Fprintf(&b, "%s\n", ev.Kind)
		}
		writeFacts(&b, rules.FactsOf(ev))
	}
	return b.String()
}

func writePrincipal(b *strings.Builder, p *authlog.Principal) {
	if p == nil {
		b.WriteString("principal: not known\n")
		return
	}
	fmt.Fprintf(b, "principal: %s %q\n", p.Kind, p.ARN)
	if p.Benign {
		b.WriteString("benign\n")
	}
	writeStrings(b, "account", p.Account, "session", p.Session, "user_id", p.UserID, "access_key_id", p.AccessKeyID)
}

func writeStrings(b *strings.Builder, pairs ...string) {
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			fmt.Fprintf(b, "%s: %q\n", pairs[i], pairs[i+1])
		}
	}
}

// writeFacts writes the facts that were said, by the names of their fields.
func writeFacts(b *strings.Builder, f rules.Facts) {
	for name, field := range reflect.ValueOf(f).Fields() {
		switch v := field.Interface().(type) {
		case string, []string:
			if !field.IsZero() {
				fmt.Fprintf(b, "\t%s: %q\n", name.Name, v)
			}
		default:
			if !field.IsZero() {
				fmt.Fprintf(b, "\t%s: %v\n", name.Name, v)
			}
		}
	}
}
