package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"regexp"

	"github.com/prometheus/exporter-toolkit/web"
	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"github.com/eks-authlog/eks-authlog/internal/api"
	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/callers"
	"github.com/eks-authlog/eks-authlog/internal/config"
	"github.com/eks-authlog/eks-authlog/internal/listen"
)

// webFlags say how the API is served, as the programs around Prometheus spell
// it.
type webFlags struct {
	Listen      []string `name:"web.listen-address" help:"Address to serve on; may be given more than once. Others learn your principals if it is not a loopback address: see --web.tokens-file." default:"127.0.0.1:8484" sep:"none"`
	Telemetry   []string `name:"web.telemetry-listen-address" help:"Address to serve /metrics, /-/healthy and /-/ready on, without tokens; may be given more than once." placeholder:"ADDRESS" sep:"none"`
	Systemd     bool     `name:"web.systemd-socket" help:"Serve on the sockets that systemd passes on instead; one whose FileDescriptorName= is telemetry has metrics and health alone."`
	ConfigFile  string   `name:"web.config.file" help:"TLS, client certificates, users with a password and headers, as in https://prometheus.io/docs/prometheus/latest/configuration/https/." placeholder:"FILE"`
	TokensFile  string   `name:"web.tokens-file" help:"Who may ask, and for which clusters and accounts; analyzer token adds its items." placeholder:"FILE"`
	Metrics     string   `name:"web.metrics" help:"Whom /metrics answers on the main addresses: ${enum}. all-clusters asks for a token that sees every cluster." enum:"all-clusters,everyone,nobody" default:"all-clusters"`
	Health      string   `name:"web.health" help:"Whom /-/healthy and /-/ready answer on the main addresses: ${enum}." enum:"everyone,nobody" default:"everyone"`
	Origin      string   `name:"web.cors.origin" help:"Pages of which origins may read the answers: a regular expression that must match all of it, e.g. https?://(a|b)\\.example\\.com. None unless given." placeholder:"REGEX"`
	Hosts       []string `name:"web.allowed-host" help:"Host name that a proxy on this machine asks for; any other but localhost is refused on loopback addresses." placeholder:"NAME"`
	Rate        float64  `name:"web.rate-limit" help:"Requests a second from one address, ten times as many at once; 0 is no limit." default:"100"`
	MaxRequests int      `name:"web.max-requests" help:"Requests that are worked on at the same time; 0 is no limit." default:"256"`
	Lifecycle   bool     `name:"web.enable-lifecycle" help:"Let admins reload by POST /-/reload; SIGHUP always does."`
	Profile     bool     `name:"web.enable-pprof" help:"Let admins profile the process below /debug/pprof/."`
}

// hostForm is that of a name or address, with or without a port.
var hostForm = regexp.MustCompile(`^(?:[A-Za-z0-9._-]+|\[?[0-9A-Fa-f:.]+\]?)(?::[0-9]+)?$`)

// mostRate is far more than the service answers in a second.
const mostRate = 1_000_000

// Validate refuses values that would switch a protection off without saying so.
func (f *webFlags) Validate() error {
	if ok := f.Rate >= 0 && f.Rate <= mostRate; !ok { // so is NaN
		return fmt.Errorf("--web.rate-limit: %g is not from 0 to %d", f.Rate, mostRate)
	}
	if f.MaxRequests < 0 {
		return fmt.Errorf("--web.max-requests: %d is below 0", f.MaxRequests)
	}
	for _, host := range f.Hosts {
		if !hostForm.MatchString(host) {
			return fmt.Errorf("--web.allowed-host: %q is no host name such as authlog.example.com", host)
		}
	}
	return nil
}

// A site is where the API is served, and to whom.
type site struct {
	flags     webFlags
	log       zerolog.Logger
	origin    *regexp.Regexp
	callers   *callers.Callers
	front     *listen.Front
	listeners listen.Listeners
	servers   []*http.Server
	guarded   bool          // the files in force ask who one is; see guarded
	ending    chan struct{} // closed when it begins to end
}

// openSite reads the files and listens. Nothing is served before serve.
func openSite(ctx context.Context, flags webFlags, log zerolog.Logger) (*site, error) {
	s := &site{flags: flags, log: log, callers: callers.New(), ending: make(chan struct{})}
	if flags.Origin != "" {
		var err error
		if s.origin, err = regexp.Compile("^(?:" + flags.Origin + ")$"); err != nil {
			return nil, fmt.Errorf("--web.cors.origin: %w", err)
		}
	}
	holders, cfg, err := s.read()
	if err == nil {
		s.front, err = listen.NewFront(cfg, log)
	}
	if err != nil {
		return nil, err
	}
	s.take(holders, cfg)
	if flags.Systemd {
		s.listeners, err = listen.Systemd()
	} else {
		s.listeners, err = listen.Open(ctx, flags.Listen, flags.Telemetry)
	}
	return s, err
}

