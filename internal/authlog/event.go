package authlog

import (
	"strings"
	"time"
)

// A Line is one log event as it was delivered.
type Line struct {
	Cluster  Cluster
	Stream   string
	Time     time.Time // CloudWatch's event time, milliseconds
	Ingested time.Time // when CloudWatch took it in; zero when not known
	Text     string    // the very bytes; chosen in part by whoever calls the API server
}

// Kind says what sort of line an Event was read from.
type Kind uint8

// The kinds. Their names are part of the API: see Kind.String.
const (
	KindUnreadable       Kind = iota // not the authenticator's grammar, or cut
	KindDenied                       // msg="access denied": one refused request
	KindGranted                      // msg="access granted"
	KindSTSResponse                  // msg="STS response": who the next denial or grant of the client is
	KindMalformedRequest             // a webhook call that was no TokenReview
	KindMarker                       // tells of the configuration: aws-auth read or broken, restarts
	KindOther                        // anything else that could be read
)

var kindNames = [...]string{
	KindUnreadable:       "unreadable",
	KindDenied:           "denied",
	KindGranted:          "granted",
	KindSTSResponse:      "sts_response",
	KindMalformedRequest: "malformed_request",
	KindMarker:           "marker",
	KindOther:            "other",
}

// Kinds lists all kinds in order.
func Kinds() []Kind {
	return []Kind{KindUnreadable, KindDenied, KindGranted, KindSTSResponse, KindMalformedRequest, KindMarker, KindOther}
}

// String gives the kind's name as metrics and the API spell it.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "unknown"
}

// An Event is a line with its grammar undone. The strings of Fields are parts
// of the line's text where nothing had to be unescaped; they may hold invalid
// UTF-8, see Sanitize.
type Event struct {
	Line
	Kind   Kind
	Logged time.Time // the line's own time=, whole seconds; zero when it has none
	Level  string    // panic, fatal, error, warning, info, debug, trace; empty when not given
	Msg    string
	Fields []Field // every pair in the order of the line, time, level and msg included
}

// A Field is one key and its unescaped value.
type Field struct{ Key, Value string }

// Get returns the value of the first field of that key, or "".
func (e *Event) Get(key string) string {
	for i := range e.Fields {
		if e.Fields[i].Key == key {
			return e.Fields[i].Value
		}
	}
	return ""
}

// At is when the event happened: the time that the line itself carries, or
// CloudWatch's where it carries none.
func (e *Event) At() time.Time {
	if e.Logged.IsZero() {
		return e.Time
	}
	return e.Logged
}

// Sanitize returns s with each run of bytes that are no UTF-8 replaced by
// U+FFFD, so that it can stand in JSON, in SQL text and in a label.
func Sanitize(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }
