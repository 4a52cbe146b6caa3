package parse

import (
	"strings"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// skim walks over a grant or an STS response without keeping anything. It
// returns KindUnreadable for all that has to be read by others: other lines,
// escapes, faults.
func skim(s string) authlog.Kind {
	const (
		timeLen = len(`time="2006-01-02T15:04:05Z"`)
		granted = ` level=info msg="access granted" `
		sts     = ` level=info msg="STS response" `
	)
	if len(s) < timeLen+len(granted) || s[:6] != `time="` || strings.IndexByte(s[6:timeLen], '"') != timeLen-7 {
		return authlog.KindUnreadable
	}
	var last string
	rest := s[timeLen:]
	kind := authlog.KindGranted
	switch {
	case strings.HasPrefix(rest, granted):
		rest, last = rest[len(granted):], "username"
	case strings.HasPrefix(rest, sts):
		rest, last, kind = rest[len(sts):], "userid", authlog.KindSTSResponse
	default:
		return authlog.KindUnreadable
	}
	if strings.IndexByte(s, '\\') < 0 && skimPairs(rest, last) {
		return kind
	}
	return authlog.KindUnreadable
}

// skimPairs reports whether s is well-formed pairs without escapes, the last
// of which has that key. It says no to keys that would start another entry.
func skimPairs(s, last string) bool {
	for {
		eq := bareLen(s)
		if eq == 0 || eq == len(s) || s[eq] != '=' {
			return false
		}
		key, rest := s[:eq], s[eq+1:]
		if rest != "" && rest[0] == '"' {
			end := strings.IndexByte(rest[1:], '"')
			if end < 0 {
				return false
			}
			rest = rest[end+2:]
		} else {
			rest = rest[bareLen(rest):]
		}
		if rest == "" {
			return key == last
		}
		if rest[0] != ' ' || key == "time" || key == "level" || key == "msg" {
			return false
		}
		s = rest[1:]
	}
}
