package parse

import (
	"strings"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// unwrap takes one wrapping off s and reads what is inside. It is anchored at
// the front: the entry must follow at once, so that text inside an entry whose
// front was cut off cannot pass for one.
func (r *Reader) unwrap(ev *authlog.Event, s string, depth int) {
	if t, rest, ok := stamp(s); ok && blank(rest) {
		found(ev, t)
		r.readStamped(ev, skipBlanks(rest), depth)
		return
	}
	if rest, ok := strings.CutPrefix(s, "@message"); ok && begins(skipBlanks(rest)) {
		r.read(ev, skipBlanks(rest), depth)
		return
	}
	if r.readMember(ev, s, depth) || r.readRow(ev, s, depth) {
		return
	}
	if rest, ok := skipName(s); ok {
		r.read(ev, rest, depth)
	}
}

// readStamped reads what follows a time: an S3 export or kubectl logs
// --timestamps have the entry there, a container runtime (CRI) the stream and
// a tag first. The tag P says that the runtime cut the line.
func (r *Reader) readStamped(ev *authlog.Event, s string, depth int) {
	rest, ok := strings.CutPrefix(s, "stderr ")
	if !ok {
		rest, ok = strings.CutPrefix(s, "stdout ")
	}
	switch {
	case ok && strings.HasPrefix(rest, "F "):
		r.read(ev, rest[2:], depth)
	case ok && strings.HasPrefix(rest, "P "):
		r.read(ev, rest[2:], depth)
		ev.Kind = authlog.KindUnreadable
	default:
		r.read(ev, s, depth)
	}
}

// skipName takes one of the words that kubectl logs --prefix, stern and aws
// logs tail put before a line: [pod/name/container], a namespace, a pod, a
// container, a log stream.
func skipName(s string) (rest string, ok bool) {
	n := strings.IndexAny(s, " \t")
	if n <= 0 || strings.ContainsAny(s[:n], `"=,{}\`) {
		return s, false
	}
	return skipBlanks(s[n:]), true
}

// found keeps the time that a wrapping carries.
func found(ev *authlog.Event, t time.Time) {
	if ev.Time.IsZero() {
		ev.Time = t
	}
}

func blank(s string) bool { return s != "" && (s[0] == ' ' || s[0] == '\t') }

func skipBlanks(s string) string { return strings.TrimLeft(s, " \t") }
