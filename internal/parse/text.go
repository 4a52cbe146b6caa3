package parse

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// readText reads what logrus prints when its output is no terminal:
//
//	line   = pair *( SP pair )
//	pair   = key "=" ( bare / quoted )
//	bare   = *( A-Z a-z 0-9 - . _ / @ ^ + )
//	quoted = Go's %q
//
// with time (which may have been dropped on the way), level and msg first and
// the others sorted. Values may be quoted although they need not be.
func (r *Reader) readText(ev *authlog.Event, s string) {
	var whole bool
	ev.Fields, whole = r.pairs(ev.Fields, s)
	rest := ev.Fields
	if len(rest) > 0 && rest[0].Key == "time" {
		ev.Logged = logTime(rest[0].Value)
		rest = rest[1:]
	}
	if len(rest) > 0 && rest[0].Key == "level" {
		ev.Level = rest[0].Value
		rest = rest[1:]
	}
	if len(rest) > 0 && rest[0].Key == "msg" {
		ev.Msg = rest[0].Value
		rest = rest[1:]
	}
	if !whole || !isLevel(ev.Level) || restarts(rest) {
		return
	}
	if kind, last := kindOf(ev.Msg); endsWith(rest, last) {
		ev.Kind = kind
	}
}

// restarts reports whether the head of an entry stands among its other pairs:
// then a line end was lost and two entries stand on one line.
func restarts(fields []authlog.Field) bool {
	for i := range fields {
		switch fields[i].Key {
		case "time", "level", "msg":
			return true
		}
	}
	return false
}

// isLevel knows the names that logrus gives its levels.
func isLevel(s string) bool {
	switch s {
	case "info", "warning", "error", "fatal", "panic", "debug", "trace":
		return true
	}
	return false
}

// bare holds the bytes that keys and bare values are made of.
var bare = func() (t [256]bool) {
	for _, c := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._/@^+" {
		t[c] = true
	}
	return t
}()

// pairs appends the pairs of s to fields until the end or the first fault, and
// reports whether it came to the end.
func (r *Reader) pairs(fields []authlog.Field, s string) (_ []authlog.Field, whole bool) {
	for {
		eq := bareLen(s)
		if eq == 0 || eq == len(s) || s[eq] != '=' {
			return fields, false
		}
		key, rest := s[:eq], s[eq+1:]
		var value string
		if rest != "" && rest[0] == '"' {
			var ok bool
			if value, rest, ok = r.quoted(rest); !ok {
				return fields, false
			}
		} else {
			n := bareLen(rest)
			value, rest = rest[:n], rest[n:]
		}
		if rest != "" && rest[0] != ' ' {
			return fields, false
		}
		fields = append(fields, authlog.Field{Key: key, Value: value})
		if rest == "" {
			return fields, true
		}
		s = rest[1:]
	}
}

// bareLen is the length of the bare text that s begins with.
func bareLen[T string | []byte](s T) int {
	for i := range len(s) {
		if !bare[s[i]] {
			return i
		}
	}
	return len(s)
}

// quoted takes a Go string literal off the front of s.
func (r *Reader) quoted(s string) (value, rest string, ok bool) {
	end := strings.IndexByte(s[1:], '"') + 1
	if end == 0 {
		return "", s, false
	}
	esc := strings.IndexByte(s[:end], '\\')
	if esc < 0 {
		return s[1:end], s[end+1:], true
	}
	return r.unquote(s, esc)
}

// unquote is quoted for a literal whose first backslash stands at s[esc].
func (r *Reader) unquote(s string, esc int) (value, rest string, ok bool) {
	if r.reuse {
		start := len(r.buf)
		r.buf, rest, ok = appendUnquoted(r.buf, s, esc)
		return view(r.buf[start:]), rest, ok
	}
	var buf [768]byte // most values fit, and cost one allocation then
	b := buf[:0]
	if len(s) > len(buf) {
		b = make([]byte, 0, len(s))
	}
	b, rest, ok = appendUnquoted(b, s, esc)
	return string(b), rest, ok
}

// appendUnquoted appends what the literal at the front of s stands for, whose
// first backslash is s[esc].
func appendUnquoted(dst []byte, s string, esc int) (_ []byte, rest string, ok bool) {
	from := 1
	for i := esc; i < len(s); i++ {
		switch s[i] {
		case '"':
			return append(dst, s[from:i]...), s[i+1:], true
		case '\\':
			dst = append(dst, s[from:i]...)
			if dst, from = unescape(dst, s, i); from == 0 {
				return dst, s, false
			}
			i = from - 1
		}
	}
	return dst, s, false
}

// literalEnd finds the quote that ends a literal, from its first backslash on.
func literalEnd(s string, from int) int {
	for i := from; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return -1
}

// unescape appends what the escape at s[i] stands for and returns where the
// text goes on, or 0 where it is no escape.
func unescape(b []byte, s string, i int) ([]byte, int) {
	if i+1 == len(s) {
		return b, 0
	}
	switch c := s[i+1]; c {
	case '"', '\\':
		return append(b, c), i + 2
	case 'n':
		return append(b, '\n'), i + 2
	}
	r, multibyte, rest, err := strconv.UnquoteChar(s[i:], '"')
	if err != nil {
		return b, 0
	}
	if multibyte {
		b = utf8.AppendRune(b, r)
	} else {
		b = append(b, byte(r))
	}
	return b, len(s) - len(rest)
}
