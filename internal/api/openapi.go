package api

import (
	_ "embed" // the document's text
	"fmt"
	"net/http"

	"github.com/goccy/go-yaml"
)

// The document is written by hand, and tests hold the handlers to it: each
// route, parameter, status and field that they have stands in it, and each of
// its examples is an answer they give.
//
//go:embed openapi.yaml
var openAPI []byte

func openAPIYAML(*http.Request, query) (document, error) {
	return document{mediaType: "application/yaml", body: openAPI}, nil
}

// openAPIJSON panics only when the embedded document is at fault.
func openAPIJSON() ask {
	body, err := yaml.YAMLToJSON(openAPI)
	if err != nil {
		panic(fmt.Errorf("convert the OpenAPI document: %w", err))
	}
	doc := document{mediaType: "application/json", body: body}
	return func(*http.Request, query) (document, error) { return doc, nil }
}
