package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/go-chi/chi/v5"
	"github.com/rs/zerolog/hlog"
)

// An ask is what one route does between reading a request and replying to it:
// it returns the wire type to show, or why there is none.
type ask func(r *http.Request, q query) (any, error)

// answer reads the query, refusing parameters that are not known here, asks,
// and replies.
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
		replyJSON(w, r, doc)
	}
}

// replyJSON answers 200 with doc.
func replyJSON(w http.ResponseWriter, r *http.Request, doc any) {
	reply(w, r, http.StatusOK, "application/json", doc)
}

// reply writes doc as JSON of the given media type. encoding/json escapes <, >
// and & and puts U+FFFD for bytes that are no UTF-8, so that text of the log
// does no harm to a reader that takes the body for something else.
func reply(w http.ResponseWriter, r *http.Request, status int, mediaType string, doc any) {
	var body bytes.Buffer
	if err := json.NewEncoder(&body).Encode(doc); err != nil {
		panic(fmt.Errorf("encode %T: %w", doc, err)) // only a wire type of ours can cause it
	}
	h := w.Header()
	h.Set("Content-Type", mediaType)
	h.Set("Content-Length", strconv.Itoa(body.Len()))
	w.WriteHeader(status)
	if r.Method == http.MethodHead {
		return
	}
	if _, err := w.Write(body.Bytes()); err != nil {
		hlog.FromRequest(r).Debug().Err(err).Msg("answer not delivered")
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
