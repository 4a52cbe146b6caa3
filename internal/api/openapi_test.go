package api_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/go-chi/chi/v5"
	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"github.com/eks-authlog/eks-authlog/internal/diagnose"
	"github.com/eks-authlog/eks-authlog/internal/rules"
)

func load(t *testing.T, text []byte) *openapi3.T {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// strict is the document in which no object may have a member that is not
// listed, and a denial must have them all.
var strict = sync.OnceValues(func() (*openapi3.T, error) {
	text, err := os.ReadFile("openapi.yaml")
	if err != nil {
		return nil, err
	}
	doc, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		return nil, err
	}
	for _, s := range doc.Components.Schemas {
		if s.Value.Type.Is("object") {
			s.Value.AdditionalProperties = openapi3.BoolSchema{Has: new(false)}
		}
	}
	return doc, nil
})

// checkDocumented fails for an answer that the document does not tell of: its
// status, media type, headers, and every member of its body.
func checkDocumented(t *testing.T, mux *chi.Mux, req *http.Request, r reply) {
	t.Helper()
	doc, err := strict()
	if err != nil {
		t.Fatal(err)
	}
	if r.status == http.StatusRequestHeaderFieldsTooLarge {
		return // net/http's own
	}
	route := chi.NewRouteContext()
	if !mux.Match(route, req.Method, req.URL.EscapedPath()) {
		if !slices.Contains([]int{http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusUnauthorized, http.StatusTooManyRequests}, r.status) {
			t.Errorf("%s %s: status %d where there is no route", req.Method, req.URL, r.status)
		}
		checkBody(t, doc.Components.Schemas["Problem"].Value, r.body)
		return
	}
	op := operation(doc, route.RoutePattern(), req.Method)
	if op == nil {
		t.Errorf("%s %s is not documented", req.Method, route.RoutePattern())
		return
	}
	documented := op.Responses.Status(r.status)
	if documented == nil {
		t.Errorf("%s: status %d is not documented", route.RoutePattern(), r.status)
		return
	}
	for name, h := range documented.Value.Headers {
		if v := r.header.Get(name); v != "" {
			if err := h.Value.Schema.Value.VisitJSON(v, openapi3.EnableJSONSchema2020()); err != nil {
				t.Errorf("%s: header %s: %s: %v", req.URL, name, v, err)
			}
		}
	}
	for _, name := range []string{"ETag", "Link", "Request-Id"} {
		if r.header.Get(name) != "" && documented.Value.Headers[name] == nil {
			t.Errorf("%s: header %s is not documented for %d", route.RoutePattern(), name, r.status)
		}
	}
	if len(r.body) > 0 {
		checkContent(t, documented.Value.Content, req.URL, r)
	}
}

// operation is what the document has of a route. Of HEAD it says, once, that it
// is wherever GET is.
func operation(doc *openapi3.T, pattern, method string) *openapi3.Operation {
	item := doc.Paths.Value(pathOf(pattern))
	if item == nil {
		return nil
	}
	if method == http.MethodHead {
		method = http.MethodGet
	}
	return item.GetOperation(method)
}

// pathOf is how the document writes a route: it has no parameter that may hold
// slashes, so whoever goes by it escapes them, as our routes take too.
func pathOf(pattern string) string {
	return strings.Replace(pattern, "/principals/*", "/principals/{arn}", 1)
}

