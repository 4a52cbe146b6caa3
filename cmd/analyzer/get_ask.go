package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/client"
)

// askTimeout is how long one answer may take; longer than the daemon works on
// one.
const askTimeout = 35 * time.Second

// An asker asks one daemon.
type asker struct {
	api     *client.ClientWithResponses
	streams *client.Client // for answers that do not end
	server  string
}

func (f *getFlags) asker(r *run) (*asker, error) {
	u, err := url.Parse(f.Server)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("--server: %q is no URL such as http://127.0.0.1:8484", f.Server)
	}
	token, err := f.token()
	if err != nil {
		return nil, err
	}
	if token != "" && u.Scheme == "http" && !isLoopback(u.Hostname()) {
		r.log.Warn().Str("server", u.Host).Msg("the token goes over the network in the clear; use https")
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if transport.TLSClientConfig, err = f.trust(); err != nil {
		return nil, err
	}
	version, _ := buildVersion()
	as := client.WithRequestEditorFn(func(_ context.Context, req *http.Request) error {
		req.Header.Set("User-Agent", "analyzer/"+version)
		if token != "" {
			req.Header.Set("Authorization", "Bearer "+token)
		}
		return nil
	})
	api, err := client.NewClientWithResponses(f.Server, as, client.WithHTTPClient(&http.Client{Transport: transport, Timeout: askTimeout}))
	if err != nil {
		return nil, err
	}
	streams, err := client.NewClient(f.Server, as, client.WithHTTPClient(&http.Client{Transport: transport}))
	return &asker{api: api, streams: streams, server: u.Redacted()}, err
}

// token is that of the file, or of the environment, or "".
func (f *getFlags) token() (string, error) {
	text, from := os.Getenv("EKS_AUTHLOG_TOKEN"), "the variable EKS_AUTHLOG_TOKEN"
	if f.TokenFile != "" {
		b, err := os.ReadFile(f.TokenFile)
		if err != nil {
			return "", fmt.Errorf("--token-file: %w", err)
		}
		text, from = string(b), f.TokenFile
		if strings.TrimSpace(text) == "" {
			return "", fmt.Errorf("--token-file: %s is empty", from)
		}
	}
	token := strings.TrimSpace(text)
	if strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", fmt.Errorf("%s holds no token: it must be one word of ASCII", from)
	}
	return token, nil
}

// trust adds the authorities of the file to those of the machine.
func (f *getFlags) trust() (*tls.Config, error) {
	if f.CAFile == "" {
		return nil, nil //nolint:nilnil // nil is net/http's own choice
	}
	text, err := os.ReadFile(f.CAFile)
	if err != nil {
		return nil, fmt.Errorf("--ca-file: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("--ca-file: %s has no certificate in PEM form", f.CAFile)
	}
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// unreachable says what to do about a request that got no answer.
func (a *asker) unreachable(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err // without the URL, whose query says nothing of the cause
	}
	var authority x509.UnknownAuthorityError
	switch {
	case errors.As(err, &authority):
		return fmt.Errorf("%s: %w: name the authority of its certificate by --ca-file", a.server, err)
	case errors.Is(err, http.ErrSchemeMismatch):
		return fmt.Errorf("%s does not speak TLS: try http:// in --server", a.server)
	}
	if _, ok := errors.AsType[*net.OpError](err); ok {
		return fmt.Errorf("cannot reach %s: %w: start it with \"analyzer serve\", or say by --server where it is", a.server, err)
	}
	return fmt.Errorf("ask %s: %w", a.server, err)
}

// refused is the error of an answer that is no success, or nil. ok says whether
// it had the document that a success has.
func (a *asker) refused(res *http.Response, problem *client.Problem, ok bool) error {
	switch {
	case res.StatusCode == http.StatusOK && ok:
		return nil
	case problem == nil || problem.Status == 0:
		return fmt.Errorf("%s answered %q, and not as the daemon does: is --server right?", a.server, res.Status)
	case res.StatusCode == http.StatusUnauthorized:
		return fmt.Errorf("%s: %w: give a token by --token-file or EKS_AUTHLOG_TOKEN", a.server, escaped(problem))
	}
	return escaped(problem)
}

// escaped is an error whose text does nothing to a terminal.
func escaped(err error) error { return errors.New(escape(err.Error())) }
