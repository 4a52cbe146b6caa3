package api

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/rs/zerolog"
)

// The routes of those who watch the service.
const (
	healthyPath = "/-/healthy"
	readyPath   = "/-/ready"
	metricsPath = "/metrics"
)

// healthy answers as long as the process can answer at all.
func healthy(w http.ResponseWriter, r *http.Request) {
	reply(w, r, http.StatusOK, jsonDocument(healthyDoc{Healthy: true}))
}

// ready answers 200 or 503, and with the state of every shard to who may see
// them all.
func ready(health Health) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ok, shards := health.Ready()
		status := http.StatusOK
		if !ok {
			status = http.StatusServiceUnavailable
		}
		if !callerOf(r.Context()).Scope.All() {
			shards = nil
		}
		reply(w, r, status, jsonDocument(readyDoc{Ready: ok, Shards: wireShards(shards)}))
	}
}

// scrape shows what g gathers, in the format that the caller prefers,
// OpenMetrics included. A metric that cannot be gathered is logged and left
// out; the others are still shown.
func scrape(g prometheus.Gatherer, log zerolog.Logger) http.HandlerFunc {
	return promhttp.HandlerFor(g, promhttp.HandlerOpts{
		ErrorLog:          gatherLog{log},
		ErrorHandling:     promhttp.ContinueOnError,
		EnableOpenMetrics: true,
	}).ServeHTTP
}

// gatherLog is the logger that promhttp wants.
type gatherLog struct{ log zerolog.Logger }

func (l gatherLog) Println(v ...any) {
	l.log.Error().Interface("cause", v).Msg("metrics not gathered")
}
