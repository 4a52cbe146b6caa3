package api

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/elnormous/contenttype"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// maxPasted is how much text POST /explain takes, in bytes.
const maxPasted = 256 << 10

// A Pasted is what someone wants explained, and what they know besides. All
// but Text may be zero.
type Pasted struct {
	Text    string // valid UTF-8
	Cluster authlog.Cluster
	Mode    authlog.AuthMode
	Now     time.Time
}

// An Explainer answers pasted text. It keeps nothing of it, and is safe to
// share.
type Explainer interface {
	Explain(p Pasted) Explanation
}

// An Explanation is an answer in each of its forms. The JSON is one object, as
// the OpenAPI document describes it.
type Explanation interface {
	WriteJSON(w io.Writer) error
	WriteText(w io.Writer) error
	WriteMarkdown(w io.Writer) error
}

func explainParams() []param {
	return []param{{name: "cluster"}, {name: "account"}, {name: "region"}, {name: "mode"}}
}

// explain answers what was pasted. Nothing of it is stored or logged.
func explain(cfg *Config) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		doc, err := cfg.explanation(r)
		if err != nil {
			fail(w, r, err)
			return
		}
		w.Header().Add("Vary", "Accept")
		reply(w, r, http.StatusOK, doc)
	}
}

func (cfg *Config) explanation(r *http.Request) (doc document, err error) {
	if cfg.Explainer == nil {
		return doc, plain(http.StatusNotImplemented, "this service does not explain")
	}
	q, err := parseQuery(r.URL.RawQuery, explainParams()...)
	if err != nil {
		return doc, err
	}
	p, err := q.pasted()
	if err != nil {
		return doc, err
	}
	mediaType, err := explanationForm(r)
	if err != nil {
		return doc, err
	}
	if p.Text, err = pastedText(r); err != nil {
		return doc, err
	}
	p.Now = cfg.Now().UTC()
	answer := cfg.Explainer.Explain(p)
	write := answer.WriteJSON
	switch mediaType {
	case "text/plain":
		write = answer.WriteText
	case "text/markdown":
		write = answer.WriteMarkdown
	}
	var body bytes.Buffer
	err = write(&body)
	if strings.HasPrefix(mediaType, "text/") {
		mediaType += "; charset=utf-8"
	}
	return document{mediaType: mediaType, body: body.Bytes()}, err
}

func (q query) pasted() (p Pasted, err error) {
	p.Cluster = authlog.Cluster{Name: q.get("cluster"), Account: q.get("account"), Region: q.get("region")}
	switch p.Mode = authlog.AuthMode(q.get("mode")); p.Mode {
	case "", authlog.ModeAPI, authlog.ModeBoth, authlog.ModeConfigMap:
	default:
		return p, refuseParameter("mode", "must be API, API_AND_CONFIG_MAP or CONFIG_MAP, not %q", p.Mode)
	}
	return p, q.accountAndRegion()
}

func explanationForm(r *http.Request) (string, error) {
	offered := []string{"application/json", "text/plain", "text/markdown"}
	accept := strings.Join(r.Header.Values("Accept"), ",")
	if accept == "" {
		return offered[0], nil
	}
	var types []contenttype.MediaType
	for _, o := range offered {
		types = append(types, contenttype.NewMediaType(o))
	}
	chosen, _, err := contenttype.GetAcceptableMediaTypeFromHeader(accept, types)
	if err != nil {
		return "", plain(http.StatusNotAcceptable, "Accept: "+accept+" asks for none of "+strings.Join(offered, ", "))
	}
	return chosen.MIME(), nil
}

// pastedText reads the body, whatever it is declared as: people paste with
// tools that call it a form.
func pastedText(r *http.Request) (string, error) {
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxPasted))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return "", refuse(tooMuchText, "the text has more than %d bytes; paste the lines of the refusal alone", maxPasted)
	}
	if err != nil {
		return "", plain(http.StatusBadRequest, "the text could not be read to its end")
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return "", plain(http.StatusBadRequest, "the body is empty; it must be the text to explain: lines of the authenticator's log, or what kubectl said")
	}
	if !utf8.Valid(body) {
		return authlog.Sanitize(string(body)), nil
	}
	return string(body), nil
}
