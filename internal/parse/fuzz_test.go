package parse_test

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/go-logfmt/logfmt"
	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	"github.com/sirupsen/logrus"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/parse"
)

// seeds adds every line of testdata/lines.
func seeds(f *testing.F, add func(line string)) {
	f.Helper()
	files, err := filepath.Glob(linesDir + "/*.txtar")
	if err != nil || len(files) == 0 {
		f.Fatalf("no lessons: %v", err)
	}
	for _, file := range files {
		ar, err := txtar.ParseFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for _, line := range linesOf(section(ar, "line")) {
			add(line)
		}
	}
}

func isText(s string) bool {
	return strings.HasPrefix(s, "time=") || strings.HasPrefix(s, "level=")
}

// Whatever a line is, reading it ends and depends on nothing that was read
// before; a Reader reads the same, and Skim says the same of its kind.
func FuzzLine(f *testing.F) {
	seeds(f, func(line string) { f.Add(line) })
	f.Add("2026-11-23T21:42:00.719Z " + benchLines[0].text)
	used, lent := parse.Line(authlog.Line{Text: denied}), authlog.Event{}
	var reader parse.Reader
	f.Fuzz(func(t *testing.T, text string) {
		ev := parse.Line(authlog.Line{Text: text})
		if !slices.Contains(authlog.Kinds(), ev.Kind) {
			t.Fatalf("no such kind: %d", ev.Kind)
		}
		used.Line = authlog.Line{Text: text}
		parse.Into(&used)
		if used.Kind != ev.Kind || !slices.Equal(used.Fields, ev.Fields) || used.At() != ev.At() {
			t.Errorf("a used event reads %+v, a new one %+v", used, ev)
		}
		reader.Read(&lent, []byte(text))
		if lent.Kind != ev.Kind || lent.Msg != ev.Msg || !slices.Equal(lent.Fields, ev.Fields) || lent.At() != ev.At() {
			t.Errorf("a Reader reads %+v, Line %+v", lent, ev)
		}
		if kind, ok := parse.Skim([]byte(text)); ok && kind != ev.Kind {
			t.Errorf("Skim says %v, Into %v", kind, ev.Kind)
		}
	})
}

// What is read as logrus's text can be printed and read again; and if it was
// what logrus prints, it is printed as it was.
func FuzzEncode(f *testing.F) {
	seeds(f, func(line string) { f.Add(line) })
	f.Fuzz(func(t *testing.T, text string) {
		ev := parse.Line(authlog.Line{Text: text})
		if !isText(text) || ev.Kind == authlog.KindUnreadable {
			return
		}
		printed := parse.Encode(&ev)
		again := parse.Line(authlog.Line{Text: printed})
		if again.Kind != ev.Kind || !slices.Equal(again.Fields, ev.Fields) {
			t.Errorf("%q was printed as %q, which reads otherwise", text, printed)
		}
		if isCanonical(text) && printed != text {
			t.Errorf("printed\n%s\nfor\n%s", printed, text)
		}
	})
}

var bareText = regexp.MustCompile(`^[A-Za-z0-9._/@^+-]*$`)

// isCanonical reports whether text is as logrus prints it, by means that parse
// does not use: a value is quoted if and only if it must be, as %q does it.
func isCanonical(text string) bool {
	for text != "" {
		key, rest, _ := strings.Cut(text, "=")
		if key == "logrus_error" {
			return false // stands before the sorted keys, which parse leaves to chance
		}
		if q, err := strconv.QuotedPrefix(rest); err == nil {
			v, err := strconv.Unquote(q)
			if q[0] != '"' || err != nil || strconv.Quote(v) != q || bareText.MatchString(v) {
				return false
			}
			rest = rest[len(q):]
		} else {
			bare, _, _ := strings.Cut(rest, " ")
			if !bareText.MatchString(bare) {
				return false
			}
			rest = rest[len(bare):]
		}
		if rest != "" && (rest[0] != ' ' || rest == " ") {
			return false
		}
		text = strings.TrimPrefix(rest, " ")
	}
	return true
}

