package api_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/eks-authlog/eks-authlog/internal/api"
	"github.com/eks-authlog/eks-authlog/internal/feed"
)

// feedOf runs a feed of the store until the test, or what calls stop, ends it.
func feedOf(t *testing.T, st feed.Store, cfg feed.Config) (f *feed.Feed, stop func()) {
	t.Helper()
	cfg.Interval = 2 * time.Millisecond
	f = feed.New(cfg, st, api.Frame, zerolog.Nop())
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.Run(ctx)
	}()
	stop = func() {
		cancel()
		<-done
	}
	t.Cleanup(stop)
	return f, stop
}

// An event is a server-sent one, or a comment.
type event struct{ id, name, data, comment string }

// A stream is one that a reader holds open.
type stream struct {
	t    *testing.T
	body io.ReadCloser
	rd   *bufio.Reader
	id   string // the last one, as a browser keeps it
}

// stream begins to read, with headers given as name and value by turns.
func (s *service) stream(t *testing.T, query string, headers ...string) *stream {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/stream"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	for pair := range slices.Chunk(headers, 2) {
		req.Header.Add(pair[0], pair[1])
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "text/event-stream" || res.Header.Get("Content-Encoding") != "" {
		t.Fatalf("%d %v", res.StatusCode, res.Header)
	}
	st := &stream{t: t, body: res.Body, rd: bufio.NewReader(res.Body)}
	if hello := st.next(); hello.id == "" || hello.data != "" {
		t.Fatalf("a stream begins with %+v", hello)
	}
	return st
}

// next is the next block of lines. At the end of the stream it is zero.
func (s *stream) next() event {
	s.t.Helper()
	e, err := readEvent(s.rd)
	if err != nil && !errors.Is(err, io.EOF) {
		s.t.Fatal(err)
	}
	if e.id != "" {
		s.id = e.id
	}
	return e
}

// want reads so many events, comments left out.
func (s *stream) want(n int) (found []event) {
	s.t.Helper()
	for len(found) < n {
		e := s.next()
		if e == (event{}) {
			s.t.Fatalf("the stream ended after %+v", found)
		}
		if e.comment == "" {
			found = append(found, e)
		}
	}
	return found
}

func readEvent(rd *bufio.Reader) (e event, err error) {
	for {
		line, err := rd.ReadString('\n')
		if err != nil {
			return event{}, err
		}
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case line == "\n":
			return e, nil
		case name == "":
			e.comment = value
		case name == "id":
			e.id = value
		case name == "event":
			e.name = value
		case name == "data":
			e.data += value
		}
	}
}

// firstEvent reads up to the first empty line: a stream has no end.
func firstEvent(r io.Reader) ([]byte, error) {
	var body []byte
	rd := bufio.NewReader(r)
	for !bytes.HasSuffix(body, []byte("\n\n")) {
		line, err := rd.ReadBytes('\n')
		body = append(body, line...)
		switch {
		case errors.Is(err, io.EOF):
			return body, nil
		case err != nil:
			return body, err
		}
	}
	return body, nil
}

// checkEvents holds the data of events to the document.
func checkEvents(t *testing.T, body []byte) {
	t.Helper()
	doc, err := strict()
	if err != nil {
		t.Fatal(err)
	}
	rd := bufio.NewReader(bytes.NewReader(body))
	for {
		e, err := readEvent(rd)
		if err != nil {
			return
		}
		if e.data == "" {
			continue
		}
		schema := map[string]string{
			"denial": "Denial", "diagnosis_opened": "Lockout", "diagnosis_resolved": "Lockout", "gap": "StreamNotice", "dropped": "StreamNotice",
		}[e.name]
		if schema == "" {
			t.Errorf("the event %q is not documented", e.name)
			continue
		}
		checkBody(t, doc.Components.Schemas[schema].Value, []byte(e.data))
	}
}

// raws are what the events say of the lines, in short: their names, and of
// denials the end of the error.
func short(events []event) (list []string) {
	for _, e := range events {
		var d struct{ Error, Code string }
		if json.Unmarshal([]byte(e.data), &d) != nil {
			d.Error = "no JSON"
		}
		list = append(list, strings.TrimSpace(e.name+" "+d.Error+d.Code))
	}
	return list
}
