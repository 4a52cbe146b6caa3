// Package api answers over HTTP: who is locked out and what lets them back in,
// the clusters, their denials and principals, the catalogues of reasons and
// diagnoses, the service's own health and metrics, and a page of links. It
// reads and never writes: nothing that a request holds changes what is stored.
//
// Much of what it shows was chosen by whoever called a Kubernetes API server.
// Such text leaves only as a JSON string, escaped for HTML too, and never in a
// header, a label or a page. A failure leaves as a problem document of RFC 9457
// without our internals; the log has the cause.
//
// A caller learns of the clusters that his token may see and of no others: one
// outside is answered as one that does not exist. Config.Store is such a part of
// the store in every handler, as long as it is asked with the request's context;
// what comes from elsewhere is shown where visible says so. A context that
// belongs to no request sees nothing.
package api

import (
	"context"
	"net/http"
	"regexp"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/feed"
)

// Store is what the API asks of the store. Its methods are called by many
// requests at once.
type Store interface {
	// Clusters lists every cluster that was ever read, counting the denials of
	// the 24 hours before now.
	Clusters(ctx context.Context, now time.Time) ([]authlog.ClusterSummary, error)
	// Denials lists at most f.Limit denials that f chooses, in descending order
	// of their IDs, or ascending where f asks for that.
	Denials(ctx context.Context, f authlog.DenialFilter) ([]authlog.Denial, error)
	// Counts counts the denials that f chooses by series and step, the series
	// with the most first.
	Counts(ctx context.Context, f authlog.CountFilter) ([]authlog.DenialSeries, error)
	// Cursors are how far these clusters were read, and which streams.
	Cursors(ctx context.Context, clusters []authlog.Cluster) ([]authlog.Cursor, error)
	// Diagnoses lists at most f.Limit diagnoses that f chooses, the one seen
	// last first, or last where f asks for that.
	Diagnoses(ctx context.Context, f authlog.DiagnosisFilter) ([]authlog.Diagnosis, error)
	// Diagnosis returns one, or an error that is authlog.ErrNotFound.
	Diagnosis(ctx context.Context, id string) (authlog.Diagnosis, error)
	// Principals lists at most f.Limit principals that f chooses, each on each
	// of its clusters, the one heard of last first, or last where f asks for
	// that.
	Principals(ctx context.Context, f authlog.PrincipalFilter) ([]authlog.PrincipalSummary, error)
	// Samples lists at most limit samples of a cluster and code, the newest
	// first.
	Samples(ctx context.Context, c authlog.Cluster, code string, limit int) ([]authlog.Sample, error)
}

// Health tells whether the service does its work.
type Health interface {
	// Ready reports whether the store is open and every reachable shard has
	// had a window read, and the state of each shard. It is quick and safe to
	// share.
	Ready() (ok bool, shards []authlog.ShardStatus)
}

// Config holds what New builds from. Store, Health, Gatherer and Log are needed.
type Config struct {
	Store      Store
	Health     Health
	Callers    Callers               // nil: everyone may ask, and is an admin
	Manager    Manager               // nil: POST /-/reload is refused
	Feed       *feed.Feed            // nil: GET /stream is refused
	Access     Access                // nil: nothing is known but by the log
	Explainer  Explainer             // nil: POST /explain is refused
	Linter     Linter                // nil: POST /lint/aws-auth is refused
	Gatherer   prometheus.Gatherer   // what /metrics shows
	Registerer prometheus.Registerer // where the metrics of the requests go; nil: nowhere
	Log        zerolog.Logger
	Version    string           // shown on the landing page
	Now        func() time.Time // nil: time.Now

	Limits      Limits
	Hosts       []string       // names by which a proxy may ask over loopback
	Origins     *regexp.Regexp // of pages that may read the answers (CORS); nil: none
	Profile     bool           // /debug/pprof answers admins
	OpenMetrics bool           // /metrics answers everyone
	NoMetrics   bool           // there is no /metrics
	NoHealth    bool           // there are no /-/healthy and /-/ready
}

