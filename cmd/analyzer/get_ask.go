package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
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

	certified bool // it shows a certificate
}

// askFlags say what is shown to a daemon, and whom it is believed.
type askFlags struct {
	TokenFile    string `name:"token-file" help:"File that holds a bearer token. Without it the token may stand in the variable EKS_AUTHLOG_TOKEN." env:"EKS_AUTHLOG_TOKEN_FILE" placeholder:"FILE"`
	User         string `help:"Name to show with the password of --password-file, instead of a token." env:"EKS_AUTHLOG_USER" placeholder:"NAME"`
	PasswordFile string `name:"password-file" help:"File that holds the password of --user." env:"EKS_AUTHLOG_PASSWORD_FILE" placeholder:"FILE"`
	CAFile       string `name:"ca-file" help:"PEM file of the authorities to trust beside those of the machine." env:"EKS_AUTHLOG_CA_FILE" placeholder:"FILE"`
	CertFile     string `name:"cert-file" help:"PEM file of the certificate to show, with the ones between it and its authority." env:"EKS_AUTHLOG_CERT_FILE" placeholder:"FILE"`
	KeyFile      string `name:"key-file" help:"PEM file of the private key of --cert-file." env:"EKS_AUTHLOG_KEY_FILE" placeholder:"FILE"`
}

// ask is who asks the daemon there.
func (f *askFlags) ask(server string, r *run) (*asker, error) {
	u, err := url.Parse(server)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("--server: %q is no URL such as http://127.0.0.1:8484", server)
	}
	authorization, err := f.authorization()
	if err != nil {
		return nil, err
	}
	if authorization != "" && u.Scheme == "http" && !isLoopback(u.Hostname()) {
		r.log.Warn().Str("server", u.Host).Msg("the token or password goes over the network in the clear; use https")
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if transport.TLSClientConfig, err = f.tls(); err != nil {
		return nil, err
	}
	version, _ := buildVersion()
	as := client.WithRequestEditorFn(func(_ context.Context, req *http.Request) error {
		req.Header.Set("User-Agent", "analyzer/"+version)
		if authorization != "" {
			req.Header.Set("Authorization", authorization)
		}
		return nil
	})
	api, err := client.NewClientWithResponses(server, as, client.WithHTTPClient(&http.Client{Transport: transport, Timeout: askTimeout}))
	if err != nil {
		return nil, err
	}
	streams, err := client.NewClient(server, as, client.WithHTTPClient(&http.Client{Transport: transport}))
	return &asker{api: api, streams: streams, server: u.Redacted(), certified: f.CertFile != ""}, err
}

// authorization is the header of that name for the user or the token, or "".
func (f *askFlags) authorization() (string, error) {
	token, err := f.token()
	switch {
	case err != nil:
		return "", err
	case (f.User == "") != (f.PasswordFile == ""):
		return "", errors.New("--user and --password-file go together")
	case f.User != "" && token != "":
		return "", errors.New("--user and a token: only one of them can be shown")
	case token != "":
		return "Bearer " + token, nil
	case f.User == "":
		return "", nil
	}
	password, err := os.ReadFile(f.PasswordFile)
	if err != nil {
		return "", fmt.Errorf("--password-file: %w", err)
	}
	shown := append([]byte(f.User+":"), bytes.TrimRight(password, "\r\n")...)
	return "Basic " + base64.StdEncoding.EncodeToString(shown), nil
}

// token is that of the file, or of the environment, or "".
func (f *askFlags) token() (string, error) {
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

// tls trusts the authorities of the file beside those of the machine, and shows
// the certificate.
func (f *askFlags) tls() (*tls.Config, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	if f.CAFile != "" {
		text, err := os.ReadFile(f.CAFile)
		if err != nil {
			return nil, fmt.Errorf("--ca-file: %w", err)
		}
		if cfg.RootCAs, err = x509.SystemCertPool(); err != nil {
			cfg.RootCAs = x509.NewCertPool()
		}
		if !cfg.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("--ca-file: %s has no certificate in PEM form", f.CAFile)
		}
	}
	if (f.CertFile == "") != (f.KeyFile == "") {
		return nil, errors.New("--cert-file and --key-file go together")
	}
	if f.CertFile == "" {
		return cfg, nil
	}
	pair, err := tls.LoadX509KeyPair(f.CertFile, f.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("--cert-file and --key-file: %w", err)
	}
	// Shown whatever authorities the daemon names: what it has against another's
	// certificate it says itself.
	cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	return cfg, nil
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
	op, ok := errors.AsType[*net.OpError](err)
	switch {
	case !ok:
	case op.Op == alert && strings.Contains(op.Err.Error(), "certificate"):
		return fmt.Errorf("%s: %w: %s", a.server, err, a.certificateAdvice())
	case op.Op == "dial":
		return fmt.Errorf("cannot reach %s: %w: start it with \"analyzer serve\", or say by --server where it is", a.server, err)
	}
	return fmt.Errorf("ask %s: %w", a.server, err)
}

// alert is the operation at fault where the other side of TLS ended it, and said
// why.
const alert = "remote error"

func (a *asker) certificateAdvice() string {
	if a.certified {
		return "it does not take the certificate of --cert-file"
	}
	return "it asks for a certificate: give one by --cert-file and --key-file"
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
		return fmt.Errorf("%s: %w: give a token by --token-file or EKS_AUTHLOG_TOKEN, or a password by --user and --password-file", a.server, escaped(problem))
	}
	return escaped(problem)
}

// escaped is an error whose text does nothing to a terminal.
func escaped(err error) error { return errors.New(escape(err.Error())) }
