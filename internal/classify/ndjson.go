package classify

import (
	"encoding/json"
	"strconv"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/rules"
)

// appendLine appends the object of one line and a line end:
//
//	{"line":1,"time":"…","kind":"denied","reason":"arn_not_mapped","principal":"arn:…"}
//
// with null for what a line does not have, and "file" first where there are
// several inputs. Lines are counted from 1 in each input.
func appendLine(dst []byte, file string, number int64, ev *authlog.Event) []byte {
	dst = append(dst, '{')
	if file != "" {
		dst = append(dst, `"file":`...)
		dst = appendString(dst, file)
		dst = append(dst, ',')
	}
	dst = append(dst, `"line":`...)
	dst = strconv.AppendInt(dst, number, 10)
	dst = append(dst, `,"time":`...)
	dst = appendTime(dst, ev.At())
	dst = append(dst, `,"kind":"`...)
	dst = append(dst, ev.Kind.String()...)
	dst = append(dst, `","reason":`...)
	dst = appendString(dst, rules.Classify(ev))
	dst = append(dst, `,"principal":`...)
	dst = appendString(dst, principal(ev))
	return append(dst, '}', '\n')
}

// principal is the canonical ARN that a line names, or "".
func principal(ev *authlog.Event) string {
	switch ev.Kind {
	case authlog.KindDenied, authlog.KindGranted:
		return ev.Get("arn")
	case authlog.KindSTSResponse:
		arn := ev.Get("arn")
		if canonical, ok := rules.Canonical(arn); ok {
			return canonical
		}
		return arn
	default:
		return ""
	}
}

func appendTime(dst []byte, t time.Time) []byte {
	if t.IsZero() {
		return append(dst, "null"...)
	}
	dst = append(dst, '"')
	dst = t.AppendFormat(dst, time.RFC3339Nano)
	return append(dst, '"')
}

// appendString appends s as JSON, or null for nothing.
func appendString(dst []byte, s string) []byte {
	if s == "" {
		return append(dst, "null"...)
	}
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			return appendEscaped(dst, s)
		}
	}
	dst = append(dst, '"')
	dst = append(dst, s...)
	return append(dst, '"')
}

func appendEscaped(dst []byte, s string) []byte {
	b, err := json.Marshal(s) // replaces what is no UTF-8
	if err != nil {
		return append(dst, "null"...)
	}
	return append(dst, b...)
}
