package listen

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"sync"

	"github.com/prometheus/exporter-toolkit/web"
	"github.com/rs/zerolog"
)

// A Front is what stands before the handlers by a web configuration file: TLS,
// and headers of every answer. It is safe to share.
type Front struct {
	log zerolog.Logger

	mu   sync.Mutex
	cfg  *web.Config // nil: there is no file
	last *tls.Config // the last that could be made; nil: no TLS
}

// NewFront builds one for a checked file; nil is for none.
func NewFront(cfg *web.Config, log zerolog.Logger) (*Front, error) {
	f := &Front{log: log}
	if cfg == nil {
		return f, nil
	}
	tlsConfig, err := makeTLS(cfg)
	f.cfg, f.last = cfg, tlsConfig
	return f, err
}

// errSwitch says what only a new start can do.
var errSwitch = errors.New("TLS and HTTP/2 cannot be switched on or off while running: restart")

// Prepare makes ready what another checked file says. What it returns takes it
// over and cannot fail.
func (f *Front) Prepare(cfg *web.Config) (takeOver func(), err error) {
	if cfg == nil {
		return func() {}, nil
	}
	tlsConfig, err := makeTLS(cfg)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if (tlsConfig == nil) != (f.last == nil) || tlsConfig != nil && cfg.HTTPConfig.HTTP2 != f.cfg.HTTPConfig.HTTP2 {
		return nil, errSwitch
	}
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.cfg, f.last = cfg, tlsConfig
	}, nil
}

// TLS reports whether connections are encrypted.
func (f *Front) TLS() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.last != nil
}

// Handler adds the headers of the file to every answer of next.
func (f *Front) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		cfg := f.cfg
		f.mu.Unlock()
		if cfg != nil {
			for name, value := range cfg.HTTPConfig.Header {
				w.Header().Set(name, value)
			}
		}
		next.ServeHTTP(w, r)
	})
}

// Serve serves on ln until the server is shut down.
func (f *Front) Serve(srv *http.Server, ln net.Listener) error {
	f.mu.Lock()
	cfg, first := f.cfg, f.last
	f.mu.Unlock()
	if first == nil {
		return srv.Serve(ln)
	}
	if !cfg.HTTPConfig.HTTP2 {
		srv.Protocols = &http.Protocols{}
		srv.Protocols.SetHTTP1(true)
	}
	srv.TLSConfig = first.Clone()
	srv.TLSConfig.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return f.now(), nil }
	return srv.ServeTLS(ln, "", "")
}

// now is the TLS of one connection. Certificate, key and client CAs are read
// anew for each, as whoever renews them does not tell us; while they cannot be
// read, as in the middle of being written, the last ones stay in force.
func (f *Front) now() *tls.Config {
	f.mu.Lock()
	defer f.mu.Unlock()
	made, err := makeTLS(f.cfg)
	if err != nil {
		f.log.Error().Err(err).Msg("the certificate files cannot be read; the last ones stay in force")
		return f.last
	}
	f.last = made
	return made
}

// makeTLS reads the files that cfg names; nil if it wants no TLS.
func makeTLS(cfg *web.Config) (*tls.Config, error) {
	if !cfg.TLSConfig.IsEnabled() {
		return nil, nil
	}
	made, err := web.ConfigToTLSConfig(&cfg.TLSConfig)
	if err != nil {
		return nil, err
	}
	certificate, err := made.GetCertificate(nil)
	if err != nil {
		return nil, err
	}
	made.Certificates, made.GetCertificate = []tls.Certificate{*certificate}, nil
	made.NextProtos = []string{"http/1.1"}
	if cfg.HTTPConfig.HTTP2 {
		made.NextProtos = []string{"h2", "http/1.1"}
	}
	return made, nil
}
