package parse

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// readJSON reads an object: an entry of logrus's JSON formatter, or the record
// of a shipper that holds the line (Docker, Fluent Bit, a CloudWatch event, a
// row of an Insights export).
func (r *Reader) readJSON(ev *authlog.Event, s string, depth int) {
	var whole bool
	ev.Fields, whole = members(ev.Fields, s)
	if inner := carried(ev.Fields); inner != "" && depth < maxDepth {
		for i := range ev.Fields {
			if isTimeKey(ev.Fields[i].Key) {
				if t, ok := anyTime(ev.Fields[i].Value); ok {
					found(ev, t)
				}
			}
		}
		ev.Fields = ev.Fields[:0]
		r.read(ev, trim(inner), depth+1)
		if !whole {
			ev.Kind = authlog.KindUnreadable
		}
		return
	}
	readEntry(ev, whole)
}

// readEntry makes an event of the members of a JSON entry, in which time,
// level and msg stand anywhere, but once.
func readEntry(ev *authlog.Event, whole bool) {
	heads, entry := 0, false
	for i := range ev.Fields {
		switch f := &ev.Fields[i]; f.Key {
		case "time":
			ev.Logged = logTime(f.Value)
			heads++
		case "level":
			ev.Level = f.Value
			heads += 4
		case "msg":
			ev.Msg, entry = f.Value, true
			heads += 16
		}
	}
	if whole && entry && isLevel(ev.Level) && heads&^(1|4|16) == 0 {
		ev.Kind, _ = kindOf(ev.Msg)
	}
}

// readMember reads one line of a printed JSON document: the member of an event
// that holds the line, as in
//
//	"message": "time=\"2026-11-23T21:41:59Z\" level=info …",
//
// and as "value" in what aws logs get-query-results prints.
func (r *Reader) readMember(ev *authlog.Event, s string, depth int) bool {
	if !strings.HasPrefix(s, `"`) {
		return false
	}
	key, rest, ok := jsonString(s)
	rest = skipBlanks(rest)
	if !ok || !isLineKey(key) && key != "value" || !strings.HasPrefix(rest, ":") {
		return false
	}
	value, rest, ok := jsonString(skipBlanks(rest[1:]))
	if !begins(value) {
		return false
	}
	r.read(ev, trim(value), depth)
	if rest = skipBlanks(rest); !ok || rest != "" && rest != "," {
		ev.Kind = authlog.KindUnreadable
	}
	return true
}

// carried is the line that a shipper's record holds, or "".
func carried(fields []authlog.Field) string {
	for i := range fields {
		if isLineKey(fields[i].Key) && fields[i].Value != "" {
			return fields[i].Value
		}
	}
	return ""
}

func isLineKey(k string) bool  { return k == "log" || k == "message" || k == "@message" }
func isTimeKey(k string) bool  { return k == "time" || k == "timestamp" || k == "@timestamp" }
func isJSONBlank(c byte) bool  { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }
func trimJSON(s string) string { return strings.TrimLeft(s, " \t\r\n") }

// members appends the members of the object s to fields until its end or the
// first fault, and reports whether s was one whole object. A list of strings
// becomes what fmt prints for it, as in the text form; other values that are
// no strings keep their JSON text.
func members(fields []authlog.Field, s string) (_ []authlog.Field, whole bool) {
	s = trimJSON(s[1:])
	if s == "}" {
		return fields, true
	}
	for {
		if !strings.HasPrefix(s, `"`) {
			return fields, false
		}
		key, rest, ok := jsonString(s)
		rest = trimJSON(rest)
		if !ok || !strings.HasPrefix(rest, ":") {
			return fields, false
		}
		value, rest, ok := jsonValue(trimJSON(rest[1:]))
		if !ok {
			return fields, false
		}
		fields = append(fields, authlog.Field{Key: key, Value: value})
		rest = trimJSON(rest)
		if rest == "}" {
			return fields, true
		}
		if !strings.HasPrefix(rest, ",") {
			return fields, false
		}
		s = trimJSON(rest[1:])
	}
}

// jsonString takes a string off the front of s, which begins with a quote.
func jsonString(s string) (value, rest string, ok bool) {
	end := literalEnd(s, 1)
	if end < 0 {
		return "", s, false
	}
	if strings.IndexByte(s[:end], '\\') < 0 {
		return s[1:end], s[end+1:], true
	}
	value, ok = unescapeJSON(s[:end+1])
	return value, s[end+1:], ok
}

func unescapeJSON(literal string) (value string, ok bool) {
	err := json.Unmarshal([]byte(literal), &value)
	return value, err == nil
}

// jsonValue takes any value off the front of s.
func jsonValue(s string) (value, rest string, ok bool) {
	if strings.HasPrefix(s, `"`) {
		return jsonString(s)
	}
	n := valueLen(s)
	raw, rest := s[:n], s[n:]
	if !json.Valid([]byte(raw)) {
		return "", s, false
	}
	if raw[0] == '[' {
		raw = printList(raw)
	}
	return raw, rest, true
}

// printList prints a list of strings as fmt does, another list as it is.
func printList(raw string) string {
	var list []string
	if json.Unmarshal([]byte(raw), &list) != nil {
		return raw
	}
	return fmt.Sprint(list)
}

// valueLen is the length of the value that s begins with, which is no string.
// Whether it is a value at all is left to others.
func valueLen(s string) int {
	open := 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			end := literalEnd(s, i+1)
			if end < 0 {
				return len(s)
			}
			i = end
		case c == '[' || c == '{':
			open++
		case open == 0 && (c == ',' || c == '}' || isJSONBlank(c)):
			return i
		case c == ']' || c == '}':
			if open--; open == 0 {
				return i + 1
			}
		}
	}
	return len(s)
}
