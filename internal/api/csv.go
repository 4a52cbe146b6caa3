package api

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"strings"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// renderCSV writes RFC 4180 with a line of names first, but ends lines as Unix
// does: the writer's other way changes line ends within a cell. The principal
// takes four cells, a list is separated by spaces. The next page is in the
// header Link alone.
func renderCSV(list []denial, columns []column, _ string) document {
	var body bytes.Buffer
	w := csv.NewWriter(&body)
	var line []string
	for _, c := range columns {
		line = append(line, heads(c.name)...)
	}
	write := func() {
		if err := w.Write(line); err != nil {
			panic(fmt.Errorf("write to memory: %w", err))
		}
		line = line[:0]
	}
	write()
	for i := range list {
		for _, c := range columns {
			line = append(line, cells(c.value(&list[i]))...)
		}
		write()
	}
	w.Flush()
	return document{mediaType: "text/csv; charset=utf-8; header=present", body: body.Bytes()}
}

func heads(name string) []string {
	if name == "principal" {
		return []string{"principal.arn", "principal.kind", "principal.account", "principal.session"}
	}
	return []string{name}
}

func cells(value any) []string {
	switch v := value.(type) {
	case string:
		return []string{defuse(v)}
	case time.Time:
		return []string{v.Format(time.RFC3339Nano)}
	case []string:
		return []string{defuse(strings.Join(v, " "))}
	case *principal:
		if v == nil {
			return make([]string, 4)
		}
		return []string{defuse(v.ARN), v.Kind, defuse(v.Account), defuse(v.Session)}
	}
	panic(fmt.Errorf("no cell for %T", value)) // only a column of ours can cause it
}

// defuse keeps a spreadsheet from taking text for a formula: what begins like
// one gets an apostrophe in front, which OWASP's page on CSV injection names
// and spreadsheets do not show.
func defuse(s string) string {
	s = authlog.Sanitize(s)
	if strings.IndexAny(s, "=+-@\t\r\n＝＋－＠") == 0 {
		return "'" + s
	}
	return s
}
