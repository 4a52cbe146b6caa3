package api

import (
	"context"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// Callers knows who may ask. Its methods are safe to share, and how long they
// take tells nothing of the secrets.
type Callers interface {
	// Schemes are those of Bearer and Basic by which a caller may say who he
	// is. Where there is none everyone is let in, sees everything and is an
	// admin.
	Schemes() []string
	// Token tells whose token it is; false if it is nobody's.
	Token(token string) (authlog.Caller, bool)
	// User tells who has that name and password; false if nobody does. It
	// fails when ctx ends, or at once where too many passwords wait to be
	// checked, of that network or of all.
	User(ctx context.Context, from netip.Prefix, name, password string) (authlog.Caller, bool, error)
}

// An identity is who asks, or why that is not known.
type identity struct {
	authlog.Caller
	unknown   *refusal
	challenge []string // what WWW-Authenticate asks for
}

type identityKey struct{}

// identityOf is what identify finds out. Where it was not asked, nobody is let
// in.
func identityOf(ctx context.Context) identity {
	if find, ok := ctx.Value(identityKey{}).(func() identity); ok {
		return find()
	}
	return identity{unknown: plain(http.StatusUnauthorized, missingToken)}
}

// callerOf is who asks. Where nobody was let in it is the zero Caller, who sees
// nothing.
func callerOf(ctx context.Context) authlog.Caller { return identityOf(ctx).Caller }

// identify finds out who asks, by the token (RFC 6750) or the password (RFC
// 7617) that is shown, once that matters: a password is slow to check, and a
// probe must not wait for it.
func identify(callers Callers) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			find := sync.OnceValue(func() identity { return findOut(r, callers) })
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), identityKey{}, find)))
		})
	}
}

const (
	missingToken    = "this service asks for a token: send the header Authorization: Bearer TOKEN"
	wrongToken      = "this is none of the service's tokens: it was mistyped, taken back, or is another service's"
	missingPassword = "this service asks for a user and a password"
	wrongPassword   = "the user or the password is wrong"
	busy            = "too many passwords are being checked; try again"
)

func findOut(r *http.Request, callers Callers) identity {
	var schemes []string
	if callers != nil {
		schemes = callers.Schemes()
	}
	if len(schemes) == 0 {
		return identity{Caller: authlog.Caller{Scope: authlog.Everything(), Admin: true}}
	}
	refused := plain(http.StatusUnauthorized, missingToken)
	if schemes[0] == "Basic" {
		refused.Detail = missingPassword
	}
	scheme, rest := authorization(r.Header.Values("Authorization"))
	for _, known := range schemes {
		if !strings.EqualFold(scheme, known) {
			continue
		}
		caller, ok := authlog.Caller{}, false
		if known == "Bearer" {
			caller, ok = callers.Token(rest)
			refused.Detail = wrongToken
		} else if name, password, given := r.BasicAuth(); given {
			var err error
			if caller, ok, err = callers.User(r.Context(), network(r.RemoteAddr), name, password); err != nil {
				return identity{unknown: plain(http.StatusServiceUnavailable, busy)}
			}
			refused.Detail = wrongPassword
			if !ok {
				charge(r.Context())
			}
		}
		if ok {
			return identity{Caller: caller}
		}
	}
	return identity{unknown: refused, challenge: challenges(schemes, refused.Detail == wrongToken)}
}

type limiterKey struct{}

// charge makes a wrong password cost its address as much as the requests of a
// fifth of a second: to check one takes far longer than to answer another.
func charge(ctx context.Context) {
	if limiter, ok := ctx.Value(limiterKey{}).(*rate.Limiter); ok {
		limiter.ReserveN(time.Now(), max(int(limiter.Limit()/5), 1))
	}
}

// challenges are the values of WWW-Authenticate.
func challenges(schemes []string, wrong bool) (values []string) {
	for _, scheme := range schemes {
		v := scheme + ` realm="eks-authlog"`
		if scheme == "Bearer" && wrong {
			v += `, error="invalid_token"`
		}
		values = append(values, v)
	}
	return values
}

// authorization is the scheme and the rest of the only header of that name;
// where there are several, nobody could say whose word counts.
func authorization(values []string) (scheme, rest string) {
	if len(values) != 1 {
		return "", ""
	}
	scheme, rest, _ = strings.Cut(values[0], " ")
	return scheme, strings.TrimLeft(rest, " ")
}

// admit lets in who is known.
func admit(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := identityOf(r.Context())
		if id.unknown != nil {
			if id.unknown.Status == http.StatusServiceUnavailable {
				retryAfter(w, time.Second)
			} else {
				w.Header()["Www-Authenticate"] = id.challenge
			}
			fail(w, r, id.unknown)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// forAll lets in who may see every cluster: the answer tells of all.
func forAll(next http.Handler) http.Handler {
	return permit(next, func(c authlog.Caller) bool { return c.Scope.All() },
		"this tells of every cluster, and your token sees only some")
}

// forAdmins lets in who may change how the service runs.
func forAdmins(next http.Handler) http.Handler {
	return permit(next, func(c authlog.Caller) bool { return c.Admin }, "this is for admins, and your token is none's")
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
