package classify_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/classify"
)

const invalidToken = `time="2026-11-23T20:00:00Z" level=warning msg="access denied" client="127.0.0.1:44090" error="sts getCallerIdentity failed: error from AWS (expected 200, got 403) on us-west-2 endpoint. Body: {\"Error\":{\"Code\":\"InvalidClientTokenId\",\"Message\":\"The security token included in the request is invalid.\",\"Type\":\"Sender\"}}" method=POST path=/authenticate`

func TestTableSortsReasonsByDenials(t *testing.T) {
	later := strings.NewReplacer("21:41:59", "22:00:00", "Nope", "Other").Replace(denied)
	in := strings.Join([]string{granted, invalidToken, later, denied, denied, "what?"}, "\n")
	got, err := run(t, classify.Config{Stdin: strings.NewReader(in), Format: classify.Table})
	if err != nil {
		t.Fatal(err)
	}
	want := `REASON                    DENIALS  PRINCIPALS  FIRST                 LAST                  WHO MUST ACT
arn_not_mapped            3        2           2026-11-23T21:41:59Z  2026-11-23T22:00:00Z  cluster admin
sts_invalid_client_token  1        0           2026-11-23T20:00:00Z  2026-11-23T20:00:00Z  credential owner

6 lines: 4 denied, 1 granted, 1 unreadable
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestTableOfNothingSaysSo(t *testing.T) {
	got, err := run(t, classify.Config{Stdin: strings.NewReader(""), Format: classify.Table})
	if err != nil || got != "0 lines: 0 denied\n" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestSummaryNamesEveryKind(t *testing.T) {
	got := summarize(t, file(t, "x.log", denied))
	for _, k := range authlog.Kinds() {
		if _, ok := got.Kinds[k.String()]; !ok {
			t.Errorf("no %v in %v", k, got.Kinds)
		}
	}
}

func TestSummaryCountsAPrincipalOnce(t *testing.T) {
	reserved := strings.Replace(denied, "identity is not mapped",
		"invalid username 'eks:foo' for mapper EKSConfigMap: username must not begin with with the following prefixes: [aws: eks: iam: amazon:]", 1)
	got := summarize(t, file(t, "x.log", denied+"\n"+reserved+"\n"+denied), file(t, "y.log", denied))
	want := map[string]int{"arn_not_mapped": 3, "username_reserved_prefix": 1}
	if diff := cmp.Diff(want, got.Reasons); diff != "" || got.Principals != 1 || got.AtLeast {
		t.Errorf("%+v\n%s", got, diff)
	}
}

// A file can name more principals than memory should hold.
func TestSummarySaysWhenThereWereMorePrincipals(t *testing.T) {
	r, w := io.Pipe()
	go func() {
		lines := bufio.NewWriterSize(w, 1<<20)
		for i := range 120_000 {
			fmt.Fprintf(lines, "level=warning msg=\"access denied\" arn=a%d error=EOF path=/authenticate\n", i)
		}
		w.CloseWithError(lines.Flush())
	}()
	var out strings.Builder
	if err := classify.Run(t.Context(), classify.Config{Stdin: r, Format: classify.Summary}, &out); err != nil {
		t.Fatal(err)
	}
	if got := parseSummary(t, out.String()); !got.AtLeast || got.Principals != 100_000 || got.Kinds["denied"] != 120_000 {
		t.Errorf("%+v", got)
	}
}

func TestRunRefusesOtherFormats(t *testing.T) {
	_, err := run(t, classify.Config{Stdin: strings.NewReader(""), Format: "xml"})
	if err == nil || !strings.Contains(err.Error(), "ndjson") {
		t.Errorf("error is %v", err)
	}
}

func TestRunEndsWhenItsOutputFails(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { full.Close() })
	err = classify.Run(t.Context(), classify.Config{
		Stdin: endless{}, Format: classify.NDJSON, Workers: 2,
	}, full)
	if _, ok := errors.AsType[*os.PathError](err); !ok {
		t.Errorf("error is %v", err)
	}
}

// endless is an input without end.
type endless struct{}

func (endless) Read(b []byte) (int, error) { return copy(b, denied+"\n"), nil }

func TestRunEndsWithItsContext(t *testing.T) {
	for _, format := range []classify.Format{classify.NDJSON, classify.Table} {
		ctx, cancel := context.WithCancel(t.Context())
		err := classify.Run(ctx, classify.Config{
			Stdin: endless{}, Format: format, Workers: 2,
			Progress: func(read, _ int64) {
				if read > 1<<16 {
					cancel()
				}
			},
		}, io.Discard)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: error is %v", format, err)
		}
	}
}

func TestRunTellsProgress(t *testing.T) {
	a, b := file(t, "a.log", strings.Repeat(denied+"\n", 10_000)), file(t, "b.log", granted)
	var last, size int64
	_, err := run(t, classify.Config{Inputs: []string{a, b}, Format: classify.Summary, Progress: func(read, total int64) {
		if read < last {
			t.Errorf("from %d back to %d", last, read)
		}
		last, size = read, total
	}})
	if want := int64(len(denied)+1)*10_000 + int64(len(granted)); err != nil || last != want || size != want {
		t.Errorf("read %d of %d, want %d; %v", last, size, want, err)
	}
}

func TestRunDoesNotKnowTheSizeOfAPipe(t *testing.T) {
	_, err := run(t, classify.Config{Stdin: strings.NewReader(denied), Format: classify.Summary, Progress: func(_, total int64) {
		if total >= 0 {
			t.Errorf("total is %d", total)
		}
	}})
	if err != nil {
		t.Error(err)
	}
}

// Lines that are no denial cost no allocation, and denials at most two.
func TestRunAllocatesLittle(t *testing.T) {
	const n = 20_000
	for _, c := range []struct {
		line string
		max  float64
	}{{granted, 0}, {denied, 0}, {invalidToken, 2}} {
		in := strings.Repeat(c.line+"\n", n)
		allocs := testing.AllocsPerRun(1, func() {
			if err := classify.Run(t.Context(), classify.Config{Stdin: strings.NewReader(in), Format: classify.Summary, Workers: 2}, io.Discard); err != nil {
				t.Error(err)
			}
		})
		if got := allocs / n; got > c.max+0.05 {
			t.Errorf("%.2f allocations a line, want %v: %s", got, c.max, c.line)
		}
	}
}

func BenchmarkRun(b *testing.B) {
	in := strings.Repeat(strings.Repeat(granted+"\n", 7)+strings.Repeat(denied+"\n", 2)+invalidToken+"\n", 10_000)
	for _, format := range []classify.Format{classify.Summary, classify.NDJSON} {
		b.Run(string(format), func(b *testing.B) {
			b.SetBytes(int64(len(in)))
			b.ReportAllocs()
			for b.Loop() {
				if err := classify.Run(b.Context(), classify.Config{Stdin: strings.NewReader(in), Format: format, Workers: 2}, io.Discard); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
