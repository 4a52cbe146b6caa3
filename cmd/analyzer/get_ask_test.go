package main_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
)

// A daemon that asks for a certificate, and whom it lets in for a password.
func TestGetShowsACertificateAndAPassword(t *testing.T) {
	ours, theirs := newAuthority(t), newAuthority(t)
	pair := func(cert, key []byte) tls.Certificate {
		t.Helper()
		p, err := tls.X509KeyPair(cert, key)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	daemon := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if name, password, _ := r.BasicAuth(); name != "ann" || password != "a: secret " {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprintln(w, `{"type":"about:blank","title":"Unauthorized","status":401,"detail":"no password","instance":"/"}`)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintln(w, `{"clusters":[],"next":null}`)
	}))
	authorities := x509.NewCertPool()
	authorities.AddCert(ours.cert)
	daemon.TLS = &tls.Config{
		MinVersion: tls.VersionTLS12, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: authorities,
		Certificates: []tls.Certificate{pair(ours.issue(1))},
	}
	daemon.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	daemon.StartTLS()
	defer daemon.Close()

	dir := t.TempDir()
	file := func(name string, text []byte) string {
		path := filepath.Join(dir, name)
		write(t, path, string(text))
		return path
	}
	certificate := func(name string, cert, key []byte) []string {
		return []string{"--cert-file", file(name+".crt", cert), "--key-file", file(name+".key", key)}
	}
	cert, key := ours.issue(2)
	mine := certificate("mine", cert, key)
	cert, key = theirs.issue(3)
	strangers := certificate("strangers", cert, key)
	password := []string{"--user", "ann", "--password-file", file("password", []byte("a: secret \r\n"))}
	token := []string{"--token-file", file("token", []byte("t0ken"))}
	for _, c := range []struct {
		args   [][]string
		status int
		want   string
	}{
		{[][]string{mine, password}, 0, ""},
		{[][]string{mine}, 1, "or a password by --user and --password-file"},
		{[][]string{password}, 1, "it asks for a certificate: give one by --cert-file and --key-file"},
		{[][]string{strangers, password}, 1, "it does not take the certificate of --cert-file"},
		{[][]string{mine[:2]}, 1, "--cert-file and --key-file go together"},
		{[][]string{{mine[0], mine[1], mine[2], strangers[3]}}, 1, "--cert-file and --key-file: tls: private key does not match"},
		{[][]string{mine, password[:2]}, 1, "--user and --password-file go together"},
		{[][]string{mine, password, token}, 1, "only one of them can be shown"},
	} {
		args := []string{"--server", daemon.URL, "--ca-file", file("ca.pem", ours.pem)}
		for _, more := range c.args {
			args = append(args, more...)
		}
		status, said := runChild(t, nil, append([]string{"get", "clusters"}, args...)...)
		if status != c.status || !strings.Contains(said, c.want) || strings.Contains(said, "analyzer serve") {
			t.Errorf("get %v: status %d: %s", c.args, status, said)
		}
		if c.status > 0 {
			lint := []string{"lint", "aws-auth", "--would-lock-out", "--cluster=prod", file("aws-auth.yaml", nil)}
			if _, said := runChild(t, nil, append(lint, args...)...); !strings.Contains(said, c.want) {
				t.Errorf("lint %v: %s", c.args, said)
			}
		}
	}
}
