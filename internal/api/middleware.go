package api

import (
	"context"
	"fmt"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/klauspost/compress/gzhttp"
	"github.com/klauspost/compress/gzip"
	"github.com/rs/zerolog"
	"github.com/rs/zerolog/hlog"
)

// requestTimeout bounds the work on one request. It is shorter than the
// server's write timeout, so that the caller still hears of it.
const requestTimeout = 20 * time.Second

// withLog gives each request a logger that carries its request_id, which the
// header Request-Id shows to the caller, and logs the request at debug.
func withLog(log zerolog.Logger) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		h := hlog.AccessHandler(logRequest)(next)
		h = hlog.RequestIDHandler("request_id", "Request-Id")(h)
		return hlog.NewHandler(log)(h)
	}
}

func logRequest(r *http.Request, status, size int, took time.Duration) {
	hlog.FromRequest(r).Debug().
		Str("method", r.Method).
		Stringer("url", r.URL).
		Str("remote", r.RemoteAddr).
		Int("status", status).
		Int("bytes", size).
		Dur("took", took).
		Msg("request")
}

// The policy for documents that are no page: nothing may come of them.
const (
	securityPolicy = "Content-Security-Policy"
	nothing        = "default-src 'none'; frame-ancestors 'none'"
)

// secureHeaders sets what holds for every answer, but for a policy that the
// headers of --web.config.file have set before. A handler may say less strictly
// how long its answer keeps, and the landing page brings a policy of its own.
func secureHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		if h.Get(securityPolicy) == "" {
			h.Set(securityPolicy, nothing)
		}
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// streamPath is the one route whose answer has no end.
const streamPath = "/stream"

// compress sends zstd or gzip to callers who take it, where that pays. A
// stream's events are few and small, and each compressor takes a megabyte.
func compress(next http.Handler) http.Handler {
	// JSON this regular shrinks to a tenth at the fastest level too.
	wrap, err := gzhttp.NewWrapper(gzhttp.CompressionLevel(gzip.BestSpeed))
	if err != nil {
		panic(err) // the options are ours
	}
	compressed := wrap(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == streamPath {
			next.ServeHTTP(w, r)
			return
		}
		compressed.ServeHTTP(w, r)
	})
}

// recoverPanic turns a panic into a 500, or into a broken connection where the
// answer had begun: a cut answer must not look like a whole one.
func recoverPanic(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ww := middleware.NewWrapResponseWriter(w, r.ProtoMajor)
		defer func() {
			v := recover()
			switch {
			case v == nil:
			case v == http.ErrAbortHandler: //nolint:errorlint // net/http compares it so too
				panic(v)
			case ww.Status() != 0:
				logPanic(r, v)
				panic(http.ErrAbortHandler)
			default:
				logPanic(r, v)
				fail(ww, r, fmt.Errorf("panic: %v", v))
			}
		}()
		next.ServeHTTP(ww, r)
	})
}

func logPanic(r *http.Request, v any) {
	hlog.FromRequest(r).Error().
		Interface("panic", v).
		Str("route", chi.RouteContext(r.Context()).RoutePattern()).
		Bytes("stack", debug.Stack()).
		Msg("handler panicked")
}

// limitTime ends the work on a request after requestTimeout.
func limitTime(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), requestTimeout)
		defer cancel()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}
