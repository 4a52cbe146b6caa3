package classify

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/rules"
)

// writeSummary writes one object. Kinds are all there, reasons are those that
// occurred, principals counts the different ones that were denied.
func writeSummary(out io.Writer, t *tally) error {
	sum := struct {
		Lines      int64            `json:"lines"`
		Kinds      map[string]int64 `json:"kinds"`
		Reasons    map[string]int64 `json:"reasons"`
		Principals int              `json:"principals"`
		AtLeast    bool             `json:"principals_at_least,omitempty"` // there were more than could be told apart
	}{t.lines(), map[string]int64{}, map[string]int64{}, t.principals(), t.full}
	for _, k := range authlog.Kinds() {
		sum.Kinds[k.String()] = t.kinds[k]
	}
	for code, r := range t.reasons {
		sum.Reasons[code] = r.denials
	}
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")
	return enc.Encode(sum)
}

// writeTable writes one row a reason, the most frequent first, and a line that
// says what else there was.
func writeTable(out io.Writer, t *tally) error {
	codes := slices.SortedFunc(maps.Keys(t.reasons), func(a, b string) int {
		return cmp.Or(cmp.Compare(t.reasons[b].denials, t.reasons[a].denials), cmp.Compare(a, b))
	})
	tw := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	if len(codes) > 0 {
		fmt.Fprintln(tw, "REASON\tDENIALS\tPRINCIPALS\tFIRST\tLAST\tWHO MUST ACT")
	}
	for _, code := range codes {
		r := t.reasons[code]
		fmt.Fprintf(tw, "%s\t%d\t%s\t%s\t%s\t%s\n",
			code, r.denials, atLeast(len(r.principals), t.full), instant(r.first), instant(r.last), whoActs(code))
	}
	if len(codes) > 0 {
		fmt.Fprintln(tw)
	}
	fmt.Fprintln(tw, totals(t))
	return tw.Flush()
}

// totals is the sentence under the table.
func totals(t *tally) string {
	var parts []string
	for _, k := range []authlog.Kind{
		authlog.KindDenied, authlog.KindGranted, authlog.KindSTSResponse, authlog.KindMalformedRequest,
		authlog.KindMarker, authlog.KindOther, authlog.KindUnreadable,
	} {
		if t.kinds[k] > 0 || k == authlog.KindDenied {
			parts = append(parts, fmt.Sprintf("%d %s", t.kinds[k], strings.ReplaceAll(k.String(), "_", " ")))
		}
	}
	return fmt.Sprintf("%d lines: %s", t.lines(), strings.Join(parts, ", "))
}

func whoActs(code string) string {
	r, ok := rules.ByCode(code)
	if !ok {
		return "-"
	}
	return strings.ReplaceAll(string(r.WhoActs), "_", " ")
}

func instant(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Format(time.RFC3339)
}

func atLeast(n int, more bool) string {
	if more {
		return strconv.Itoa(n) + "+"
	}
	return strconv.Itoa(n)
}
