package api

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// maxPasted is how much text POST /explain and /lint/aws-auth take, in bytes.
const maxPasted = 256 << 10

// A Pasted is what someone wants explained, and what they know besides. All
// but Text may be zero.
type Pasted struct {
	Text    string // valid UTF-8
	Cluster authlog.Cluster
	Mode    authlog.AuthMode
	Now     time.Time
	// AWSAuth is the aws-auth ConfigMap of the cluster, and AccessEntries what
	// the AWS CLI says of its access entries; valid UTF-8.
	AWSAuth, AccessEntries string
}

// An Explainer answers pasted text. It keeps nothing of it, and is safe to
// share. Its error is that AWSAuth or AccessEntries cannot be read, and is told
// to the caller.
type Explainer interface {
	Explain(p Pasted) (Explanation, error)
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
	mediaType, err := formFor(r, "application/json", "text/plain", "text/markdown")
	if err != nil {
		return doc, err
	}
	if err := p.read(r); err != nil {
		return doc, err
	}
	p.Now = cfg.Now().UTC()
	answer, err := cfg.Explainer.Explain(p)
	if err != nil {
		return doc, plain(http.StatusBadRequest, err.Error())
	}
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
	if p.Mode, err = q.mode(); err != nil {
		return p, err
	}
	return p, q.accountAndRegion()
}

func (q query) mode() (authlog.AuthMode, error) {
	switch m := authlog.AuthMode(q.get("mode")); m {
	case "", authlog.ModeAPI, authlog.ModeBoth, authlog.ModeConfigMap:
		return m, nil
	default:
		return "", refuseParameter("mode", "must be API, API_AND_CONFIG_MAP or CONFIG_MAP, not %q", m)
	}
}

// read takes the text from the body: all of it, or the parts of a form with
// files (multipart/form-data, what curl -F sends).
func (p *Pasted) read(r *http.Request) (err error) {
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/form-data" {
		p.Text, err = pastedText(r)
		return err
	}
	body, err := pastedText(r)
	if err != nil {
		return err
	}
	parts := multipart.NewReader(strings.NewReader(body), params["boundary"])
	into := map[string]*string{"text": &p.Text, "aws_auth": &p.AWSAuth, "access_entries": &p.AccessEntries}
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return plain(http.StatusBadRequest, "the body is no multipart/form-data")
		}
		field, known := into[part.FormName()]
		if !known {
			return plain(http.StatusBadRequest, fmt.Sprintf("the form has a part %q; known are text, aws_auth and access_entries", part.FormName()))
		}
		text, err := io.ReadAll(part)
		if err != nil {
			return plain(http.StatusBadRequest, "the body is no multipart/form-data")
		}
		*field = string(text)
	}
	if strings.TrimSpace(p.Text) == "" {
		return plain(http.StatusBadRequest, "the form has no part text; it must be what is to be explained: lines of the authenticator's log, or what kubectl said")
	}
	return nil
}

// uncoded refuses a body that is compressed or the like, which would be taken for
// the text itself.
func uncoded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for coding := range strings.SplitSeq(strings.Join(r.Header.Values("Content-Encoding"), ","), ",") {
			if coding = strings.TrimSpace(coding); coding != "" && !strings.EqualFold(coding, "identity") {
				w.Header().Set("Accept-Encoding", "identity") // RFC 9110 15.5.16
				fail(w, r, plain(http.StatusUnsupportedMediaType, "the body is taken as it is: send it without Content-Encoding"))
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// pastedText reads the text to explain.
func pastedText(r *http.Request) (string, error) {
	body, err := bodyOf(r, "paste the lines of the refusal alone",
		"the text to explain: lines of the authenticator's log, or what kubectl said")
	return authlog.Sanitize(string(body)), err
}

// bodyOf reads the body, whatever it is declared as: people paste with tools
// that call it a form. A refusal says what to do about one that is too large,
// or what it must be.
func bodyOf(r *http.Request, shorten, wanted string) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxPasted))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return nil, refuse(tooMuchText, "the body has more than %d bytes; %s", maxPasted, shorten)
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, plain(http.StatusRequestTimeout, "the body did not arrive in time")
	case err != nil:
		return nil, plain(http.StatusBadRequest, "the body could not be read to its end")
	case len(bytes.TrimSpace(body)) == 0:
		return nil, plain(http.StatusBadRequest, "the body is empty; it must be "+wanted)
	}
	return body, nil
}
