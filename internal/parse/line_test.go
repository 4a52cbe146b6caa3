package parse_test

import (
	"strings"
	"testing"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/parse"
)

const denied = `time="2026-11-23T21:41:59Z" level=warning msg="access denied" arn="arn:aws:iam::111122223333:role/Nope" client="127.0.0.1:44304" error="identity is not mapped" method=POST path=/authenticate`

const escaped = `time="2026-11-23T21:42:33Z" level=warning msg="access denied" client="127.0.0.1:44090" error="sts getCallerIdentity failed: error from AWS (expected 200, got 403) on us-west-2 endpoint. Body: {\"Error\":{\"Code\":\"InvalidClientTokenId\",\"Message\":\"The security token included in the request is invalid.\",\"Type\":\"Sender\"},\"RequestId\":\"f364e4c0-6267-56e9-006e-c30f38139e1e\"}" method=POST path=/authenticate`

func TestIntoForgetsTheLastLine(t *testing.T) {
	ev := parse.Line(authlog.Line{Text: denied})
	ev.Text = "neither"
	parse.Into(&ev)
	if ev.Kind != authlog.KindUnreadable || !ev.Logged.IsZero() || ev.Level != "" || ev.Msg != "" || len(ev.Fields) != 0 {
		t.Errorf("left over: %+v", ev)
	}
}

func TestIntoKeepsTheDeliveryTime(t *testing.T) {
	delivered := time.Date(2026, 11, 23, 21, 42, 5, 123e6, time.UTC)
	ev := parse.Line(authlog.Line{Text: "2026-11-23T21:42:00.719Z " + denied, Time: delivered})
	if !ev.Time.Equal(delivered) {
		t.Errorf("time is %v, not the %v it was delivered with", ev.Time, delivered)
	}
}

func TestLineReadsTimes(t *testing.T) {
	for _, c := range []struct {
		in   string
		want time.Time
	}{
		{"2026-11-23T21:41:59Z", time.Date(2026, 11, 23, 21, 41, 59, 0, time.UTC)},
		{"2024-02-29T00:00:00Z", time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC)},
		{"2020-02-20T22:04:31-08:00", time.Date(2020, 2, 21, 6, 4, 31, 0, time.UTC)},
		{"2023-02-29T00:00:00Z", time.Time{}},
		{"2023-02-28T24:00:00Z", time.Time{}},
		{"2023-13-01T00:00:00Z", time.Time{}},
		{"20a3-02-28T00:00:00Z", time.Time{}},
		{"yesterday", time.Time{}},
		{"", time.Time{}},
	} {
		ev := parse.Line(authlog.Line{Text: strings.Replace(denied, "2026-11-23T21:41:59Z", c.in, 1)})
		if !ev.Logged.Equal(c.want) || ev.Kind != authlog.KindDenied {
			t.Errorf("time=%q is %v (%v), want %v", c.in, ev.Logged, ev.Kind, c.want)
		}
	}
}

func TestLineTellsMarkersFromOthers(t *testing.T) {
	for _, m := range parse.Markers() {
		text := `time="2026-11-23T21:41:59Z" level=info msg="` + m + `…"`
		if ev := parse.Line(authlog.Line{Text: text}); ev.Kind != authlog.KindMarker {
			t.Errorf("%s is %v", text, ev.Kind)
		}
		text = `time="2026-11-23T21:41:59Z" level=info msg="other: ` + m + `"`
		if ev := parse.Line(authlog.Line{Text: text}); ev.Kind != authlog.KindOther {
			t.Errorf("%s is %v", text, ev.Kind)
		}
	}
}

// Only what has to be unescaped may be copied: these have nothing.
func TestIntoDoesNotAllocateWithoutEscapes(t *testing.T) {
	for _, l := range benchLines {
		if l.name == "insights_csv" || l.text == escaped {
			continue
		}
		ev := authlog.Event{Line: authlog.Line{Text: l.text}}
		parse.Into(&ev)
		if n := testing.AllocsPerRun(100, func() { parse.Into(&ev) }); n != 0 {
			t.Errorf("%s: %v allocations", l.name, n)
		}
	}
}

func TestIntoAllocatesOncePerEscapedValue(t *testing.T) {
	ev := authlog.Event{Line: authlog.Line{Text: escaped}}
	parse.Into(&ev)
	if n := testing.AllocsPerRun(100, func() { parse.Into(&ev) }); n != 1 {
		t.Errorf("%v allocations, want 1", n)
	}
}

func TestReaderDoesNotAllocate(t *testing.T) {
	var r parse.Reader
	var ev authlog.Event
	for _, text := range []string{denied, escaped} {
		line := []byte(text)
		r.Read(&ev, line)
		if n := testing.AllocsPerRun(100, func() { r.Read(&ev, line) }); n != 0 {
			t.Errorf("%v allocations: %s", n, text)
		}
	}
}

func TestReaderKeepsAllValuesOfALine(t *testing.T) {
	var r parse.Reader
	var ev authlog.Event
	for range 2 { // the second time in the same memory
		r.Read(&ev, []byte(`level=warning msg="access denied" arn="\"a\"" client="\"b\"" error="\"c\"" path=/authenticate`))
		for key, want := range map[string]string{"arn": `"a"`, "client": `"b"`, "error": `"c"`} {
			if got := ev.Get(key); got != want {
				t.Errorf("%s is %q, want %q", key, got, want)
			}
		}
	}
}

func TestLineAfterLostLineEndIsUnreadable(t *testing.T) {
	for _, glue := range []string{"", " ", `" `, "\n", "\\n"} {
		ev := parse.Line(authlog.Line{Text: denied + glue + denied})
		if ev.Kind != authlog.KindUnreadable {
			t.Errorf("two entries joined by %q are %v", glue, ev.Kind)
		}
	}
}