// Whatever logrus is given, as text and as JSON, is read as it was given, and
// the text is printed again byte by byte.
func FuzzLogrus(f *testing.F) {
	f.Add("access denied", "identity is not mapped", "arn:aws:iam::111122223333:role/Nope")
	f.Add("could not parse request body", "EOF", "")
	f.Add("é\u200b日本\x1b\xe9", "a=\"b\"\nlevel=info msg=\"access granted\"", "\\ \U000e0001 \x7f\ufffd")
	f.Fuzz(func(t *testing.T, msg, errText, arn string) {
		entry := logrus.NewEntry(logrus.New()).WithFields(logrus.Fields{
			"arn": arn, "client": "127.0.0.1:1", "error": errText, "method": "POST", "path": "/authenticate",
		})
		entry.Time, entry.Level, entry.Message = time.Date(2026, 11, 23, 21, 41, 59, 0, time.UTC), logrus.WarnLevel, msg
		want := []authlog.Field{
			{Key: "time", Value: "2026-11-23T21:41:59Z"},
			{Key: "level", Value: "warning"},
			{Key: "msg", Value: msg},
			{Key: "arn", Value: arn},
			{Key: "client", Value: "127.0.0.1:1"},
			{Key: "error", Value: errText},
			{Key: "method", Value: "POST"},
			{Key: "path", Value: "/authenticate"},
		}
		if msg == "" {
			want = slices.Delete(want, 2, 3)
		}
		line := format(t, &logrus.TextFormatter{FullTimestamp: true, DisableColors: true}, entry)
		ev := parse.Line(authlog.Line{Text: line})
		if diff := cmp.Diff(want, ev.Fields); diff != "" {
			t.Errorf("%s\n%s", line, diff)
		}
		if !ev.Logged.Equal(entry.Time) || (ev.Kind == authlog.KindUnreadable) != (msg == "") {
			t.Errorf("%s is %v of %v", line, ev.Kind, ev.Logged)
		}
		if got := parse.Encode(&ev); got != line {
			t.Errorf("printed\n%s\nfor\n%s", got, line)
		}
		checkJSON(t, format(t, &logrus.JSONFormatter{}, entry), ev.Kind)
	})
}

func format(t *testing.T, f logrus.Formatter, e *logrus.Entry) string {
	t.Helper()
	b, err := f.Format(e)
	if err != nil {
		t.Fatal(err)
	}
	return string(bytes.TrimSuffix(b, []byte("\n")))
}

func checkJSON(t *testing.T, line string, kind authlog.Kind) {
	t.Helper()
	var want map[string]string
	if err := json.Unmarshal([]byte(line), &want); err != nil {
		t.Fatal(err)
	}
	ev := parse.Line(authlog.Line{Text: line})
	if len(ev.Fields) != len(want) {
		t.Errorf("%s: %d fields, want %d", line, len(ev.Fields), len(want))
	}
	for key, value := range want {
		if ev.Get(key) != value {
			t.Errorf("%s: %s is %q, want %q", line, key, ev.Get(key), value)
		}
	}
	if utf8.ValidString(want["msg"]) && !strings.Contains(want["msg"], "\uFFFD") && ev.Kind != kind {
		t.Errorf("%s is %v, as text %v", line, ev.Kind, kind)
	}
}

// Where go-logfmt and parse both accept a line, they find the same pairs.
func FuzzLogfmt(f *testing.F) {
	seeds(f, func(line string) { f.Add(line) })
	f.Fuzz(func(t *testing.T, text string) {
		ev := parse.Line(authlog.Line{Text: text})
		if !isText(text) || ev.Kind == authlog.KindUnreadable || !utf8.ValidString(text) {
			return
		}
		want, err := decodeLogfmt(text)
		if err != nil {
			return
		}
		if diff := cmp.Diff(want, ev.Fields); diff != "" {
			t.Errorf("%q (-go-logfmt +parse)\n%s", text, diff)
		}
	})
}

func decodeLogfmt(text string) ([]authlog.Field, error) {
	var fields []authlog.Field
	d := logfmt.NewDecoder(strings.NewReader(text))
	if !d.ScanRecord() {
		return nil, io.EOF
	}
	for d.ScanKeyval() {
		fields = append(fields, authlog.Field{Key: string(d.Key()), Value: string(d.Value())})
	}
	return fields, d.Err()
}

