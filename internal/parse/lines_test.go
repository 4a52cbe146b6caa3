package parse_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/parse"
)

var update = flag.Bool("update", false, "write the event sections of testdata/lines")

const linesDir = "../../testdata/lines"

// TestLessons reads the line section of every file of testdata/lines and
// compares what was read with its event section. Other sections belong to the
// tests of other packages.
func TestLessons(t *testing.T) {
	files, err := filepath.Glob(linesDir + "/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no lessons: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			ar, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if len(bytes.TrimSpace(ar.Comment)) == 0 {
				t.Error("no sentence at the top says what the file teaches")
			}
			got := render(linesOf(section(ar, "line")))
			if *update {
				setSection(ar, "event", got)
				if err := os.WriteFile(file, txtar.Format(ar), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(section(ar, "event"), got); diff != "" {
				t.Errorf("event differs (-file +read; -update writes the file):\n%s", diff)
			}
		})
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
	at := min(1, len(ar.Files))
	ar.Files = append(ar.Files[:at:at], append([]txtar.File{{Name: name, Data: []byte(data)}}, ar.Files[at:]...)...)
}

func linesOf(s string) []string { return strings.Split(strings.TrimSuffix(s, "\n"), "\n") }

// render writes the events of some lines for people: what was found, then one
// pair a line, then an empty line.
func render(lines []string) string {
	var b strings.Builder
	for i, text := range lines {
		ev := parse.Line(authlog.Line{Text: text})
		if i > 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "kind: %s\n", ev.Kind)
		writeTime(&b, "logged", ev.Logged)
		writeTime(&b, "delivered", ev.Time)
		if ev.Level != "" {
			fmt.Fprintf(&b, "level: %s\n", ev.Level)
		}
		if ev.Msg != "" {
			fmt.Fprintf(&b, "msg: %q\n", ev.Msg)
		}
		for _, f := range ev.Fields {
			fmt.Fprintf(&b, "%s=%q\n", f.Key, f.Value)
		}
	}
	return b.String()
}

func writeTime(b *strings.Builder, name string, t time.Time) {
	if !t.IsZero() {
		fmt.Fprintf(b, "%s: %s\n", name, t.Format(time.RFC3339Nano))
	}
}
