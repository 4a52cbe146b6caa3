package config

import (
	"crypto/tls"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/prometheus/exporter-toolkit/web"
	"golang.org/x/crypto/bcrypt"
)

// LoadWeb reads a web configuration file as the programs around Prometheus
// have it: TLS, client certificates, users with a password, headers
// (https://prometheus.io/docs/prometheus/latest/configuration/https/). Files
// that it names are read too, and must be what they should. A file that cannot
// be read gives the error of the file system; one that is wrong gives Faults.
func LoadWeb(path string) (*web.Config, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read web configuration: %w", err)
	}
	// These are the defaults of exporter-toolkit.
	cfg := &web.Config{
		TLSConfig:  web.TLSConfig{MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS13},
		HTTPConfig: web.HTTPConfig{HTTP2: true},
	}
	err = parse(path, text, cfg, func(d *decoder) {
		cfg.TLSConfig.SetDirectory(filepath.Dir(path))
		validateWeb(path, cfg, d)
	})
	if err != nil {
		return nil, err
	}
	return cfg, nil
}

func validateWeb(path string, cfg *web.Config, d *decoder) {
	if cfg.RateLimiterConfig != (web.RateLimiterConfig{}) {
		d.wrong("rate_limit", "is not for this service, which limits each client: leave it out and set --web.rate-limit")
	}
	users := make([]string, 0, len(cfg.Users))
	for name := range cfg.Users {
		users = append(users, name)
	}
	slices.Sort(users)
	for _, name := range users {
		if _, err := bcrypt.Cost([]byte(cfg.Users[name])); err != nil {
			d.wrong("basic_auth_users", fmt.Sprintf("the password of %q must be a bcrypt hash, such as htpasswd -nBC 10 prints: %v", name, err))
		}
	}
	if cfg.TLSConfig.IsEnabled() {
		validateTLS(&cfg.TLSConfig, d)
		if _, err := web.ConfigToTLSConfig(&cfg.TLSConfig); err != nil {
			d.wrong("tls_server_config", err.Error())
		}
	}
	if len(d.faults) > 0 {
		return
	}
	// What is left is the library's own to judge.
	if err := web.Validate(path); err != nil {
		d.wrong("http_server_config", err.Error())
	}
}

// validateTLS finds what the library takes, and what then lets in nobody or the
// wrong ones.
func validateTLS(t *web.TLSConfig, d *decoder) {
	const key = "tls_server_config"
	if t.MinVersion > t.MaxVersion {
		at := ".min_version"
		if d.at[key+at] == nil {
			at = ".max_version"
		}
		d.wrong(key+at, "no client can meet a min_version, TLS12 unless it is set, above max_version")
	}
	verifies := t.ClientAuth == "RequireAndVerifyClientCert" || t.ClientAuth == "VerifyClientCertIfGiven"
	if verifies && t.ClientCAs == "" && t.ClientCAsText == "" {
		d.wrong(key+".client_auth_type", "needs client_ca_file: without it a certificate of any public authority is taken")
	}
}
