package api

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // the page's text
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"strconv"
)

//go:embed landing.html
var landingText string

//go:embed landing.css
var landingStyle string

// landing shows a page that is the same for everyone: what runs here and where
// to look. It holds nothing of the log, loads nothing, and its policy lets no
// script run.
func landing(version string) http.HandlerFunc {
	page := mustRender(version)
	sum := sha256.Sum256([]byte(landingStyle))
	policy := fmt.Sprintf("default-src 'none'; style-src 'sha256-%s'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
		base64.StdEncoding.EncodeToString(sum[:]))
	return func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Length", strconv.Itoa(len(page)))
		if h.Get(securityPolicy) == nothing {
			h.Set(securityPolicy, policy)
		}
		w.WriteHeader(http.StatusOK)
		w.Write(page) //nolint:errcheck // the caller left
	}
}

// mustRender panics only when the embedded template is at fault.
func mustRender(version string) []byte {
	var page bytes.Buffer
	err := template.Must(template.New("landing").Parse(landingText)).
		Execute(&page, struct {
			Version string
			Style   template.CSS
		}{version, template.CSS(landingStyle)}) //nolint:gosec // our own file
	if err != nil {
		panic(fmt.Errorf("render the landing page: %w", err))
	}
	return page.Bytes()
}
