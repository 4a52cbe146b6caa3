package api

import (
	_ "embed" // the document's text
	"fmt"
	"net/http"
	"sync"

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

// openAPIJSON converts the document when it is first asked for: that takes a
// tenth of a second, which not every start should pay.
func openAPIJSON() ask {
	convert := sync.OnceValues(func() ([]byte, error) { return yaml.YAMLToJSON(openAPI) })
	return func(*http.Request, query) (document, error) {
		body, err := convert()
		if err != nil {
			return document{}, fmt.Errorf("convert the OpenAPI document: %w", err)
		}
		return document{mediaType: "application/json", body: body}, nil
	}
}