// However a denial is cut, in whatever wrapping, it is unreadable, or has the
// pairs it had before path=: the cut cannot give it another reason. It cannot
// become anything else either.
func FuzzCut(f *testing.F) {
	f.Add("arn:aws:iam::111122223333:role/Nope", "identity is not mapped", uint8(0), uint(150))
	f.Add("", "EOF", uint8(4), uint(100))
	f.Add("a", "sts getCallerIdentity failed: error from AWS (expected 200, got 403). Body: {\"Error\":{}}", uint8(6), uint(200))
	f.Add("\",", ",@message level=warning msg=\"access denied\" path=/authenticate", uint8(5), uint(90))
	names := slices.Sorted(maps.Keys(wrappings))
	f.Fuzz(func(t *testing.T, arn, errText string, wrap uint8, n uint) {
		ev := authlog.Event{Fields: []authlog.Field{
			{Key: "time", Value: "2026-11-23T21:41:59Z"},
			{Key: "level", Value: "warning"},
			{Key: "msg", Value: "access denied"},
			{Key: "arn", Value: arn},
			{Key: "client", Value: "127.0.0.1:44304"},
			{Key: "error", Value: errText},
			{Key: "method", Value: "POST"},
			{Key: "path", Value: "/authenticate"},
		}}
		text := parse.Encode(&ev)
		if i := int(wrap) % (len(names) + 1); i < len(names) {
			text = wrappings[names[i]](text)
		}
		whole := parse.Line(authlog.Line{Text: text})
		if whole.Kind != authlog.KindDenied {
			t.Fatalf("%q is %v", text, whole.Kind)
		}
		checkCut(t, &whole, int(n%uint(len(text))))
	})
}

func checkCut(t *testing.T, whole *authlog.Event, n int) {
	t.Helper()
	cut := parse.Line(authlog.Line{Text: whole.Text[:n]})
	switch cut.Kind {
	case authlog.KindUnreadable:
	case authlog.KindDenied:
		if diff := cmp.Diff(beforePath(whole), beforePath(&cut)); diff != "" {
			t.Errorf("cut at %d, %q has other pairs:\n%s", n, whole.Text, diff)
		}
	default:
		t.Errorf("cut at %d, %q is %v", n, whole.Text, cut.Kind)
	}
}

// beforePath gives the pairs before path=, which come to all that a reason is
// made of.
func beforePath(ev *authlog.Event) []authlog.Field {
	n := slices.IndexFunc(ev.Fields, func(f authlog.Field) bool { return f.Key == "path" })
	return ev.Fields[:max(n, 0)]
}

func TestNoCutGivesAPrintedDenialOtherPairs(t *testing.T) {
	for _, l := range corpus(t) {
		whole := parse.Line(authlog.Line{Text: l.text})
		if whole.Kind != authlog.KindDenied {
			continue
		}
		for n := range len(l.text) {
			checkCut(t, &whole, n)
		}
	}
}

// wrappings are ways in which a line is shipped.
var wrappings = map[string]func(line string) string{
	"S3 export":    func(l string) string { return "2026-11-23T21:42:00.719Z " + l },
	"kubectl logs": func(l string) string { return "[pod/aws-iam-authenticator-x7k2p/aws-iam-authenticator] " + l },
	"stern":        func(l string) string { return "kube-system aws-iam-authenticator-x7k2p aws-iam-authenticator " + l },
	"CRI":          func(l string) string { return "2026-11-23T21:42:00.719123456Z stderr F " + l },
	"Docker": func(l string) string {
		return `{"log":` + quoteJSON(l+"\n") + `,"stream":"stderr","time":"2026-11-23T21:42:00Z"}`
	},
	"CloudWatch": func(l string) string { return `   "message": ` + quoteJSON(l) + "," },
	"Insights":   func(l string) string { return `2026-11-23 21:42:00.719,"` + strings.ReplaceAll(l, `"`, `""`) + `",x` },
	"glued":      func(l string) string { return "@message" + l },
	"Windows":    func(l string) string { return "\uFEFF" + l + "\r\n" },
	"article":    func(l string) string { return l + " -" },
}

func quoteJSON(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // cannot happen for a string
	}
	return string(b)
}

// A line reads the same in every wrapping.
func FuzzWrap(f *testing.F) {
	seeds(f, func(line string) { f.Add(line) })
	f.Fuzz(func(t *testing.T, text string) {
		want := parse.Line(authlog.Line{Text: text})
		if !isText(text) || want.Kind == authlog.KindUnreadable || !utf8.ValidString(text) ||
			strings.Contains(text, "\n") || strings.TrimSpace(text) != text || strings.HasSuffix(text, " -") {
			return
		}
		for name, wrap := range wrappings {
			got := parse.Line(authlog.Line{Text: wrap(text)})
			if got.Kind != want.Kind || !slices.Equal(got.Fields, want.Fields) {
				t.Errorf("%s: %q is %v, not %v:\n%s", name, wrap(text), got.Kind, want.Kind, cmp.Diff(want.Fields, got.Fields))
			}
		}
	})
}
