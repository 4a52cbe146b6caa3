package classify_test

import (
	"encoding/json"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/eks-authlog/eks-authlog/internal/classify"
)

type object = map[string]any

// documents hold the same two lines, a denial and a grant, as tools print them.
func documents(t *testing.T) map[string]string {
	t.Helper()
	events := object{"events": []any{
		object{"logStreamName": "authenticator-1", "timestamp": 1795470120719, "message": denied + "\n", "ingestionTime": 1795470121000, "eventId": "1"},
		object{"logStreamName": "authenticator-1", "timestamp": 1795470120720, "message": granted, "ingestionTime": 1795470121000, "eventId": "2"},
	}, "searchedLogStreams": []any{}}
	row := func(at, message string) []any {
		return []any{
			object{"field": "@timestamp", "value": at},
			object{"field": "@message", "value": message},
			object{"field": "@ptr", "value": "CmEK"},
		}
	}
	query := object{
		"results":    []any{row("2026-11-23 21:42:00.719", denied), row("2026-11-23 21:42:00.720", granted)},
		"statistics": object{"recordsMatched": 2.0}, "status": "Complete",
	}
	insights := []any{
		object{"@timestamp": "2026-11-23 21:42:00.719", "@message": denied},
		object{"@timestamp": "2026-11-23 21:42:00.720", "@message": granted},
	}
	subscription := func(at int64, message string) string {
		return `{"messageType":"DATA_MESSAGE","owner":"1","logEvents":` + encode(t, "", []any{object{"id": "1", "timestamp": at, "message": message}}) + `}`
	}
	return map[string]string{
		"filter-log-events":          encode(t, "    ", events),
		"filter-log-events, compact": encode(t, "", events),
		"get-query-results":          encode(t, "    ", query),
		"Insights":                   encode(t, "  ", insights),
		"Insights, compact, BOM":     "\uFEFF" + encode(t, "", insights),
		"subscription":               subscription(1795470120719, denied) + subscription(1795470120720, granted),
	}
}

func encode(t *testing.T, indent string, v any) string {
	t.Helper()
	b, err := json.MarshalIndent(v, "", indent)
	if indent == "" {
		b, err = json.Marshal(v)
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestRunReadsTheMessagesOfDocuments(t *testing.T) {
	const at = "2026-11-23T21:41:59Z"
	want := []line{
		{"", 1, at, "denied", "arn_not_mapped", "arn:aws:iam::111122223333:role/Nope"},
		{"", 2, at, "granted", "", "arn:aws:iam::111122223333:role/KubernetesAdmin"},
	}
	for name, doc := range documents(t) {
		out, err := run(t, classify.Config{Stdin: strings.NewReader(doc), Format: classify.NDJSON})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, parseLines(t, out)); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
}

func TestRunTakesTheTimeOfAnEventWhereItsLineHasNone(t *testing.T) {
	for name, doc := range documents(t) {
		doc = strings.ReplaceAll(doc, `time=\"2026-11-23T21:41:59Z\" `, "")
		out, err := run(t, classify.Config{Stdin: strings.NewReader(doc), Format: classify.NDJSON})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got := parseLines(t, out); len(got) != 2 || got[0].Time != "2026-11-23T21:42:00.719Z" || got[1].Time != "2026-11-23T21:42:00.72Z" {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestRunCountsWhatStandsBeforeTheCutOfADocument(t *testing.T) {
	for name, doc := range documents(t) {
		end := strings.LastIndex(doc, "access granted")
		out, err := run(t, classify.Config{Stdin: strings.NewReader(doc[:end]), Format: classify.Summary})
		if err == nil || !strings.Contains(err.Error(), "standard input") {
			t.Errorf("%s: error is %v", name, err)
		}
		if got := parseSummary(t, out); got.Kinds["denied"] != 1 || got.Lines != 1 {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestRunReadsLinesThatAreJSONEachAsLines(t *testing.T) {
	in := `{"error":"identity is not mapped","level":"warning","msg":"access denied","path":"/authenticate"}` + "\n" +
		`{"log":` + encode(t, "", denied+"\n") + `,"stream":"stderr","time":"2026-11-23T21:42:00Z"}` + "\n" + "{\n"
	got := summarize(t, file(t, "x.log", in))
	if got.Kinds["denied"] != 2 || got.Kinds["unreadable"] != 1 {
		t.Errorf("%+v", got)
	}
}

func TestRunDoesNotHoldAnEndlessValueOfADocument(t *testing.T) {
	in := io.MultiReader(strings.NewReader(`{"events":[{"message":"`), zeroes{})
	_, err := run(t, classify.Config{Stdin: in, Format: classify.Summary})
	if err == nil || !strings.Contains(err.Error(), "4 MiB") {
		t.Errorf("error is %v", err)
	}
}

// zeroes is the digit 0 without end.
type zeroes struct{}

func (zeroes) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = '0'
	}
	return len(b), nil
}