// New builds the handler of every route. It is safe to share, and needs no
// closing.
func New(cfg Config) *chi.Mux {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	counted := inTurn{cfg.Store, make(chan struct{}, countsAtOnce)}
	cfg.Store = scoped{withUnread{counted, cfg.Access}} // no handler sees more than its caller may
	r := newRouter(&cfg)
	if !cfg.NoHealth {
		health(r, &cfg)
	}
	if !cfg.NoMetrics {
		if cfg.OpenMetrics {
			metrics(r, &cfg)
		} else {
			metrics(r.With(forAll), &cfg)
		}
	}
	get(r.With(admit), streamPath, newStreamer(&cfg).serve) // which takes longer than others, and bounds itself
	r.Group(func(r chi.Router) { manage(r, &cfg) })
	r.Group(func(r chi.Router) {
		r.Use(admit, limitRequests(cfg.Limits.Requests), limitTime)
		findings(r, &cfg)
		catalogues(r)
		get(r, "/", landing(cfg.Version))
		get(r, "/openapi.json", answer(openAPIJSON()))
		get(r, "/openapi.yaml", answer(openAPIYAML))
	})
	return r
}

// NewTelemetry builds the handler of a listener for metrics and health alone.
func NewTelemetry(cfg Config) *chi.Mux {
	cfg.NoHealth = false
	r := newRouter(&cfg)
	health(r, &cfg)
	metrics(r.With(admit), &cfg)
	return r
}

// newRouter answers what has no route, and does for all routes what must be
// done for each. Who asks is known in every handler; to let in whom it is for
// is the route's own business.
func newRouter(cfg *Config) *chi.Mux {
	r := chi.NewRouter()
	r.Use(withLog(cfg.Log), countFloods(cfg.Log), newRequestMetrics(cfg.Registerer).observe, secureHeaders, compress, recoverPanic,
		allowOrigins(cfg.Origins), // first: a page must be able to read why it was refused
		limitRate(cfg), checkHost(cfg.Hosts), identify(cfg.Callers))
	r.NotFound(admit(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fail(w, r, noRoute(r)) })).ServeHTTP)
	r.MethodNotAllowed(admit(http.HandlerFunc(methodNotAllowed)).ServeHTTP)
	return r
}

// health are the routes for probes, which show no token.
func health(r chi.Router, cfg *Config) {
	get(r, healthyPath, healthy)
	get(r, readyPath, ready(cfg.Health))
}

func metrics(r chi.Router, cfg *Config) {
	get(r.With(limitRequests(cfg.Limits.Requests)), metricsPath, scrape(cfg.Gatherer, cfg.Log))
}

// findings are the routes that tell of clusters.
func findings(r chi.Router, cfg *Config) {
	which := []param{{name: "account"}, {name: "region"}}
	get(r, "/clusters", answer(listClusters(cfg), clusterParams()...))
	get(r, "/clusters/{name}", answer(showCluster(cfg), which...))
	get(r, "/clusters/{name}/access", answer(showAccess(cfg), which...))
	get(r, "/clusters/{name}/creator", answer(showCreator(cfg), which...))
	get(r, "/clusters/{name}/denials", answer(listDenials(cfg.Store, cfg.Now), denialParams()...))
	get(r, "/clusters/{name}/denials/stats", answer(clusterStats(cfg.Store, cfg.Now), statsParams()...))
	get(r, "/clusters/{name}/lockouts", answer(listLockoutsOf(cfg), lockoutParams()...))
	get(r, "/clusters/{name}/principals", answer(listPrincipals(cfg.Store, cfg.Now), principalParams()...))
	get(r, "/stats", answer(fleetStats(cfg.Store, cfg.Now), append(statsParams(), param{name: "cluster"})...))
	get(r, "/lockouts", answer(listLockouts(cfg), diagnosisParams()...))
	get(r, "/diagnoses", answer(listDiagnoses(cfg), diagnosisParams()...))
	get(r, "/diagnoses/{id}", answer(showDiagnosis(cfg.Store)))
	get(r, "/principals/*", answer(showPrincipal(cfg.Store)))
	r.With(uncoded).Post("/explain", explain(cfg))
	r.With(uncoded).Post("/lint/aws-auth", lint(cfg))
}

// catalogues are the routes that are the same for everyone.
func catalogues(r chi.Router) {
	get(r, "/catalogue/diagnoses", answer(listCatalogue()))
	get(r, "/catalogue/diagnoses/{code}", answer(showCatalogueEntry))
	get(r, "/reasons", answer(listReasons()))
	get(r, "/reasons/{code}", answer(showReason))
	get(r, "/problems/{type}", answer(showProblemType))
}

// get adds a route that is only read: GET, and HEAD with the same headers.
func get(r chi.Router, pattern string, h http.HandlerFunc) {
	r.Get(pattern, h)
	r.Head(pattern, h)
}
