package rules_test

import (
	"os"
	"strings"
	"testing"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/parse"
	"github.com/eks-authlog/eks-authlog/internal/rules"
)

// A printed line is one that a released authenticator wrote, with its reason
// code, or event:… for what is no denial.
type printed struct{ text, reason string }

func corpus(tb testing.TB) []printed {
	tb.Helper()
	lines := linesOf(tb, "../../testdata/logs/authenticator.log")
	rows := linesOf(tb, "../../testdata/logs/authenticator.tsv")[1:]
	if len(lines) != len(rows) {
		tb.Fatalf("%d lines, but %d rows say what they are", len(lines), len(rows))
	}
	all := make([]printed, len(lines))
	for i, row := range rows {
		all[i] = printed{text: lines[i], reason: strings.Split(row, "\t")[1]}
	}
	return all
}

func linesOf(tb testing.TB, name string) []string {
	tb.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		tb.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
}

func TestClassifyGivesEveryPrintedLineItsReason(t *testing.T) {
	right := 0
	for i, l := range corpus(t) {
		want := l.reason
		if strings.HasPrefix(want, "event:") {
			want = "" // no denial
		}
		ev := parse.Line(authlog.Line{Text: l.text})
		if got := rules.Classify(&ev); got != want {
			t.Errorf("line %d is %q, want %q: %s", i+1, got, want, l.text)
			continue
		}
		right++
	}
	if right != 738 {
		t.Errorf("%d of 738 lines right", right)
	}
}

// Each STS response leads to one denial or grant, and the corpus has them all.
func TestJoinerFindsTheResponseOfEveryPrintedOutcome(t *testing.T) {
	var events []authlog.Event
	for _, l := range corpus(t) {
		events = append(events, parse.Line(authlog.Line{Text: l.text}))
	}
	var j rules.Joiner
	outcomes := 0
	for i, id := range j.Page(events) {
		ev := &events[i]
		named := ev.Get("arn") != "" && (ev.Kind == authlog.KindDenied || ev.Kind == authlog.KindGranted)
		if named {
			outcomes++
		}
		if id.Found != named {
			t.Errorf("line %d: found=%v, but it names a principal: %v: %s", i+1, id.Found, named, ev.Text)
		}
	}
	if outcomes < 100 {
		t.Errorf("only %d outcomes in the corpus", outcomes)
	}
}
