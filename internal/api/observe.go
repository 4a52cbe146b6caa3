package api

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/prometheus/client_golang/prometheus"
)

// requestMetrics counts and times requests. No label holds what a caller
// wrote: handler is a route's pattern or "none", method one of a few.
type requestMetrics struct {
	total    *prometheus.CounterVec
	duration *prometheus.HistogramVec
}

// newRequestMetrics registers the metrics, or takes those that are registered:
// all listeners count together.
func newRequestMetrics(reg prometheus.Registerer) requestMetrics {
	return requestMetrics{
		total: registered(reg, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "eks_authn_http_requests_total",
			Help: "HTTP requests answered, by route pattern, method and status code; 499 when the caller left first.",
		}, []string{"handler", "method", "code"})),
		duration: registered(reg, prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "eks_authn_http_request_duration_seconds",
			Help:    "Time from the request's header to the end of its answer, by route pattern and method.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 20},
		}, []string{"handler", "method"})),
	}
}

func registered[C prometheus.Collector](reg prometheus.Registerer, c C) C {
	if reg == nil {
		return c
	}
	if err := reg.Register(c); err != nil {
		before, ok := errors.AsType[prometheus.AlreadyRegisteredError](err)
		if !ok {
			panic(err) // only a metric of ours can cause it
		}
		return before.ExistingCollector.(C)
	}
	return c
}

func (m requestMetrics) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begun := time.Now()
		ww := middleware.NewWrapResponseWriter(w, r.ProtoMajor)
		defer func() {
			handler, method := routeLabel(r), methodLabel(r.Method)
			m.total.WithLabelValues(handler, method, strconv.Itoa(statusOf(ww))).Inc()
			m.duration.WithLabelValues(handler, method).Observe(time.Since(begun).Seconds())
		}()
		next.ServeHTTP(ww, r)
	})
}

// routeLabel is known only once the request has been routed.
func routeLabel(r *http.Request) string {
	if pattern := chi.RouteContext(r.Context()).RoutePattern(); pattern != "" {
		return pattern
	}
	return "none"
}

func methodLabel(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return method
	}
	return "other"
}

func statusOf(w middleware.WrapResponseWriter) int {
	if s := w.Status(); s != 0 {
		return s
	}
	return http.StatusOK // net/http sends it for a handler that wrote nothing
}
