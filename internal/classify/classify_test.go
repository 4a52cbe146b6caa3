package classify_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/eks-authlog/eks-authlog/internal/classify"
)

const (
	denied  = `time="2026-11-23T21:41:59Z" level=warning msg="access denied" arn="arn:aws:iam::111122223333:role/Nope" client="127.0.0.1:44304" error="identity is not mapped" method=POST path=/authenticate`
	granted = `time="2026-11-23T21:41:59Z" level=info msg="access granted" arn="arn:aws:iam::111122223333:role/KubernetesAdmin" client="127.0.0.1:44304" groups="[system:masters]" method=POST path=/authenticate stsendpoint=sts.us-west-2.amazonaws.com uid="aws-iam-authenticator:111122223333:AROAIOSFODNN7EXAMPLE" username=kubernetes-admin`
	corpus  = "../../testdata/logs/authenticator.log"
)

// A summary is what --output=summary prints.
type summary struct {
	Lines      int
	Kinds      map[string]int
	Reasons    map[string]int
	Principals int
	AtLeast    bool `json:"principals_at_least"`
}

// A line is what --output=ndjson prints.
type line struct {
	File      string
	Line      int
	Time      string
	Kind      string
	Reason    string
	Principal string
}

func run(t *testing.T, cfg classify.Config) (string, error) {
	t.Helper()
	cfg.Workers = 2
	var out strings.Builder
	err := classify.Run(t.Context(), cfg, &out)
	return out.String(), err
}

// summarize reads all inputs, which must all be readable.
func summarize(t *testing.T, inputs ...string) summary {
	t.Helper()
	out, err := run(t, classify.Config{Inputs: inputs, Format: classify.Summary})
	if err != nil {
		t.Error(err)
	}
	return parseSummary(t, out)
}

func parseSummary(t *testing.T, out string) summary {
	t.Helper()
	var s summary
	if err := json.Unmarshal([]byte(out), &s); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return s
}

func parseLines(t *testing.T, out string) []line {
	t.Helper()
	var all []line
	for text := range strings.Lines(out) {
		var l line
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		all = append(all, l)
	}
	return all
}

