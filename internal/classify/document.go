package classify

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// isDocument reports whether an input that begins so is one JSON document (or
// several) that holds many lines, as the aws command, the console and
// subscriptions write them, rather than lines that may be JSON each.
func isDocument(head []byte) bool {
	head = bytes.TrimLeft(head, " \t\r\n")
	if len(head) == 0 {
		return false
	}
	if head[0] == '[' {
		next := bytes.TrimLeft(head[1:], " \t\r\n")
		return len(next) == 0 || next[0] == '{' || next[0] == '[' || next[0] == ']'
	}
	key, ok := bytes.CutPrefix(bytes.TrimLeft(bytes.TrimPrefix(head, []byte("{")), " \t\r\n"), []byte(`"`))
	if head[0] != '{' || !ok {
		return false
	}
	name, _, _ := bytes.Cut(key, []byte(`"`))
	switch string(name) {
	case "events", // filter-log-events, get-log-events
		"results", "queryLanguage", // get-query-results
		"messageType": // a subscription
		return true
	}
	return false
}

// maxValue is how much of a document one value may take.
const maxValue = 4 << 20

var errLongValue = errors.New("a value in the JSON document is longer than 4 MiB")

// A document gives the messages of JSON documents as lines, each with its time
// before it as in an export to S3. A message is the string member "message" or
// "@message" of an object, with "timestamp" or "@timestamp" beside it; or, as
// in the rows of get-query-results, the "value" of a "field" "@message".
type document struct {
	dec  *json.Decoder
	read int64 // bytes that dec has taken
	src  io.Reader

	open []scope
	row  event // of the innermost list
	out  bytes.Buffer
}

// A scope is an object or a list that is not closed yet.
type scope struct {
	list         bool
	key          string // of the member that comes next; "" where a key comes next
	event        event
	field, value string
}

// An event is a message and when it was delivered.
type event struct{ message, at string }

func newDocument(r io.Reader) *document {
	d := &document{src: r}
	d.dec = json.NewDecoder(readerFunc(d.feed))
	d.dec.UseNumber()
	return d
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }

// feed is what the decoder reads from. The decoder keeps a value until it has
// all of it, so this is where its memory is bounded.
func (d *document) feed(b []byte) (int, error) {
	if d.read-d.dec.InputOffset() > maxValue {
		return 0, errLongValue
	}
	n, err := d.src.Read(b)
	d.read += int64(n)
	return n, err
}

// Read implements io.Reader.
func (d *document) Read(b []byte) (int, error) {
	for d.out.Len() == 0 {
		if err := d.token(); err != nil {
			return 0, err
		}
	}
	return d.out.Read(b)
}

// token takes the next token.
func (d *document) token() error {
	tok, err := d.dec.Token()
	if errors.Is(err, io.EOF) && len(d.open) > 0 {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		if errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return io.EOF
		}
		return fmt.Errorf("JSON document, byte %d: %w", d.dec.InputOffset(), err)
	}
	switch v := tok.(type) {
	case json.Delim:
		d.bracket(v)
	case string:
		d.text(v)
	case json.Number:
		d.text(v.String())
	default:
		d.text("")
	}
	return nil
}

func (d *document) bracket(b json.Delim) {
	if b == '{' || b == '[' {
		d.open = append(d.open, scope{list: b == '['})
		return
	}
	top := d.open[len(d.open)-1]
	d.open = d.open[:len(d.open)-1]
	if len(d.open) > 0 {
		d.open[len(d.open)-1].key = ""
	}
	switch {
	case top.list:
		d.emit(d.row)
		d.row = event{}
	case top.field != "":
		d.row.set(top.field, top.value)
	default:
		d.emit(top.event)
	}
}

// text takes a string, a number, or "" for another plain value.
func (d *document) text(s string) {
	if len(d.open) == 0 || d.open[len(d.open)-1].list {
		return
	}
	top := &d.open[len(d.open)-1]
	switch top.key {
	case "":
		top.key = s
		return
	case "field":
		top.field = s
	case "value":
		top.value = s
	default:
		top.event.set(top.key, s)
	}
	top.key = ""
}

func (e *event) set(key, value string) {
	switch key {
	case "message", "@message":
		e.message = value
	case "timestamp", "@timestamp":
		e.at = value
	}
}

// emit writes a message as a line, or as lines where it has several.
func (d *document) emit(e event) {
	if e.message == "" {
		return
	}
	for line := range strings.Lines(strings.TrimRight(e.message, "\r\n")) {
		if at := isoTime(e.at); at != "" {
			d.out.WriteString(at)
			d.out.WriteByte(' ')
		}
		d.out.WriteString(strings.TrimRight(line, "\r\n"))
		d.out.WriteByte('\n')
	}
}

// isoTime makes RFC 3339 of milliseconds since 1970 or of Insights' own form.
func isoTime(s string) string {
	if ms, err := strconv.ParseInt(s, 10, 64); err == nil {
		return time.UnixMilli(ms).UTC().Format(time.RFC3339Nano)
	}
	if t, err := time.Parse("2006-01-02 15:04:05", s); err == nil {
		return t.Format(time.RFC3339Nano)
	}
	return ""
}
