package parse

import (
	"bytes"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// Skim tells a grant or an STS response for a caller that needs no more of
// them than their kind: it walks over the line and keeps nothing. It reports
// false for every other line, and for these two where they hold escapes, have
// faults, or are wrapped other than by an export to S3; Into must read those.
// Where it reports true, Into would find the same kind.
func Skim(line []byte) (authlog.Kind, bool) {
	const (
		stampLen = len(`time="2006-01-02T15:04:05Z"`)
		granted  = ` level=info msg="access granted" `
		sts      = ` level=info msg="STS response" `
	)
	line = skipStamp(line)
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
	}
	if len(line) < stampLen+len(granted) || string(line[:6]) != `time="` || bytes.IndexByte(line[6:stampLen], '"') != stampLen-7 {
		return authlog.KindUnreadable, false
	}
	rest := line[stampLen:]
	kind, last := authlog.KindGranted, "username"
	switch {
	case string(rest[:len(granted)]) == granted:
		rest = rest[len(granted):]
	case string(rest[:len(sts)]) == sts:
		kind, last = authlog.KindSTSResponse, "userid"
		rest = rest[len(sts):]
	default:
		return authlog.KindUnreadable, false
	}
	return kind, bytes.IndexByte(line, '\\') < 0 && skimPairs(rest, last)
}

// skipStamp takes the time of an S3 export off the front of a line.
func skipStamp(line []byte) []byte {
	const stampLen = len("2006-01-02T15:04:05.000Z ")
	if len(line) < stampLen || line[stampLen-2] != 'Z' || line[stampLen-1] != ' ' {
		return line
	}
	for _, c := range line[:stampLen-2] {
		if (c < '0' || c > '9') && c != '-' && c != ':' && c != '.' && c != 'T' {
			return line
		}
	}
	return line[stampLen:]
}

// skimPairs reports whether s is well-formed pairs without escapes, the last
// of which has that key. It says no to keys that would start another entry.
func skimPairs(s []byte, last string) bool {
	const usual = "method=POST path=/authenticate " // in every line there is
	i := 0
	for {
		if i+len(usual) < len(s) && s[i] == 'm' && string(s[i:i+len(usual)]) == usual {
			i += len(usual)
		}
		key := i
		for i < len(s) && bare[s[i]] {
			i++
		}
		eq := i
		if eq == key || eq == len(s) || s[eq] != '=' {
			return false
		}
		i++
		if i < len(s) && s[i] == '"' {
			end := bytes.IndexByte(s[i+1:], '"')
			if end < 0 {
				return false
			}
			i += end + 2
		} else {
			for i < len(s) && bare[s[i]] {
				i++
			}
		}
		if i == len(s) {
			return string(s[key:eq]) == last
		}
		if s[i] != ' ' || isHead(s[key:eq]) {
			return false
		}
		i++
	}
}