// file writes a file and returns its path.
func file(t *testing.T, name, data string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestRunGivesEveryPrintedLineItsReason(t *testing.T) {
	out, err := run(t, classify.Config{Inputs: []string{corpus}, Format: classify.NDJSON})
	if err != nil {
		t.Fatal(err)
	}
	got := parseLines(t, out)
	rows := strings.Split(strings.TrimSpace(read(t, "../../testdata/logs/authenticator.tsv")), "\n")[1:]
	if len(got) != len(rows) {
		t.Fatalf("%d objects for %d lines", len(got), len(rows))
	}
	for i, row := range rows {
		want := strings.Split(row, "\t")[1]
		if is := got[i].Kind + "/" + got[i].Reason; got[i].Line != i+1 || !fits(want, is) {
			t.Errorf("line %d (%s) is %+v", i+1, want, got[i])
		}
	}
}

// fits compares the tsv's word for a line with its kind and reason.
func fits(want, is string) bool {
	switch want {
	case "event:access_granted":
		return is == "granted/"
	case "event:sts_response":
		return is == "sts_response/"
	case "event:malformed_request":
		return is == "malformed_request/"
	case "event:other_logrus", "event:other_json", "event:plain_text":
		return is == "marker/" || is == "other/"
	}
	return is == "denied/"+want
}

func TestRunReadsPackedFilesAndPipesAlike(t *testing.T) {
	want := summarize(t, corpus)
	text := read(t, corpus)
	var gz, zst bytes.Buffer
	pack(t, gzip.NewWriter(&gz), text)
	zw, err := zstd.NewWriter(&zst)
	if err != nil {
		t.Fatal(err)
	}
	pack(t, zw, text)
	for name, data := range map[string]string{"plain": text, "a.gz": gz.String(), "b.zst": zst.String()} {
		if diff := cmp.Diff(want, summarize(t, file(t, name, data))); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
		out, err := run(t, classify.Config{Stdin: strings.NewReader(data), Format: classify.Summary})
		if err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff(want, parseSummary(t, out)); diff != "" {
			t.Errorf("%s through a pipe:\n%s", name, diff)
		}
	}
}

func pack(t *testing.T, w io.WriteCloser, text string) {
	t.Helper()
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestRunReadsPiecesOfConcatenatedGzip(t *testing.T) {
	var gz bytes.Buffer
	pack(t, gzip.NewWriter(&gz), denied+"\n")
	if got := summarize(t, file(t, "both.gz", gz.String()+gz.String())); got.Kinds["denied"] != 2 {
		t.Errorf("read %+v of two gzip members", got)
	}
}

func TestRunKeepsTheOrderOfLines(t *testing.T) {
	const n = 30_000 // many pieces
	var b strings.Builder
	for i := range n {
		fmt.Fprintln(&b, strings.Replace(denied, "role/Nope", fmt.Sprintf("role/r%d", i), 1))
	}
	out, err := run(t, classify.Config{Stdin: strings.NewReader(b.String()), Format: classify.NDJSON})
	if err != nil {
		t.Fatal(err)
	}
	got := parseLines(t, out)
	if len(got) != n {
		t.Fatalf("%d objects for %d lines", len(got), n)
	}
	for i, l := range got {
		if l.Line != i+1 || l.Principal != fmt.Sprintf("arn:aws:iam::111122223333:role/r%d", i) {
			t.Fatalf("object %d is %+v", i, l)
		}
	}
}

func TestRunNamesTheFileWhereThereAreSeveral(t *testing.T) {
	a, b := file(t, "a.log", denied+"\n"+granted), file(t, "b.log", granted+"\n")
	out, err := run(t, classify.Config{Inputs: []string{a, b}, Format: classify.NDJSON})
	if err != nil {
		t.Fatal(err)
	}
	const at = "2026-11-23T21:41:59Z"
	want := []line{
		{a, 1, at, "denied", "arn_not_mapped", "arn:aws:iam::111122223333:role/Nope"},
		{a, 2, at, "granted", "", "arn:aws:iam::111122223333:role/KubernetesAdmin"},
		{b, 1, at, "granted", "", "arn:aws:iam::111122223333:role/KubernetesAdmin"},
	}
	if diff := cmp.Diff(want, parseLines(t, out)); diff != "" {
		t.Error(diff)
	}
}

func TestRunTakesTheTimeOfTheWrappingWhereThereIsNoOther(t *testing.T) {
	in := "2026-11-23T21:42:00.719Z " + strings.TrimPrefix(denied, `time="2026-11-23T21:41:59Z" `)
	out, err := run(t, classify.Config{Stdin: strings.NewReader(in), Format: classify.NDJSON})
	if err != nil {
		t.Fatal(err)
	}
	if got := parseLines(t, out); len(got) != 1 || got[0].Time != "2026-11-23T21:42:00.719Z" {
		t.Errorf("got %+v", got)
	}
}

func TestRunWritesValidJSONOfAnyPrincipal(t *testing.T) {
	in := strings.Replace(denied, "role/Nope", `role/\xe9\"<é`, 1)
	out, err := run(t, classify.Config{Stdin: strings.NewReader(in), Format: classify.NDJSON})
	if err != nil {
		t.Fatal(err)
	}
	if got := parseLines(t, out); got[0].Principal != "arn:aws:iam::111122223333:role/\uFFFD\"<é" {
		t.Errorf("got %+v", got)
	}
}

func TestRunCountsLinesAsPeopleDo(t *testing.T) {
	for in, want := range map[string]int{
		"":                                   0,
		denied:                               1,
		denied + "\n":                        1,
		denied + "\r\n" + granted + "\r\n":   2,
		"\n":                                 1,
		"\n\n" + denied:                      3,
		strings.Repeat(denied+"\n", 100_000): 100_000,
	} {
		if got := summarize(t, file(t, "x.log", in)); got.Lines != want || got.Kinds["denied"] != strings.Count(in, "denied") {
			t.Errorf("%d bytes: %+v, want %d lines", len(in), got, want)
		}
	}
}

func TestRunKeepsAMebibyteAndCountsWhatIsLonger(t *testing.T) {
	long := func(n int) string { return strings.Replace(denied, "mapped", strings.Repeat("x", n), 1) }
	in := denied + "\n" + long(1<<20-len(denied)) + "\n" + long(3<<20) + "\n" + granted + "\n" + long(5<<20)
	want := map[string]int{"denied": 2, "granted": 1, "unreadable": 2}
	got := summarize(t, file(t, "long.log", in))
	for kind, n := range want {
		if got.Kinds[kind] != n {
			t.Errorf("%d %s, want %d", got.Kinds[kind], kind, n)
		}
	}
	out, err := run(t, classify.Config{Stdin: strings.NewReader(in), Format: classify.NDJSON})
	if err != nil {
		t.Fatal(err)
	}
	for i, kind := range []string{"denied", "denied", "unreadable", "granted", "unreadable"} {
		if l := parseLines(t, out)[i]; l.Kind != kind || l.Line != i+1 {
			t.Errorf("object %d is %+v, want a %s", i, l, kind)
		}
	}
}

func TestRunGoesOnAfterAnInputThatFails(t *testing.T) {
	var gz bytes.Buffer
	pack(t, gzip.NewWriter(&gz), strings.Repeat(denied+"\n", 1000))
	missing := filepath.Join(t.TempDir(), "missing.log")
	cut := file(t, "cut.gz", gz.String()[:gz.Len()-20])
	dir := t.TempDir()
	out, err := run(t, classify.Config{
		Inputs: []string{missing, dir, cut, file(t, "good.log", granted)},
		Format: classify.Summary,
	})
	if !errors.Is(err, fs.ErrNotExist) || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("error is %v", err)
	}
	for _, name := range []string{missing, cut, dir} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s is not named in: %v", name, err)
		}
	}
	if got := parseSummary(t, out); got.Kinds["granted"] != 1 || got.Kinds["denied"] == 0 {
		t.Errorf("read %+v", got)
	}
}

func TestRunSaysHowToUnpackWhatNeedsMuchMemory(t *testing.T) {
	var b bytes.Buffer
	zw, err := zstd.NewWriter(&b, zstd.WithWindowSize(16<<20), zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(zw, strings.Repeat(denied+"\n", 10_000)); err != nil {
		t.Fatal(err)
	}
	if err := zw.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = run(t, classify.Config{Inputs: []string{file(t, "x.zst", b.String())}, Format: classify.Summary})
	if err == nil || !strings.Contains(err.Error(), "zstd -dc") {
		t.Errorf("error is %v", err)
	}
}
