package api

import (
	"context"
	"net/http"
	"strings"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// Callers knows who may ask.
type Callers interface {
	// Find tells whose token it is; false if it is nobody's. It is quick and
	// safe to share, and how long it takes tells nothing of the tokens.
	Find(token string) (authlog.Caller, bool)
}

// An identity is who asks, or why that is not known.
type identity struct {
	authlog.Caller
	unknown   error
	challenge string // what WWW-Authenticate asks for
}

type identityKey struct{}

// callerOf is who asks. Where nobody was let in it is the zero Caller, who sees
// nothing.
func callerOf(ctx context.Context) authlog.Caller {
	id, _ := ctx.Value(identityKey{}).(identity) // the zero identity is what is meant
	return id.Caller
}

// identify finds out who asks, by the token that is shown (RFC 6750). Without
// callers everyone sees everything, and is an admin.
func identify(callers Callers) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			id := identity{Caller: authlog.Caller{Scope: authlog.Everything(), Admin: true}}
			if callers != nil {
				id = identityOf(r, callers)
			}
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), identityKey{}, id)))
		})
	}
}

const (
	missingToken = "this service asks for a token: send the header Authorization: Bearer TOKEN"
	wrongToken   = "this is none of the service's tokens: it was mistyped, taken back, or is another service's"
)

func identityOf(r *http.Request, callers Callers) identity {
	token, ok := bearer(r.Header.Values("Authorization"))
	if !ok {
		return identity{unknown: plain(http.StatusUnauthorized, missingToken), challenge: `Bearer realm="eks-authlog"`}
	}
	caller, ok := callers.Find(token)
	if !ok {
		return identity{
			unknown:   plain(http.StatusUnauthorized, wrongToken),
			challenge: `Bearer realm="eks-authlog", error="invalid_token"`,
		}
	}
	return identity{Caller: caller}
}

// bearer is the token in the only header of that name.
func bearer(authorization []string) (token string, ok bool) {
	if len(authorization) != 1 {
		return "", false
	}
	scheme, token, ok := strings.Cut(authorization[0], " ")
	return strings.TrimLeft(token, " "), ok && strings.EqualFold(scheme, "Bearer")
}

// admit lets in who is known.
func admit(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, ok := r.Context().Value(identityKey{}).(identity)
		if !ok {
			id.unknown = plain(http.StatusUnauthorized, missingToken) // a route that nobody identified for
		}
		if id.unknown != nil {
			w.Header().Set("WWW-Authenticate", id.challenge)
			fail(w, r, id.unknown)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// forAll lets in who may see every cluster: what they answer tells of all.
func forAll(next http.Handler) http.Handler {
	return permit(next, func(c authlog.Caller) bool { return c.Scope.All() },
		"this tells of every cluster, and your token sees only some")
}

func permit(next http.Handler, may func(authlog.Caller) bool, why string) http.Handler {
	return admit(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !may(callerOf(r.Context())) {
			fail(w, r, plain(http.StatusForbidden, why))
			return
		}
		next.ServeHTTP(w, r)
	}))
}
