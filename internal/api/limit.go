package api

import (
	"context"
	"math"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"
)

// Limits keep callers from taking what others need. Zero fields limit nothing.
type Limits struct {
	// Rate is how many requests a second one address may make; ten times as
	// many at once. An IPv6 network of 64 bits counts as one address. Scrapes
	// count apart, and probes do not.
	Rate float64
	// Requests is how many requests are worked on at the same time, streams
	// and probes not counted.
	Requests int
}

const (
	// burst is how many seconds' worth of requests may come at once: a
	// dashboard asks for all its panels together.
	burst = 10
	// maxAddresses bounds the memory for addresses. Who is forgotten begins
	// anew.
	maxAddresses = 10_000
)

// A purse is what an address may ask for: scrapes, or all else, so that a busy
// caller behind the same address does not keep Prometheus out.
type purse struct {
	from   netip.Prefix
	scrape bool
}

// limitRate refuses requests of an address that makes too many.
func limitRate(cfg *Config) func(http.Handler) http.Handler {
	perSecond := cfg.Limits.Rate
	if perSecond <= 0 {
		return func(next http.Handler) http.Handler { return next }
	}
	limiters, err := lru.New[purse, *rate.Limiter](2 * maxAddresses)
	if err != nil {
		panic(err) // only a size below 1 can cause it
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if cfg.isProbe(r) {
				next.ServeHTTP(w, r)
				return
			}
			of := purse{network(r.RemoteAddr), r.URL.Path == metricsPath}
			limiter, ok := limiters.Get(of)
			if !ok {
				limiter = rate.NewLimiter(rate.Limit(perSecond), max(int(perSecond*burst), 1))
				if other, raced, _ := limiters.PeekOrAdd(of, limiter); raced {
					limiter = other
				}
			}
			if !limiter.Allow() {
				retryAfter(w, time.Duration(float64(time.Second)/perSecond))
				fail(w, r, plain(http.StatusTooManyRequests, "too many requests from this address; Retry-After says when to go on"))
				return
			}
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), limiterKey{}, limiter)))
		})
	}
}

// isProbe reports whether a request asks for no more than health, which is
// answered however busy the address is: a liveness probe that is refused has the
// service killed. One that shows a token or a password is none, for both can be
// guessed.
func (cfg *Config) isProbe(r *http.Request) bool {
	path := r.URL.EscapedPath() // as it is routed by
	return !cfg.NoHealth && (path == healthyPath || path == readyPath) &&
		(r.Method == http.MethodGet || r.Method == http.MethodHead) && len(r.Header["Authorization"]) == 0
}

// network is whom an address belongs to. One that is none, as of a Unix
// socket, is the same for all.
func network(remoteAddr string) netip.Prefix {
	host, _, err := net.SplitHostPort(remoteAddr)
	if err != nil {
		return netip.Prefix{}
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Prefix{}
	}
	addr = addr.Unmap().WithZone("")
	bits := addr.BitLen()
	if addr.Is6() {
		bits = 64
	}
	prefix, err := addr.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return prefix
}

// limitRequests refuses requests beyond so many that are worked on.
func limitRequests(most int) func(http.Handler) http.Handler {
	if most <= 0 {
		return func(next http.Handler) http.Handler { return next }
	}
	free := make(chan struct{}, most)
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			select {
			case free <- struct{}{}:
				defer func() { <-free }()
				next.ServeHTTP(w, r)
			default:
				retryAfter(w, time.Second)
				fail(w, r, plain(http.StatusServiceUnavailable, "too many requests are being answered; try again"))
			}
		})
	}
}

func retryAfter(w http.ResponseWriter, wait time.Duration) {
	w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
}
