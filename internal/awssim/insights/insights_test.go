package insights_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/eks-authlog/eks-authlog/internal/awssim/insights"
)

// record is one log event with the fields that every event has.
type record map[string]insights.Value

func (r record) Value(name string) insights.Value { return r[name] }

const millis = 1_795_512_103_250 // 2026-11-24T09:21:43.250Z

func sample() record {
	return record{
		"@timestamp":     insights.Millis(millis),
		"@ingestionTime": insights.Millis(millis + 900),
		"@logStream":     insights.Text("authenticator-0123456789abcdef0123456789abcdef"),
		"@message":       insights.Text(`time="2026-11-24T09:21:43Z" level=warning msg="access denied" error="a/b \"x\""`),
		"empty":          insights.Text(""),
		"n":              insights.Text("10"),
	}
}

func TestMatchFollowsTheQueryLanguage(t *testing.T) {
	tests := []struct {
		filter string
		want   bool
	}{
		{`@logStream = "authenticator-0123456789abcdef0123456789abcdef"`, true},
		{`@logStream = 'authenticator-0123456789abcdef0123456789abcdef'`, true},
		{`@logStream != "authenticator-0123456789abcdef0123456789abcdef"`, false},
		{`@logStream = "authenticator-"`, false},
		{`@logstream = "authenticator-0123456789abcdef0123456789abcdef"`, false}, // names are case sensitive
		{`@logstream != "x"`, false},                                             // nothing is said of what is absent
		{`@logStream in ["a", "authenticator-0123456789abcdef0123456789abcdef"]`, true},
		{`@logStream in ["a", "b"]`, false},
		{`@logStream not in ["a", "b"]`, true},
		{`@logStream like "authenticator"`, true},
		{`@logStream like /^authenticator-[0-9a-f]{32}$/`, true},
		{`@logStream like /Authenticator/`, false},
		{`@logStream like /(?i)Authenticator/`, true},
		{`@logStream not like /audit/`, true},
		{`@logStream =~ /authenticator/`, true},
		{`@logStream =~ "^auth.*f$"`, true},
		{`@logStream like "^auth.*f$"`, false}, // a text is no regular expression
		{`@message like /msg="access denied"/`, true},
		{`@message like "msg=\"access denied\""`, true},
		{`@message like /a\/b/`, true},
		{`@message like "denied" and @message like "granted"`, false},
		{`@message like "denied" or @message like "granted"`, true},
		{`@message like "granted" or @message like "denied" and @logStream = "x"`, false}, // and binds tighter
		{`(@message like "denied" or @message like "granted") and not @logStream = "x"`, true},
		{`not (@message like "denied")`, false},
		{`NOT @message LIKE "denied" OR @message like "level=warning"`, true},
		{`n > 9`, true}, // numbers, although both are digits as text
		{`n < 9.5`, false},
		{`n >= 10 and n <= 10`, true},
		{`@timestamp >= 1795512103250`, true},
		{`@timestamp > 1795512103250`, false},
		{`toMillis(@ingestionTime) - 1 > 5`, false}, // never reached: see TestParseRefuses
		{`toMillis(@ingestionTime) = 1795512104150`, true},
		{`ispresent(@logStream)`, true},
		{`ispresent(@logstream)`, false},
		{`isempty(empty) and isempty(missing)`, true},
		{`isempty(@message)`, false},
		{`strcontains(@message, "denied")`, true},
		{"`@logStream` like 'auth'", true},
	}
	for _, tt := range tests {
		q, err := insights.Parse("filter " + tt.filter)
		if strings.Contains(tt.filter, " - ") {
			if err == nil {
				t.Errorf("%s: read, although arithmetic is not known", tt.filter)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", tt.filter, err)
			continue
		}
		if got := q.Match(sample()); got != tt.want {
			t.Errorf("%s: match = %t, want %t", tt.filter, got, tt.want)
		}
	}
}

func TestParseReadsATailingQuery(t *testing.T) {
	q, err := insights.Parse(`fields @timestamp, @ingestionTime, @message as m
		| filter @logStream in ["a", "b"] # the streams
		| filter @message like /denied/
		| sort @timestamp asc, @logStream desc | limit 10000`)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range q.Columns {
		names = append(names, c.Name())
	}
	if diff := cmp.Diff([]string{"@timestamp", "@ingestionTime", "m"}, names); diff != "" {
		t.Errorf("columns (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]insights.SortKey{{Field: "@timestamp"}, {Field: "@logStream", Desc: true}}, q.Sort); diff != "" {
		t.Errorf("sort (-want +got):\n%s", diff)
	}
	if q.Limit != 10_000 || len(q.Filters) != 2 {
		t.Errorf("limit = %d, filters = %d", q.Limit, len(q.Filters))
	}
}

func TestIndexedNamesOnlyWhatTheFilterFixes(t *testing.T) {
	tests := []struct {
		query string
		want  []string
		ok    bool
	}{
		{`filter @logStream in ["a", "b"]`, []string{"a", "b"}, true},
		{`filter @logStream = "a"`, []string{"a"}, true},
		{`filter @logStream = "a" and @message like "x"`, []string{"a"}, true},
		{`filter @logStream in ["a", "b"] | filter @logStream in ["b", "c"]`, []string{"b"}, true},
		{`filter @message like "x" | filter (@message like "y" and @logStream = "a")`, []string{"a"}, true},
		{`filter @logStream like "a"`, nil, false},
		{`filter @logStream =~ /a/`, nil, false},
		{`filter @logStream = "a" or @message like "x"`, nil, false},
		{`filter not @logStream = "a"`, nil, false},
		{`filter @logStream != "a"`, nil, false},
		{`filter @logstream = "a"`, nil, false},
		{`fields @logStream`, nil, false},
	}
	for _, tt := range tests {
		q, err := insights.Parse(tt.query)
		if err != nil {
			t.Fatalf("%s: %v", tt.query, err)
		}
		got, ok := q.Indexed("@logStream")
		if ok != tt.ok || !cmp.Equal(got, tt.want) {
			t.Errorf("%s: Indexed = %q, %t, want %q, %t", tt.query, got, ok, tt.want, tt.ok)
		}
	}
}

func TestParseRefusesWhatItDoesNotKnow(t *testing.T) {
	tests := []struct {
		query      string
		start, end int // characters of what is wrong
	}{
		{``, 0, 0},
		{`fields`, 6, 6},
		{`fields @message |`, 17, 17},
		{`fields @message | count()`, 18, 23},
		{`parse @message "*" as x`, 0, 5},
		{`dedup @message`, 0, 5},
		{`FIELDS @message`, 0, 6},
		{`filter @message ~ "x"`, 16, 17},
		{`filter @message`, 15, 15},
		{`filter @message like`, 20, 20},
		{`filter @message like "x`, 21, 23},
		{`filter @message like /x`, 21, 23},
		{`filter @message like /(/`, 21, 24},
		{`filter @message in []`, 20, 21},
		{`filter (@message like "x"`, 25, 25},
		{`filter @message like "x")`, 24, 25},
		{`filter @message like "é" é`, 25, 26}, // characters, not bytes
		{`filter n = 1 + 1`, 13, 14},
		{`filter abs(n) = 1`, 10, 11},
		{`sort @timestamp | filter n = 1`, 18, 24},
		{`limit 10 | limit 5`, 11, 16},
		{`limit 0`, 6, 7},
		{`limit 100001`, 6, 12},
		{`stats sum(n)`, 6, 9},
		{"fields ``", 7, 9},
		{`fields "a" "b"`, 11, 14},
	}
	for _, tt := range tests {
		_, err := insights.Parse(tt.query)
		var syntax *insights.SyntaxError
		if !errors.As(err, &syntax) {
			t.Errorf("%s: error = %v, want a SyntaxError", tt.query, err)
			continue
		}
		if syntax.Start != tt.start || syntax.End != tt.end {
			t.Errorf("%s: wrong at [%d,%d], want [%d,%d]: %v", tt.query, syntax.Start, syntax.End, tt.start, tt.end, err)
		}
	}
}

func TestParseRefusesMoreThan10000Characters(t *testing.T) {
	longest := `filter @message like "` + strings.Repeat("é", insights.MaxLength-len(`filter @message like ""`)) + `"`
	if _, err := insights.Parse(longest); err != nil {
		t.Errorf("%d characters: %v", insights.MaxLength, err)
	}
	if _, err := insights.Parse(longest + " "); err == nil {
		t.Errorf("%d characters were read", insights.MaxLength+1)
	}
}

// FuzzParse states that no text makes Parse panic, that an error is always a
// SyntaxError inside the text, and that a query's own print is the same query.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"fields @timestamp, @message | filter @logStream in ['a', \"b\"] | sort @timestamp desc | limit 20",
		"filter a = 1 and (b != -2.5 or not c like /x\\/y\\\\/) and d not in [1, 'x']",
		"filter `a b` =~ 'x.*' | filter ispresent(`in`) or isempty(x) or strcontains(m, '\"')",
		"fields toMillis(@ingestionTime) as i, 5m | filter `ispresent` = 1",
		"stats count(*) as n by @logStream, bin(5m) | sort n desc | limit 3",
		"filter not not not (((a = 1)))",
		"fields @message # comment\n| limit 5",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		q, err := insights.Parse(text)
		if err != nil {
			var syntax *insights.SyntaxError
			if !errors.As(err, &syntax) || syntax.Start < 0 || syntax.End < syntax.Start || syntax.End > len(text) {
				t.Fatalf("error %v", err)
			}
			return
		}
		printed := q.String()
		again, err := insights.Parse(printed)
		if err != nil {
			t.Fatalf("%q is printed as %q, which fails: %v", text, printed, err)
		}
		if q.Match(sample()) != again.Match(sample()) {
			t.Fatalf("%q and its print %q match differently", text, printed)
		}
		if again.String() != printed {
			t.Fatalf("%q is printed as %q and then as %q", text, printed, again.String())
		}
	})
}
