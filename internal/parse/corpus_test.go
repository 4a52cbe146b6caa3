package parse_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/parse"
)

// A printed line is one that a released authenticator wrote, with what it is:
// a reason code, or event:… for what is no denial.
type printed struct {
	text, reason, how string
}

func corpus(tb testing.TB) []printed {
	tb.Helper()
	lines := strings.Split(strings.TrimSuffix(readFile(tb, "../../testdata/logs/authenticator.log"), "\n"), "\n")
	rows := strings.Split(strings.TrimSuffix(readFile(tb, "../../testdata/logs/authenticator.tsv"), "\n"), "\n")[1:]
	if len(lines) != len(rows) {
		tb.Fatalf("%d lines, but %d rows say what they are", len(lines), len(rows))
	}
	all := make([]printed, len(lines))
	for i, row := range rows {
		cols := strings.Split(row, "\t")
		all[i] = printed{text: lines[i], reason: cols[1], how: cols[2]}
	}
	return all
}

func readFile(tb testing.TB, name string) string {
	tb.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		tb.Fatal(err)
	}
	return string(b)
}

// kindsOf lists the kinds that a line of that row may have.
func kindsOf(reason string) []authlog.Kind {
	switch reason {
	case "event:access_granted":
		return []authlog.Kind{authlog.KindGranted}
	case "event:sts_response":
		return []authlog.Kind{authlog.KindSTSResponse}
	case "event:malformed_request":
		return []authlog.Kind{authlog.KindMalformedRequest}
	case "event:other_logrus", "event:other_json", "event:plain_text":
		return []authlog.Kind{authlog.KindMarker, authlog.KindOther}
	}
	return []authlog.Kind{authlog.KindDenied}
}

func TestLineGivesEveryPrintedLineItsKind(t *testing.T) {
	for i, l := range corpus(t) {
		ev := parse.Line(authlog.Line{Text: l.text})
		if !slices.Contains(kindsOf(l.reason), ev.Kind) {
			t.Errorf("line %d (%s, %s) is %v", i+1, l.reason, l.how, ev.Kind)
		}
		if ev.Kind != authlog.KindMarker && strings.HasPrefix(l.text, "Authenticator Version:") {
			t.Errorf("line %d: the version line is %v", i+1, ev.Kind)
		}
	}
}

func TestEncodePrintsEveryLogrusLineAgain(t *testing.T) {
	n := 0
	for i, l := range corpus(t) {
		if !strings.HasPrefix(l.text, "time=") {
			continue
		}
		n++
		ev := parse.Line(authlog.Line{Text: l.text})
		if got := parse.Encode(&ev); got != l.text {
			t.Errorf("line %d:\n got %s\nwant %s", i+1, got, l.text)
		}
	}
	if n < 700 {
		t.Errorf("only %d logrus lines in the corpus", n)
	}
}

func TestSkimAgreesWithIntoOnPrintedLines(t *testing.T) {
	for i, l := range corpus(t) {
		want := parse.Line(authlog.Line{Text: l.text})
		if kind, ok := parse.Skim([]byte(l.text)); ok && kind != want.Kind {
			t.Errorf("line %d: Skim says %v, Into %v", i+1, kind, want.Kind)
		}
	}
}
