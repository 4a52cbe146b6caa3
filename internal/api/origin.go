package api

import (
	"net/http"
	"regexp"

	"github.com/rs/cors"
)

// allowOrigins lets pages of those origins read the answers (CORS); nil: none.
// No cookie is ever asked for: a page shows a token, as everyone does.
func allowOrigins(origin *regexp.Regexp) func(http.Handler) http.Handler {
	if origin == nil {
		return func(next http.Handler) http.Handler { return next }
	}
	return cors.New(cors.Options{
		AllowOriginFunc: origin.MatchString,
		AllowedMethods:  []string{http.MethodGet, http.MethodHead, http.MethodPost},
		AllowedHeaders:  []string{"Accept", "Authorization", "Content-Type", "If-None-Match", "Last-Event-ID"},
		ExposedHeaders:  []string{"ETag", "Link", "Request-Id", "Retry-After", "WWW-Authenticate"},
		MaxAge:          600,
	}).Handler
}
