// Package parse undoes the grammar of the authenticator's log: it makes an
// authlog.Event of a line. It knows the text that logrus prints, its JSON
// form, the few lines that are neither, and the wrappings in which lines are
// shipped, exported and pasted.
//
// It is pure, keeps no state, and never fails: what it cannot read is
// KindUnreadable, with the pairs that stood before the fault. It must never
// search a line for text that looks like a message, because callers of the API
// server choose part of what stands in error=.
package parse

import (
	"strings"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// Line reads one line. The strings of the result are parts of l.Text where
// nothing had to be unescaped.
func Line(l authlog.Line) authlog.Event {
	ev := authlog.Event{Line: l}
	Into(&ev)
	return ev
}

// Into is Line for a caller that reuses the Event: it reads ev.Text and sets
// everything but ev.Line. The array behind ev.Fields is written anew. It
// allocates only for values and wrappings that have to be unescaped.
//
// Where ev.Time is zero and the wrapping carries a time, ev.Time is set to it.
func Into(ev *authlog.Event) {
	var r Reader
	r.reset(ev)
	r.read(ev, trim(ev.Text), 0)
}

func (r *Reader) reset(ev *authlog.Event) {
	r.buf = r.buf[:0]
	ev.Kind = authlog.KindUnreadable
	ev.Logged = time.Time{}
	ev.Level, ev.Msg = "", ""
	ev.Fields = ev.Fields[:0]
}

// maxDepth limits wrappings inside wrappings: a CSV cell that holds a Docker
// record, or the namespace, pod and container that stern puts before a time.
const maxDepth = 5

// read sorts a line by how it begins.
func (r *Reader) read(ev *authlog.Event, s string, depth int) {
	switch {
	case strings.HasPrefix(s, "time=") || strings.HasPrefix(s, "level="):
		r.readText(ev, s)
	case strings.HasPrefix(s, "{"):
		r.readJSON(ev, s, depth)
	case readPlain(ev, s):
	case depth < maxDepth:
		r.unwrap(ev, s, depth+1)
	}
}

// begins reports whether s begins as an entry does, whatever follows.
func begins(s string) bool {
	return strings.HasPrefix(s, "time=") || strings.HasPrefix(s, "level=") ||
		strings.HasPrefix(s, `{"`) || strings.HasPrefix(s, versionLine) || klogHeader(s) > 0
}

// trim takes away what surrounds a line in files and on clipboards: a byte
// order mark, blanks, line ends, and the " -" that published copies of AWS's
// own examples end with.
func trim(s string) string {
	if s != "" && s[0] > ' ' && s[0] < 0x80 && s[len(s)-1] > ' ' && s[len(s)-1] != '-' {
		return s
	}
	s = strings.Trim(strings.TrimPrefix(s, "\uFEFF"), " \t\r\n")
	return strings.TrimSuffix(s, " -")
}