// read reads the tokens file and the web configuration file; nil for one that
// is not named.
func (s *site) read() (holders []callers.Holder, cfg *web.Config, err error) {
	var errs [2]error
	if s.flags.TokensFile != "" {
		var tokens []config.Token
		tokens, errs[0] = config.LoadTokens(s.flags.TokensFile)
		holders = holdersOf(tokens)
	}
	if s.flags.ConfigFile != "" {
		cfg, errs[1] = config.LoadWeb(s.flags.ConfigFile)
	}
	return holders, cfg, errors.Join(errs[:]...)
}

func holdersOf(tokens []config.Token) []callers.Holder {
	holders := make([]callers.Holder, len(tokens))
	for i := range tokens {
		t := &tokens[i]
		scope := authlog.Scope{Clusters: t.Clusters, Accounts: t.Accounts}
		everything := authlog.Everything()
		if len(scope.Clusters) == 0 {
			scope.Clusters = everything.Clusters
		}
		if len(scope.Accounts) == 0 {
			scope.Accounts = everything.Accounts
		}
		holders[i] = callers.Holder{Hash: t.SHA256, Caller: authlog.Caller{Name: t.Name, Scope: scope, Admin: t.Admin}}
	}
	return holders
}

func usersOf(cfg *web.Config) map[string]string {
	if cfg == nil {
		return nil
	}
	users := make(map[string]string, len(cfg.Users))
	for name, hash := range cfg.Users {
		users[name] = string(hash)
	}
	return users
}

// guarded reports whether the files ask who one is: for a token, a password, or
// a certificate of an authority that they name.
func guarded(holders []callers.Holder, cfg *web.Config) bool {
	return holders != nil ||
		cfg != nil && (len(cfg.Users) > 0 || cfg.TLSConfig.ClientAuth == "RequireAndVerifyClientCert")
}

// take puts in force who may ask.
func (s *site) take(holders []callers.Holder, cfg *web.Config) {
	s.callers.Set(holders, usersOf(cfg))
	s.guarded = guarded(holders, cfg)
}

// errUnguarded refuses what is a file that was emptied or half written more
// often than it is meant.
var errUnguarded = errors.New("asks for no password and no client certificate any more, so that everyone would be an admin: restart if that is meant")

// prepare reads the files anew. What it returns takes them over and cannot
// fail.
func (s *site) prepare() (takeOver func(), err error) {
	holders, cfg, err := s.read()
	if err != nil {
		return nil, err
	}
	takeFront, err := s.front.Prepare(cfg)
	if err == nil && s.guarded && !guarded(holders, cfg) {
		err = errUnguarded
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.flags.ConfigFile, err)
	}
	return func() {
		takeFront()
		s.take(holders, cfg)
	}, nil
}

// apply adds to cfg what the flags say.
func (s *site) apply(cfg *api.Config) {
	cfg.Callers = s.callers
	cfg.Limits = api.Limits{Rate: s.flags.Rate, Requests: s.flags.MaxRequests}
	cfg.Hosts = s.flags.Hosts
	cfg.Origins, cfg.Profile = s.origin, s.flags.Profile
	cfg.OpenMetrics, cfg.NoMetrics = s.flags.Metrics == "everyone", s.flags.Metrics == "nobody"
	cfg.NoHealth = s.flags.Health == "nobody"
}

// serve answers on all listeners until shutdown.
func (s *site) serve(g *errgroup.Group, cfg api.Config) {
	s.apply(&cfg)
	start := func(h http.Handler, listeners []net.Listener) {
		for _, ln := range listeners {
			srv := api.NewServer(s.front.Handler(h), s.log)
			s.servers = append(s.servers, srv)
			g.Go(func() error {
				if err := s.front.Serve(srv, ln); !errors.Is(err, http.ErrServerClosed) {
					return fmt.Errorf("serve on %s: %w", ln.Addr(), err)
				}
				return nil
			})
		}
	}
	start(api.New(cfg), s.listeners.Main)
	if len(s.listeners.Telemetry) > 0 {
		cfg.Callers = s.callers.Users()
		start(api.NewTelemetry(cfg), s.listeners.Telemetry)
	}
}

// shutdown lets running requests end until ctx is done. Streams end by
// themselves, with the feed.
func (s *site) shutdown(ctx context.Context) error {
	close(s.ending)
	var wait errgroup.Group
	for _, srv := range s.servers {
		wait.Go(func() error {
			if err := srv.Shutdown(ctx); err != nil {
				return errors.Join(srv.Close())
			}
			return nil
		})
	}
	return wait.Wait()
}

// url is the address to open.
func (s *site) url() string {
	scheme := "http://"
	if s.front.TLS() {
		scheme = "https://"
	}
	return scheme + s.listeners.Main[0].Addr().String()
}

// warn says so where others than this machine are answered, and asked for
// nothing.
func (s *site) warn() {
	if s.guarded {
		return
	}
	for _, ln := range s.listeners.Main {
		if addr, ok := ln.Addr().(*net.TCPAddr); ok && !addr.IP.IsLoopback() {
			s.log.Warn().Msg("whoever reaches this address is told all, and is an admin: see --web.tokens-file")
			return
		}
	}
}
