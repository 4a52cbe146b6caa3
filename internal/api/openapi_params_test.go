package api_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// The server says itself which query parameters it knows.
func TestTheDocumentHasEveryParameterAndNoOther(t *testing.T) {
	s := serveFake(t, &fake{clusters: []authlog.ClusterSummary{summaryOf(prod)}})
	doc := load(t, s.get(t, "/openapi.yaml").body)
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			checkParameters(t, s, path, method, op)
		}
	}
}

func checkParameters(t *testing.T, s *service, path, method string, op *openapi3.Operation) {
	t.Helper()
	filled := fill(t, path, op)
	var query []string
	for _, p := range op.Parameters {
		if p.Value.In == "query" {
			query = append(query, p.Value.Name)
			checkRepeatable(t, s, method, filled, p.Value)
		}
	}
	r := s.do(t, method, filled+"?no_such_parameter=1")
	if r.status != http.StatusBadRequest { // health, metrics and the page look at no query
		if len(query) > 0 || op.Responses.Status(http.StatusBadRequest) != nil {
			t.Errorf("%s takes any parameter, which the document does not say", path)
		}
		return
	}
	var known []string
	if _, list, ok := strings.Cut(decodeProblem(t, r, http.StatusBadRequest).Detail, "known are "); ok {
		known = strings.Split(list, ", ")
	}
	if diff := cmp.Diff(known, query); diff != "" {
		t.Errorf("%s: %s", path, diff)
	}
}

// fill puts the examples of its parameters into a path.
func fill(t *testing.T, path string, op *openapi3.Operation) string {
	t.Helper()
	for _, p := range op.Parameters {
		if p.Value.In != "path" {
			continue
		}
		part := "{" + p.Value.Name + "}"
		if !strings.Contains(path, part) {
			t.Errorf("%s has no %s", path, part)
		}
		path = strings.ReplaceAll(path, part, url.PathEscape(fmt.Sprint(p.Value.Example)))
	}
	if strings.Contains(path, "{") {
		t.Errorf("%s: a part of the path is not documented", path)
	}
	return path
}

func checkRepeatable(t *testing.T, s *service, method, path string, p *openapi3.Parameter) {
	t.Helper()
	list := p.Schema.Value.Type.Is("array") && (p.Explode == nil || *p.Explode)
	r := s.do(t, method, path+"?"+p.Name+"=x&"+p.Name+"=x")
	if once := strings.Contains(string(r.body), "more than once"); once == list {
		t.Errorf("%s of %s: documented as a list: %v, refused twice: %v", p.Name, path, list, once)
	}
}

// Whatever the document gives as an example of a parameter is taken, and so
// are its bounds and choices.
func TestParametersTakeWhatTheDocumentSays(t *testing.T) {
	s := serveFake(t, &fake{clusters: []authlog.ClusterSummary{summaryOf(prod)}})
	doc := load(t, s.get(t, "/openapi.yaml").body)
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			for _, p := range op.Parameters {
				if p.Value.In == "query" {
					checkTaken(t, s, method, fill(t, path, op), p.Value)
				}
			}
		}
	}
}

// checkTaken finds nothing refused as a parameter.
func checkTaken(t *testing.T, s *service, method, path string, p *openapi3.Parameter) {
	t.Helper()
	values := examplesOf(p)
	if len(values) == 0 && p.Name != "next" && p.Name != "last_event_id" {
		t.Errorf("%s of %s has no example", p.Name, path)
	}
	for _, v := range values {
		if r := s.do(t, method, path+"?"+v.Encode()); strings.Contains(string(r.body), "bad-parameter") || r.status >= http.StatusInternalServerError {
			t.Errorf("%s %s?%s: %d %s", method, path, v.Encode(), r.status, r.body)
		}
	}
}

func examplesOf(p *openapi3.Parameter) (values []url.Values) {
	schema := p.Schema.Value
	var all []any
	for _, e := range p.Examples {
		all = append(all, e.Value.Value)
	}
	if p.Example != nil {
		all = append(all, p.Example)
	}
	all = append(all, schema.Examples...)
	all = append(all, schema.Enum...)
	if schema.Items != nil && (p.Explode == nil || *p.Explode) {
		all = append(all, schema.Items.Value.Enum...)
	}
	if schema.Min != nil {
		all = append(all, *schema.Min, *schema.Max)
	}
	if schema.Default != nil {
		all = append(all, schema.Default)
	}
	for _, one := range all {
		v := url.Values{}
		list, ok := one.([]any)
		switch {
		case !ok:
			v.Set(p.Name, fmt.Sprint(one))
		case p.Explode != nil && !*p.Explode:
			v.Set(p.Name, strings.ReplaceAll(strings.Trim(fmt.Sprint(list), "[]"), " ", ","))
		default:
			for _, item := range list {
				v.Add(p.Name, fmt.Sprint(item))
			}
		}
		values = append(values, v)
	}
	return values
}
