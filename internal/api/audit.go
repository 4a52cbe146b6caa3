package api

import (
	"net/http"

	"github.com/rs/zerolog/hlog"
)

// maxPath is how much of a path is logged, in bytes.
const maxPath = 256

// audit logs who was refused what, and why; of what whoever asks may cause in
// floods, the first and how many more. What a caller wrote stands there in quotes
// alone, and of a query, where a token may be by mistake, nothing.
func audit(r *http.Request, ref *refusal) {
	caller := callerOf(r.Context())
	switch ref.Status {
	case http.StatusUnauthorized, http.StatusForbidden:
	case http.StatusMisdirectedRequest, http.StatusTooManyRequests, http.StatusServiceUnavailable:
		if isMore(r, ref.Status) {
			return
		}
	case http.StatusNotFound:
		if caller.Scope.All() {
			return // it is not there
		}
	default:
		return
	}
	path := r.URL.EscapedPath()
	hlog.FromRequest(r).Warn().
		Str("user", caller.Name). // zerolog takes a caller for a place in the source
		Str("address", r.RemoteAddr).
		Str("method", r.Method).
		Str("path", path[:min(len(path), maxPath)]).
		Int("status", ref.Status).
		Str("why", ref.Title+": "+detailOf(ref)).
		Msg("request refused")
}

// detailOf is the detail, unless it quotes what is not the caller's to learn
// and to make us log.
func detailOf(ref *refusal) string {
	if ref.Status == http.StatusNotFound {
		return "not there, or not for this caller"
	}
	return ref.Detail
}
