package api

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// A statsTable is what was counted: a row for each series, or for each step and
// series, by time and then as the series come. There may be very many, so that
// none is ever held: they are written from the series, in parts.
type statsTable struct {
	by     []string
	filter *authlog.CountFilter
	series []authlog.DenialSeries
}

// The columns beside the labels.
const (
	countColumn = "count"
	otherColumn = "other"
	timeColumn  = "time"
)

// partSize is about how long a part of a document is, in bytes.
const partSize = 32 << 10

// document shows the table in one of the forms of lists.
func (t *statsTable) document(form string) document {
	switch form {
	case formLines:
		return document{mediaType: formLines, parts: inParts(nil, t.jsonRows(t.hasSteps(), "", "}\n"))}
	case formCSV:
		text := csvText()
		rows := t.csvRows(text)
		return document{mediaType: csvType, parts: inParts([]byte(text(rows.columns...)+"\n"), rows)}
	}
	return document{mediaType: formJSON, parts: t.json()}
}

func (t *statsTable) hasSteps() bool { return t.filter.Step > 0 }

// inParts are the rows behind a head.
func inParts(head []byte, rows *statsRows) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		if b, ok := rows.append(append(make([]byte, 0, 2*partSize), head...), yield); ok {
			yield(b)
		}
	}
}

// json is what the OpenAPI document calls Stats: rows for the whole time, and for
// each step.
func (t *statsTable) json() iter.Seq[[]byte] {
	total, step := int64(0), "null"
	for i := range t.series {
		total += t.series[i].Total
	}
	top, over := t.jsonRows(false, ",", "}"), &statsRows{statsTable: &statsTable{filter: t.filter}}
	if t.hasSteps() {
		step = strconv.FormatInt(int64(t.filter.Step/time.Second), 10)
		over = t.jsonRows(true, ",", "}")
	}
	head := fmt.Appendf(nil, `{"by":%s,"step_seconds":%s,"total":%d,"top":[`, jsonText(t.by), step, total)
	return func(yield func([]byte) bool) {
		b, ok := top.append(append(make([]byte, 0, 2*partSize), head...), yield)
		if ok {
			b, ok = over.append(append(b, `],"series":[`...), yield)
		}
		if ok {
			yield(append(b, "]}\n"...))
		}
	}
}

func (t *statsTable) csvRows(text func(cells ...string) string) *statsRows {
	columns := append(slices.Clone(t.by), otherColumn, countColumn)
	if t.hasSteps() {
		columns = slices.Insert(columns, 0, timeColumn)
	}
	rows := &statsRows{
		statsTable: t, over: t.hasSteps(), columns: columns, end: "\n",
		at: func(at time.Time) string { return cell(at) },
	}
	rows.fill("", func(_ string, value any) string {
		if value == nil {
			return ""
		}
		return text(cell(value))
	})
	return rows
}

// jsonRows are objects whose members are sorted, as those of all lists with
// chosen fields are.
func (t *statsTable) jsonRows(over bool, between, end string) *statsRows {
	columns := append(slices.Clone(t.by), otherColumn, countColumn)
	if over {
		columns = append(columns, timeColumn)
	}
	slices.Sort(columns)
	rows := &statsRows{
		statsTable: t, over: over, columns: columns, between: between, end: end,
		at: func(at time.Time) string { return jsonText(at) },
	}
	rows.fill("{", func(name string, value any) string {
		if value == nil {
			return jsonText(name) + ":"
		}
		return jsonText(name) + ":" + jsonText(value)
	})
	return rows
}

// statsRows are the rows of a table as text.
type statsRows struct {
	*statsTable
	over         bool // the rows of each step
	columns      []string
	texts        [][]string // of each series, by column; of a count or time what stands before it
	at           func(time.Time) string
	between, end string // of rows
}

// fill makes the texts. begin stands before the first column; the value of text
// is nil for a count or time.
func (r *statsRows) fill(begin string, text func(name string, value any) string) {
	for i := range r.series {
		s := &r.series[i]
		labels := strings.Split(s.Name, "\x00")
		texts := make([]string, len(r.columns))
		before := begin
		for j, name := range r.columns {
			var value any
			switch k := slices.Index(r.by, name); {
			case name == otherColumn:
				value = s.Other
			case k < 0:
			case s.Other:
				value = "other"
			default:
				value = labels[k]
			}
			texts[j] = before + text(name, value)
			before = ","
		}
		r.texts = append(r.texts, texts)
	}
}

// append appends the rows, and yields what there is each time it is enough for a
// part. It is false when no more is wanted.
func (r *statsRows) append(b []byte, yield func([]byte) bool) ([]byte, bool) {
	between := ""
	add := func(i int, count int64, at string) bool {
		b = r.row(append(b, between...), i, count, at)
		between = r.between
		if len(b) < partSize {
			return true
		}
		more := yield(b)
		b = b[:0]
		return more
	}
	if !r.over {
		for i := range r.series {
			if !add(i, r.series[i].Total, "") {
				return nil, false
			}
		}
		return b, true
	}
	for step := range r.filter.Steps() {
		at := r.at(r.filter.StepStart(int64(step)))
		for i := range r.series {
			if !add(i, r.series[i].Steps[step], at) {
				return nil, false
			}
		}
	}
	return b, true
}

func (r *statsRows) row(b []byte, series int, count int64, at string) []byte {
	for i, text := range r.texts[series] {
		b = append(b, text...)
		switch r.columns[i] {
		case countColumn:
			b = strconv.AppendInt(b, count, 10)
		case timeColumn:
			b = append(b, at...)
		}
	}
	return append(b, r.end...)
}

// jsonText is a value as jsonDocument writes it.
func jsonText(v any) string { return strings.TrimSuffix(string(jsonDocument(v).body), "\n") }

// csvText writes cells as renderCSV does.
func csvText() func(cells ...string) string {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	return func(cells ...string) string {
		b.Reset()
		if err := w.Write(cells); err != nil {
			panic(fmt.Errorf("write to memory: %w", err))
		}
		w.Flush()
		return strings.TrimSuffix(b.String(), "\n")
	}
}
