package listen_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/exporter-toolkit/web"
	"github.com/rs/zerolog"

	"github.com/eks-authlog/eks-authlog/internal/config"
	"github.com/eks-authlog/eks-authlog/internal/listen"
)

// A folder holds a web configuration file and certificates.
type folder struct {
	t   *testing.T
	dir string
}

func newFolder(t *testing.T) folder {
	t.Helper()
	return folder{t, t.TempDir()}
}

func (f folder) put(name, text string) {
	f.t.Helper()
	if err := os.WriteFile(filepath.Join(f.dir, name), []byte(text), 0o600); err != nil {
		f.t.Fatal(err)
	}
}

// certificate writes NAME.crt and NAME.key.
func (f folder) certificate(name string, serial int64) {
	f.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		f.t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		f.t.Fatal(err)
	}
	f.put(name+".crt", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	f.put(name+".key", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
}

// config reads a web configuration file of that text.
func (f folder) config(text string) *web.Config {
	f.t.Helper()
	f.put("web.yml", text)
	cfg, err := config.LoadWeb(filepath.Join(f.dir, "web.yml"))
	if err != nil {
		f.t.Fatal(err)
	}
	return cfg
}

const (
	withTLS    = "tls_server_config: {cert_file: one.crt, key_file: one.key}\n"
	otherTLS   = "tls_server_config: {cert_file: two.crt, key_file: two.key}\n"
	withoutH2  = "http_server_config: {http2: false}\n"
	withHeader = "http_server_config: {headers: {X-Frame-Options: deny}}\n"
)

// A logBook keeps what is logged while connections are served.
type logBook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logBook) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logBook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// front serves an empty answer until the test ends.
func front(t *testing.T, cfg *web.Config) (f *listen.Front, address string, log *logBook) {
	t.Helper()
	log = &logBook{}
	f, err := listen.NewFront(cfg, zerolog.New(log))
	if err != nil {
		t.Fatal(err)
	}
	l, err := listen.Open(t.Context(), []string{"127.0.0.1:0"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: f.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})), ReadHeaderTimeout: time.Minute}
	done := make(chan error, 1)
	go func() { done <- f.Serve(srv, l.Main[0]) }()
	t.Cleanup(func() {
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return f, l.Main[0].Addr().String(), log
}

// serial is that of the certificate that a new connection is shown, and protocol
// what it may speak best.
func handshake(t *testing.T, address string) (serial int64, protocol string) {
	t.Helper()
	dialer := &tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2", "http/1.1"}}} //nolint:gosec // it is looked at
	conn, err := dialer.DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // nothing was written
	state := conn.(*tls.Conn).ConnectionState()
	return state.PeerCertificates[0].SerialNumber.Int64(), state.NegotiatedProtocol
}

// framing is the header X-Frame-Options of an answer over TLS.
func framing(t *testing.T, address string) string {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true} //nolint:gosec // it is looked at
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+address+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		t.Fatal(err)
	}
	if err := res.Body.Close(); err != nil {
		t.Fatal(err)
	}
	return res.Header.Get("X-Frame-Options")
}

func TestHTTP2IsSpokenUnlessTheFileForbidsIt(t *testing.T) {
	d := newFolder(t)
	d.certificate("one", 1)
	for text, want := range map[string]string{withTLS: "h2", withTLS + withoutH2: "http/1.1"} {
		f, address, _ := front(t, d.config(text))
		if _, got := handshake(t, address); got != want || !f.TLS() {
			t.Errorf("%s: %s, TLS: %v", text, got, f.TLS())
		}
	}
}

func TestARenewedCertificateIsShownToTheNextConnection(t *testing.T) {
	d := newFolder(t)
	d.certificate("one", 1)
	_, address, log := front(t, d.config(withTLS))
	d.certificate("one", 2)
	if got, _ := handshake(t, address); got != 2 {
		t.Errorf("after the renewal: %d", got)
	}
	if log.String() != "" {
		t.Errorf("logged: %s", log)
	}
	d.put("one.key", "half of a new ")
	if got, _ := handshake(t, address); got != 2 {
		t.Errorf("in the middle of the next one: %d", got)
	}
	if said := log.String(); !strings.Contains(said, "the last ones stay in force") || strings.Contains(said, "half of") {
		t.Errorf("logged: %s", said)
	}
	d.certificate("one", 3)
	if got, _ := handshake(t, address); got != 3 {
		t.Errorf("then: %d", got)
	}
}

func TestAnotherFileIsInForceWhenItIsTakenOver(t *testing.T) {
	d := newFolder(t)
	d.certificate("one", 1)
	d.certificate("two", 2)
	f, address, _ := front(t, d.config(withTLS))
	takeOver, err := f.Prepare(d.config(otherTLS + withHeader))
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := handshake(t, address); got != 1 || framing(t, address) != "" {
		t.Errorf("before it is taken over: %d, header %q", got, framing(t, address))
	}
	takeOver()
	if got, _ := handshake(t, address); got != 2 || framing(t, address) != "deny" {
		t.Errorf("afterwards: %d, header %q", got, framing(t, address))
	}
}

func TestWhatOnlyANewStartCanDoIsRefused(t *testing.T) {
	d := newFolder(t)
	d.certificate("one", 1)
	for _, c := range []struct {
		from, to string
		allowed  bool
	}{
		{withTLS, withTLS, true},
		{withTLS, "", false},
		{"", withTLS, false},
		{withTLS, withTLS + withoutH2, false},
		{"", withoutH2, true}, // without TLS there is none
		{"", withHeader, true},
	} {
		f, err := listen.NewFront(d.config(c.from), zerolog.Nop())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Prepare(d.config(c.to)); (err == nil) != c.allowed {
			t.Errorf("from %q to %q: %v", c.from, c.to, err)
		}
	}
}

func TestWithoutAFileThereIsNoTLS(t *testing.T) {
	f, err := listen.NewFront(nil, zerolog.Nop())
	if err != nil || f.TLS() {
		t.Fatalf("%v, TLS: %v", err, f.TLS())
	}
	takeOver, err := f.Prepare(nil)
	if err != nil {
		t.Fatal(err)
	}
	takeOver()
	if f.TLS() {
		t.Error("TLS is on")
	}
	if _, err := f.Prepare(newFolder(t).config(withHeader)); err != nil {
		t.Errorf("a file with headers: %v", err)
	}
}
