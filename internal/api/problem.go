package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/go-chi/chi/v5"
	"github.com/rs/zerolog/hlog"
)

// A problemType is a kind of refusal that a program may want to tell from
// others. Its URI is /problems/ and the name, is stable, and can be fetched.
type problemType struct {
	Name   string
	Status int
	Title  string
	Help   string // what it means and what to do
}

// The types. A failure that is none of them has the type about:blank: its
// status says all there is to say.
var (
	badParameter = problemType{
		Name: "bad-parameter", Status: http.StatusBadRequest, Title: "Bad parameter",
		Help: "The member parameter names a query parameter that is unknown, given twice, malformed or at odds with another; detail says what is wanted instead.",
	}
	unknownCluster = problemType{
		Name: "unknown-cluster", Status: http.StatusNotFound, Title: "Unknown cluster",
		Help: "No cluster of that name was ever read. GET /clusters lists those that were.",
	}
	ambiguousCluster = problemType{
		Name: "ambiguous-cluster", Status: http.StatusConflict, Title: "Ambiguous cluster",
		Help: "Several clusters, in other accounts or regions, have that name. Add the parameters account and region.",
	}
	unknownPrincipal = problemType{
		Name: "unknown-principal", Status: http.StatusNotFound, Title: "Unknown principal",
		Help: "No cluster granted or denied a request of that ARN, or it is too long ago. The ARN must be written as the log has it: a role without its path, and without the session.",
	}
	unknownDiagnosis = problemType{
		Name: "unknown-diagnosis", Status: http.StatusNotFound, Title: "Unknown diagnosis",
		Help: "There is no diagnosis of that id, or it was resolved too long ago. GET /diagnoses?state=all lists all.",
	}
	unknownCode = problemType{
		Name: "unknown-code", Status: http.StatusNotFound, Title: "Unknown code",
		Help: "The catalogue of diagnoses has no such code. GET /catalogue/diagnoses lists all codes.",
	}
	tooMuchText = problemType{
		Name: "too-much-text", Status: http.StatusRequestEntityTooLarge, Title: "Too much text",
		Help: "The body has more bytes than are read. Of what is to be explained paste the lines that matter: one refusal is enough. A larger aws-auth is checked by analyzer lint aws-auth.",
	}
	unknownReason = problemType{
		Name: "unknown-reason", Status: http.StatusNotFound, Title: "Unknown reason",
		Help: "The catalogue has no such code. GET /reasons lists all codes.",
	}
	unknownProblem = problemType{
		Name: "unknown-problem", Status: http.StatusNotFound, Title: "Unknown problem type",
		Help: "There is no problem type of that name.",
	}
)

func problemTypes() []problemType {
	return []problemType{
		badParameter, unknownCluster, ambiguousCluster, unknownPrincipal, unknownDiagnosis, unknownCode, unknownReason, unknownProblem,
		tooMuchText,
	}
}

func (t problemType) uri() string { return "/problems/" + t.Name }

// A refusal is an answer other than 200 that we chose to give. Its detail is
// meant for the caller.
type refusal struct {
	problemType
	Detail    string
	Parameter string // the query parameter at fault, where there is one
}

func (r *refusal) Error() string { return r.Detail }

func refuse(t problemType, format string, args ...any) error {
	return &refusal{problemType: t, Detail: fmt.Sprintf(format, args...)}
}

// refuseParameter names the query parameter at fault; the detail reads on from
// that name.
func refuseParameter(name, format string, args ...any) error {
	return &refusal{
		problemType: badParameter,
		Detail:      "parameter " + name + " " + fmt.Sprintf(format, args...),
		Parameter:   name,
	}
}

// plain is a refusal that its status explains.
func plain(status int, detail string) *refusal {
	return &refusal{problemType: problemType{Status: status, Title: http.StatusText(status)}, Detail: detail}
}

func noRoute(r *http.Request) error {
	return plain(http.StatusNotFound, "there is nothing at "+r.URL.EscapedPath()+"; the page at / lists what there is")
}

// methodNotAllowed answers what the router takes for a method that the path does
// not have: a method that it does not know itself is one wherever it is sent.
func methodNotAllowed(w http.ResponseWriter, r *http.Request) {
	allow := strings.Join(allowed(r), ", ")
	if allow == "" {
		fail(w, r, noRoute(r))
		return
	}
	w.Header().Set("Allow", allow)
	fail(w, r, plain(http.StatusMethodNotAllowed, r.URL.EscapedPath()+" answers to "+allow+" only"))
}

// allowed lists the methods that the path of r answers to.
func allowed(r *http.Request) []string {
	path := r.URL.RawPath
	if path == "" {
		path = r.URL.Path
	}
	var methods []string
	for _, m := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete} {
		if chi.RouteContext(r.Context()).Routes.Match(chi.NewRouteContext(), m, path) {
			methods = append(methods, m)
		}
	}
	return methods
}

// statusCallerLeft is what nginx calls a request whose caller closed the
// connection before the answer. Nobody receives it; the metrics show it.
const statusCallerLeft = 499

// fail answers with a problem document. What is not a refusal is logged, and
// the caller is told no more than that it happened.
func fail(w http.ResponseWriter, r *http.Request, err error) {
	ref, ok := errors.AsType[*refusal](err)
	// A body that stalls ends the context too, and its caller still listens.
	if left := errors.Is(r.Context().Err(), context.Canceled); left && (!ok || ref.Status != http.StatusRequestTimeout) {
		w.WriteHeader(statusCallerLeft)
		return
	}
	if !ok {
		ref = internal(r, err)
		hlog.FromRequest(r).Error().Err(err).Str("path", r.URL.Path).Int("status", ref.Status).Msg("request failed")
	} else {
		audit(r, ref)
	}
	doc := problem{
		Type: "about:blank", Title: ref.Title, Status: ref.Status, Detail: ref.Detail,
		Instance: r.URL.EscapedPath(), Parameter: ref.Parameter,
	}
	if ref.Name != "" {
		doc.Type = ref.uri()
	}
	w.Header().Set("Cache-Control", "no-store")
	body := jsonDocument(doc)
	body.mediaType = "application/problem+json"
	reply(w, r, ref.Status, body)
}

// internal is what the caller learns of a failure that is ours.
func internal(r *http.Request, err error) *refusal {
	see := "the service's log has the cause"
	if id, ok := hlog.IDFromRequest(r); ok {
		see += " under request_id " + id.String()
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return plain(http.StatusServiceUnavailable, "the answer took too long; ask for less or try again; "+see)
	}
	return plain(http.StatusInternalServerError, see)
}

func showProblemType(r *http.Request, _ query) (document, error) {
	name := pathParam(r, "type")
	for _, t := range problemTypes() {
		if t.Name == name {
			return jsonDocument(problemTypeDoc{Type: t.uri(), Title: t.Title, Status: t.Status, Help: t.Help}), nil
		}
	}
	return document{}, refuse(unknownProblem, "there is no problem type named %q", name)
}
