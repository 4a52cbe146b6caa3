package api

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/go-chi/chi/v5"
	"github.com/rs/zerolog/hlog"
)

// A document is what a route shows.
type document struct {
	mediaType string
	body      []byte
	parts     iter.Seq[[]byte] // a body too long to be held, the same each time; each part is good until the next
	next      string           // where the next page is: a reference for the header Link, or ""
	empty     bool             // a list without any item here or on a following page
}

// all is the body in parts.
func (d *document) all() iter.Seq[[]byte] {
	if d.parts != nil {
		return d.parts
	}
	return func(yield func([]byte) bool) { yield(d.body) }
}

// size is how long the body is.
func (d *document) size() (n int) {
	for part := range d.all() {
		n += len(part)
	}
	return n
}

// An ask is what one route does between reading a request and replying to it:
// it returns what to show, or why there is nothing.
type ask func(r *http.Request, q query) (document, error)

// answer reads the query, refusing parameters that are not known here, asks,
// and replies. The caller may keep the reply but must ask each time whether it
// still holds; 304 says that it does.
func answer(do ask, known ...param) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		q, err := parseQuery(r.URL.RawQuery, known...)
		if err != nil {
			fail(w, r, err)
			return
		}
		doc, err := do(r, q)
		if err != nil {
			fail(w, r, err)
			return
		}
		tag := entityTag(doc.all())
		h := w.Header()
		h.Set("Cache-Control", "private, no-cache")
		h.Set("ETag", tag)
		h.Add("Vary", "Accept")
		if doc.next != "" {
			h.Set("Link", "<"+doc.next+`>; rel="next"`)
		}
		if matches(r.Header.Values("If-None-Match"), tag) {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		reply(w, r, http.StatusOK, doc)
	}
}

// entityTag is a weak one: the same holds for the body when it is compressed.
func entityTag(body iter.Seq[[]byte]) string {
	sum := sha256.New()
	for part := range body {
		sum.Write(part)
	}
	return `W/"` + base64.RawURLEncoding.EncodeToString(sum.Sum(nil)[:15]) + `"`
}

// matches compares weakly, as RFC 9110 13.1.2 wants it. A tag of another's
// making may hold a comma; then it is cut, and is still not ours.
func matches(ifNoneMatch []string, tag string) bool {
	for have := range strings.SplitSeq(strings.Join(ifNoneMatch, ","), ",") {
		have = strings.TrimSpace(have)
		if have == "*" || strings.TrimPrefix(have, "W/") == strings.TrimPrefix(tag, "W/") {
			return true
		}
	}
	return false
}

// jsonDocument encodes v. encoding/json escapes <, > and & and puts U+FFFD for
// bytes that are no UTF-8, so that text of the log does no harm to a reader
// that takes the body for something else.
func jsonDocument(v any) document {
	var body bytes.Buffer
	if err := json.NewEncoder(&body).Encode(v); err != nil {
		panic(fmt.Errorf("encode %T: %w", v, err)) // only a wire type of ours can cause it
	}
	return document{mediaType: "application/json", body: body.Bytes()}
}

func reply(w http.ResponseWriter, r *http.Request, status int, doc document) {
	h := w.Header()
	h.Set("Content-Type", doc.mediaType)
	head := r.Method == http.MethodHead
	if !head || r.Header.Get("Accept-Encoding") == "" {
		// To HEAD it must not be another than to GET, which may be compressed.
		h.Set("Content-Length", strconv.Itoa(doc.size()))
	}
	w.WriteHeader(status)
	if head {
		return
	}
	for part := range doc.all() {
		if _, err := w.Write(part); err != nil {
			hlog.FromRequest(r).Debug().Err(err).Msg("answer not delivered")
			return
		}
	}
}

// pathParam is the decoded part of the path that the route calls name. chi
// routes by the path as it was sent where decoding would change its meaning.
func pathParam(r *http.Request, name string) string {
	v := chi.URLParam(r, name)
	if r.URL.RawPath == "" {
		return v
	}
	decoded, err := url.PathUnescape(v)
	if err != nil {
		return v
	}
	return decoded
}
