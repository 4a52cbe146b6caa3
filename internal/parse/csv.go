package parse

import (
	"strings"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// readRow reads a row of a CSV export (Logs Insights, the console): the cell
// that begins as an entry does is the line, a cell that is a time gives it, all
// others are passed over. An entry has quotes in it, so its cell has them around
// it. It reports false when s is no such row.
func (r *Reader) readRow(ev *authlog.Event, s string, depth int) bool {
	if isHeader(s) {
		ev.Kind = authlog.KindOther
		return true
	}
	var entry string
	var at time.Time
	rest, more, whole := s, true, true
	for more {
		var value string
		var ok bool
		enclosed := strings.HasPrefix(rest, `"`)
		if value, rest, more, ok = cell(rest); !ok {
			whole = false
		}
		if t, ok := anyTime(value); ok {
			at = t
		}
		if entry == "" && enclosed && begins(value) {
			entry = value
		}
		more = more && whole
	}
	if entry == "" {
		return false
	}
	found(ev, at)
	r.read(ev, trim(entry), depth)
	if !whole {
		ev.Kind = authlog.KindUnreadable
	}
	return true
}

// isHeader knows the first row of an export, which names its columns.
func isHeader(s string) bool {
	if strings.ContainsAny(s, `" =`) {
		return false
	}
	return strings.HasPrefix(s, "@timestamp,") || strings.HasPrefix(s, "@message,") ||
		strings.HasSuffix(s, ",@message") || s == "timestamp,message"
}

// cell takes one cell and the comma after it. It reports false for a quoted
// cell that does not end, or not at a comma.
func cell(s string) (value, rest string, more, ok bool) {
	if s == "" || s[0] != '"' {
		value, rest, more = strings.Cut(s, ",")
		return value, rest, more, true
	}
	end, doubled := 1, false
	for {
		i := strings.IndexByte(s[end:], '"')
		if i < 0 {
			return undouble(s[1:], true), "", false, false
		}
		end += i
		if end+1 >= len(s) || s[end+1] != '"' {
			break
		}
		doubled = true
		end += 2
	}
	value, rest = undouble(s[1:end], doubled), s[end+1:]
	if rest == "" {
		return value, "", false, true
	}
	return value, rest[1:], true, rest[0] == ','
}

func undouble(s string, doubled bool) string {
	if !doubled {
		return s
	}
	return strings.ReplaceAll(s, `""`, `"`)
}
