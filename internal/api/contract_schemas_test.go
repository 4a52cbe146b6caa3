package api_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// schemas are those of the document, with JSON Schema's own meaning, for
// OpenAPI 3.1 has no other. No object may have a member that is not listed.
type schemas struct {
	doc      any
	compiler *jsonschema.Compiler

	mu       sync.Mutex
	compiled map[string]*jsonschema.Schema // by their place in the document
}

// documentURL is where the compiler thinks the document is.
const documentURL = "https://eks-authlog.test/openapi.json"

func newSchemas(t *testing.T, text []byte) *schemas {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range doc.(map[string]any)["components"].(map[string]any)["schemas"].(map[string]any) {
		s := s.(map[string]any)
		if _, ok := s["additionalProperties"]; !ok && s["type"] == "object" {
			s["additionalProperties"] = false
		}
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	if err := c.AddResource(documentURL, doc); err != nil {
		t.Fatal(err)
	}
	return &schemas{doc: doc, compiler: c, compiled: map[string]*jsonschema.Schema{}}
}

// at is the schema at a place, such as #/components/schemas/Problem.
func (s *schemas) at(place string) (*jsonschema.Schema, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if found := s.compiled[place]; found != nil {
		return found, nil
	}
	found, err := s.compiler.Compile(documentURL + place)
	s.compiled[place] = found
	return found, err
}

// check holds JSON to the schema at a place.
func (s *schemas) check(place string, text []byte) error {
	schema, err := s.at(place)
	if err != nil {
		return err
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return err
	}
	return schema.Validate(v)
}

// checkBody holds an answer's body to what the document has for its status and
// media type.
func (s *schemas) checkBody(q *request, r reply) error {
	if len(r.body) == 0 {
		return nil
	}
	mediaType, _, err := mime.ParseMediaType(r.header.Get("Content-Type"))
	if err != nil {
		return err
	}
	documented := q.op.Responses.Status(r.status)
	if documented.Value.Content[mediaType] == nil {
		return fmt.Errorf("%s is not documented", mediaType)
	}
	response := fmt.Sprintf("#/paths/%s/%s/responses/%d", pointer(q.route), strings.ToLower(q.documented), r.status)
	if documented.Ref != "" {
		response = documented.Ref
	}
	switch {
	case mediaType == "application/x-ndjson":
		return s.checkLines(response, r.body)
	case strings.HasSuffix(mediaType, "json"):
		return s.check(response+"/content/"+pointer(mediaType)+"/schema", r.body)
	}
	return nil
}

// checkLines holds each line to the schema of the objects that the same answer
// has in a list as JSON: OpenAPI has no word for lines.
func (s *schemas) checkLines(response string, text []byte) error {
	list, err := s.at(response + "/content/application~1json/schema")
	if err != nil {
		return err
	}
	for list.Ref != nil {
		list = list.Ref
	}
	var item *jsonschema.Schema
	for _, member := range list.Properties {
		if of := member.Items2020; of != nil && isObject(of) {
			item = of
		}
	}
	if item == nil {
		return errors.New("the answer has no list as JSON")
	}
	for line := range bytes.Lines(text) {
		var v any
		if v, err = jsonschema.UnmarshalJSON(bytes.NewReader(line)); err == nil {
			err = item.Validate(v)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func isObject(s *jsonschema.Schema) bool {
	for s.Ref != nil {
		s = s.Ref
	}
	return s.Types != nil && slices.Contains(s.Types.ToStrings(), "object")
}

// takes reports whether the document takes a parameter's values, as they stand
// in a query.
func (s *schemas) takes(place string, p parameter, values []string) (bool, error) {
	schema, err := s.at(place)
	if err != nil {
		return false, err
	}
	if !p.list && len(values) != 1 {
		return false, nil
	}
	if p.list && !p.explode {
		if len(values) != 1 {
			return false, nil
		}
		values = strings.Split(values[0], ",")
	}
	var v any = values[0]
	switch {
	case p.list:
		list := make([]any, len(values))
		for i := range values {
			list[i] = values[i]
		}
		v = list
	case p.number:
		v = json.Number(values[0])
		if !json.Valid([]byte(values[0])) {
			return false, nil
		}
	}
	return schema.Validate(v) == nil, nil
}

// pointer escapes a step of a JSON pointer in a URL.
func pointer(step string) string {
	step = strings.NewReplacer("~", "~0", "/", "~1").Replace(step)
	return strings.NewReplacer("{", "%7B", "}", "%7D", "+", "%2B").Replace(step)
}

// decoded is the body as it was before it was compressed.
func decoded(r reply) ([]byte, error) {
	if len(r.body) == 0 || r.status == http.StatusNotModified {
		return r.body, nil
	}
	switch coding := r.header.Get("Content-Encoding"); coding {
	case "":
		return r.body, nil
	case "gzip":
		rd, err := gzip.NewReader(bytes.NewReader(r.body))
		if err != nil {
			return nil, err
		}
		return io.ReadAll(rd)
	case "zstd":
		rd, err := zstd.NewReader(bytes.NewReader(r.body))
		if err != nil {
			return nil, err
		}
		defer rd.Close()
		return io.ReadAll(rd)
	default:
		return nil, fmt.Errorf("the unknown Content-Encoding %q", coding)
	}
}
