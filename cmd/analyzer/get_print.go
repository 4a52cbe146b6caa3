package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// A printer writes rows in one form. Nothing it writes does anything to a
// terminal but move on.
type printer interface {
	// whole prints all there is, as one document.
	whole(rows []row) error
	// more prints rows as they come, each whole in itself.
	more(rows []row) error
}

func newPrinter(form string, l *list, w io.Writer, now func() time.Time) printer {
	switch form {
	case "json":
		return &jsonPrinter{l.member, w}
	case "yaml":
		return &yamlPrinter{l.member, w}
	case "csv":
		return &csvPrinter{columns: l.columns, w: csv.NewWriter(w)}
	default:
		return &tablePrinter{columns: l.columns[:l.narrow], w: w, now: now}
	}
}

// A tablePrinter lines the narrow columns up, over all it prints.
type tablePrinter struct {
	columns []string
	w       io.Writer
	now     func() time.Time
	widths  []int // nil until the names were printed
}

func (p *tablePrinter) whole(rows []row) error { return p.more(rows) }

func (p *tablePrinter) more(rows []row) error {
	var lines [][]string
	if p.widths == nil {
		names := strings.ToUpper(strings.ReplaceAll(strings.Join(p.columns, " "), "_", "-"))
		lines, p.widths = append(lines, strings.Fields(names)), make([]int, len(p.columns))
	}
	for _, r := range rows {
		var line []string
		for i := range p.columns {
			line = append(line, p.cell(r.cells[i]))
		}
		lines = append(lines, line)
	}
	for _, line := range lines {
		for i, cell := range line {
			p.widths[i] = max(p.widths[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	for _, line := range lines {
		for i, cell := range line[:len(line)-1] {
			b.WriteString(cell + strings.Repeat(" ", p.widths[i]-utf8.RuneCountInString(cell)+2))
		}
		b.WriteString(line[len(line)-1] + "\n")
	}
	_, err := io.WriteString(p.w, b.String())
	return err
}

// cell shows a time with its age, and nothing as a dash.
func (p *tablePrinter) cell(v any) string {
	text := cellText(v)
	if text == "" {
		return "-"
	}
	switch at := v.(type) {
	case time.Time:
		return text + " (" + age(p.now().Sub(at)) + ")"
	case *time.Time:
		return text + " (" + age(p.now().Sub(*at)) + ")"
	}
	return text
}

// age is about how long d is.
func age(d time.Duration) string {
	switch {
	case d < 2*time.Minute:
		return strconv.Itoa(int(max(d, 0).Seconds())) + "s"
	case d < 2*time.Hour:
		return strconv.Itoa(int(d.Minutes())) + "m"
	case d < 48*time.Hour:
		return strconv.Itoa(int(d.Hours())) + "h"
	default:
		return strconv.Itoa(int(d.Hours()/24)) + "d"
	}
}

// cellText is the text of a cell, escaped.
func cellText(v any) string {
	switch v := v.(type) {
	case string:
		return escape(v)
	case int:
		return strconv.Itoa(v)
	case time.Time:
		return v.UTC().Format(time.RFC3339)
	case *time.Time:
		if v == nil {
			return ""
		}
		return cellText(*v)
	}
	panic(fmt.Errorf("no cell for %T", v)) // only a column of ours can cause it
}

// A csvPrinter writes all columns.
type csvPrinter struct {
	columns []string
	w       *csv.Writer
	begun   bool
}

func (p *csvPrinter) whole(rows []row) error { return p.more(rows) }

func (p *csvPrinter) more(rows []row) error {
	var lines [][]string
	if !p.begun {
		lines, p.begun = append(lines, p.columns), true
	}
	for _, r := range rows {
		line := make([]string, len(r.cells))
		for i, v := range r.cells {
			line[i] = authlog.Defuse(cellText(v))
		}
		lines = append(lines, line)
	}
	return p.w.WriteAll(lines)
}

// A jsonPrinter writes the rows as the API does: all in one object, or one row
// a line.
type jsonPrinter struct {
	member string
	w      io.Writer
}

func (p *jsonPrinter) whole(rows []row) error {
	var b bytes.Buffer
	if err := json.Indent(&b, document(p.member, rows), "", "  "); err != nil {
		return err
	}
	_, err := fmt.Fprintln(p.w, escapeJSON(b.String()))
	return err
}

func (p *jsonPrinter) more(rows []row) error {
	for _, r := range rows {
		var line bytes.Buffer
		if err := json.Compact(&line, r.raw); err != nil {
			return err
		}
		if _, err := fmt.Fprintln(p.w, escapeJSON(line.String())); err != nil {
			return err
		}
	}
	return nil
}

// document is the rows as the API would give them, had it no pages.
func document(member string, rows []row) []byte {
	raw := make([]json.RawMessage, len(rows))
	for i := range rows {
		raw[i] = rows[i].raw
	}
	doc, err := json.Marshal(map[string]any{member: raw})
	if err != nil {
		panic(fmt.Errorf("write to memory: %w", err)) // all was decoded before
	}
	return doc
}

// A yamlPrinter writes one document with all rows, or one for each row.
type yamlPrinter struct {
	member string
	w      io.Writer
}

func (p *yamlPrinter) whole(rows []row) error { return p.write("", document(p.member, rows)) }

func (p *yamlPrinter) more(rows []row) error {
	for _, r := range rows {
		if err := p.write("---\n", r.raw); err != nil {
			return err
		}
	}
	return nil
}

func (p *yamlPrinter) write(before string, doc []byte) error {
	var node yaml.Node
	if err := yaml.Unmarshal(doc, &node); err != nil { // JSON is YAML
		return err
	}
	restyle(&node)
	var text bytes.Buffer
	enc := yaml.NewEncoder(&text)
	enc.SetIndent(2)
	if err := enc.Encode(&node); err != nil {
		return err
	}
	_, err := io.WriteString(p.w, before+escapeWith(text.String(), yamlEscape))
	return err
}

var oldBool = regexp.MustCompile(`(?i)^(y|n|yes|no|on|off)$`)

// restyle writes the nodes as a person would. It quotes each text that needs an
// escape, and each word that a reader of YAML 1.1 takes for true or false.
func restyle(n *yaml.Node) {
	text := n.Kind == yaml.ScalarNode && n.Tag == "!!str"
	n.Style = 0
	if text && (escape(n.Value) != n.Value || oldBool.MatchString(n.Value)) {
		n.Style = yaml.DoubleQuotedStyle
	}
	for _, child := range n.Content {
		restyle(child)
	}
}

// escape shows what does not print, line ends and tabs included, as Go does in
// a string.
func escape(s string) string {
	return escapeWith(strings.NewReplacer("\n", `\n`, "\t", `\t`).Replace(s), func(r rune) string {
		q := strconv.QuoteRune(r)
		return q[1 : len(q)-1]
	})
}

// escapeJSON escapes what JSON allows in a string and a terminal may obey.
func escapeJSON(s string) string {
	return escapeWith(s, func(r rune) string {
		if high, low := utf16.EncodeRune(r); high != unicode.ReplacementChar {
			return fmt.Sprintf(`\u%04x\u%04x`, high, low)
		}
		return fmt.Sprintf(`\u%04x`, r)
	})
}

func yamlEscape(r rune) string { return fmt.Sprintf(`\U%08x`, r) }

// escapeWith replaces each rune that does not print. Line ends stay.
func escapeWith(s string, with func(rune) string) string {
	var b strings.Builder
	for _, r := range s {
		if unicode.IsPrint(r) || r == '\n' {
			b.WriteRune(r)
		} else {
			b.WriteString(with(r))
		}
	}
	return b.String()
}