func checkContent(t *testing.T, content openapi3.Content, u *url.URL, r reply) {
	t.Helper()
	mediaType, _, err := mime.ParseMediaType(r.header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	documented := content[mediaType]
	if documented == nil {
		t.Errorf("%s: %s is not documented for %d", u, mediaType, r.status)
		return
	}
	body := plainBody(t, r)
	switch {
	case mediaType == "text/event-stream":
		checkEvents(t, body)
	case mediaType == "application/x-ndjson":
		doc, err := strict()
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(body) {
			schema := thingsOf(u.Path).schema
			if strings.HasSuffix(u.Path, "/stats") {
				schema = "StatsRow"
			}
			checkBody(t, doc.Components.Schemas[schema].Value, line)
		}
	case strings.HasSuffix(mediaType, "json"):
		checkBody(t, documented.Schema.Value, body)
	}
	if l := thingsOf(u.Path); l.member != "" && mediaType == "application/json" && !u.Query().Has("fields") {
		checkWhole(t, l.member, l.schema, body)
	}
}

// thingsOf says what a list holds: the member of its JSON document, and the
// schema of each; nothing for what is no list.
func thingsOf(path string) (l struct{ member, schema string }) {
	l.member = path[strings.LastIndex(path, "/")+1:]
	l.schema = map[string]string{
		"clusters": "Cluster", "denials": "Denial", "lockouts": "Lockout", "diagnoses": "Lockout", "principals": "PrincipalSummary",
	}[l.member]
	if l.schema == "" || strings.HasPrefix(path, "/catalogue/") {
		l.member = ""
	}
	return l
}

func plainBody(t *testing.T, r reply) []byte {
	t.Helper()
	var rd io.Reader = bytes.NewReader(r.body)
	var err error
	switch r.header.Get("Content-Encoding") {
	case "gzip":
		rd, err = gzip.NewReader(rd)
	case "zstd":
		rd, err = zstd.NewReader(rd)
	}
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(rd)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func checkBody(t *testing.T, schema *openapi3.Schema, body []byte) {
	t.Helper()
	if err := schema.VisitJSON(asJSON(t, body), openapi3.EnableJSONSchema2020(), openapi3.EnableFormatValidation()); err != nil {
		t.Errorf("%v in %s", err, body)
	}
}

// checkWhole holds the document to its word that every member is there.
func checkWhole(t *testing.T, member, schema string, body []byte) {
	t.Helper()
	doc, err := strict()
	if err != nil {
		t.Fatal(err)
	}
	page := map[string]json.RawMessage{}
	var list []map[string]any
	if err := json.Unmarshal(body, &page); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(page[member], &list); err != nil {
		t.Fatal(err)
	}
	for _, thing := range list {
		for name := range doc.Components.Schemas[schema].Value.Properties {
			if _, ok := thing[name]; !ok {
				t.Errorf("one of %s lacks %s", member, name)
			}
		}
	}
}

func TestTheDocumentIsValidInBothForms(t *testing.T) {
	s := serveFake(t, &fake{})
	asYAML, asText := s.get(t, "/openapi.yaml"), s.get(t, "/openapi.json")
	if got := asYAML.header.Get("Content-Type"); got != "application/yaml" {
		t.Errorf("Content-Type %q", got)
	}
	one, two := load(t, asYAML.body), load(t, asText.body)
	if err := one.Validate(t.Context()); err != nil {
		t.Error(err)
	}
	a, err := json.Marshal(one)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(two)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(asJSON(t, a), asJSON(t, b)); diff != "" {
		t.Errorf("YAML and JSON differ: %s", diff)
	}
}

func TestTheDocumentHasEveryRouteAndNoOther(t *testing.T) {
	s := serveFake(t, &fake{})
	doc := load(t, s.get(t, "/openapi.yaml").body)
	routes := map[string][]string{}
	err := chi.Walk(s.mux, func(method, route string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		routes[pathOf(route)] = append(routes[pathOf(route)], method)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for route, methods := range routes {
		item := doc.Paths.Value(route)
		if item == nil {
			t.Errorf("%s is not in the document", route)
			continue
		}
		slices.Sort(methods)
		// The document says of HEAD, once, that it is wherever GET is.
		documented := slices.Sorted(maps.Keys(item.Operations()))
		if item.Get != nil {
			documented = append(documented, "HEAD")
			slices.Sort(documented)
		}
		if !slices.Equal(documented, methods) {
			t.Errorf("%s answers to %v, the document has %v", route, methods, documented)
		}
	}
	for path := range doc.Paths.Map() {
		if routes[path] == nil {
			t.Errorf("%s is in the document and not served", path)
		}
	}
}

func TestTheDocumentKnowsEveryCode(t *testing.T) {
	doc := load(t, serveFake(t, &fake{}).get(t, "/openapi.yaml").body)
	var want []any
	for _, r := range rules.All() {
		want = append(want, r.Code)
	}
	if diff := cmp.Diff(want, doc.Components.Schemas["ReasonCode"].Value.Enum); diff != "" {
		t.Error(diff)
	}
	var all, lockouts []any
	for _, e := range diagnose.All() {
		all = append(all, e.Code)
		if e.Lockout {
			lockouts = append(lockouts, e.Code)
		}
	}
	if diff := cmp.Diff(all, doc.Components.Schemas["DiagnosisCode"].Value.Enum); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(lockouts, doc.Components.Schemas["LockoutCode"].Value.Enum); diff != "" {
		t.Error(diff)
	}
}
