package main_test

import (
	"bytes"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/eks-authlog/eks-authlog/internal/awssim"
	"github.com/eks-authlog/eks-authlog/internal/callers"
)

// startAWS simulates an account with one cluster.
func startAWS(t *testing.T) *awssim.Server {
	t.Helper()
	world := awssim.NewWorld(time.Now)
	addCluster(t, world.Account("111122223333").Region("eu-central-1"), "prod", time.Hour, streamA)
	aws, err := awssim.Start(world)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { aws.Close() })
	return aws
}

// An answered is what an answer says before its body.
type answered struct {
	status int
	header http.Header
	http   int   // its version
	serial int64 // of the server's certificate; 0 without TLS
}

// send sends a request of that method, which set may change.
func send(t *testing.T, c *http.Client, method, url string, set func(*http.Request)) (a answered, err error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if set != nil {
		set(req)
	}
	resp, err := c.Do(req)
	if err != nil {
		return a, err
	}
	defer resp.Body.Close()
	a = answered{status: resp.StatusCode, header: resp.Header, http: resp.ProtoMajor}
	if resp.TLS != nil {
		a.serial = resp.TLS.PeerCertificates[0].SerialNumber.Int64()
	}
	return a, nil
}

func TestServeAsksForACertificateAndTakesNewOnesOver(t *testing.T) {
	ours, theirs := newAuthority(t), newAuthority(t)
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	put := func(name string, data []byte) { t.Helper(); write(t, file(name), string(data)) }
	renew := func(serial int64) {
		t.Helper()
		cert, key := ours.issue(serial)
		put("server.key", nil) // a connection now meets half of a renewal
		put("server.crt", cert)
		put("server.key", key)
	}
	renew(100)
	put("ca.crt", ours.pem)
	put("web.yml", []byte(`tls_server_config: {cert_file: server.crt, key_file: server.key, client_ca_file: ca.crt, client_auth_type: RequireAndVerifyClientCert}
http_server_config: {headers: {Strict-Transport-Security: max-age=60, Content-Security-Policy: "sandbox"}}
`))
	c := start(t, startAWS(t), freeAddress(t), "serve", "--web.config.file", file("web.yml"), "--web.enable-lifecycle",
		"--web.listen-address", "0.0.0.0:0")
	url := strings.Replace(c.url, "http://", "https://", 1)
	good := ours.client(ours.issue(7))
	until(t, "it answers who shows a certificate", func() bool {
		resp, err := send(t, good, http.MethodGet, url+"/clusters", nil)
		return err == nil && resp.status == http.StatusOK
	})
	resp, err := send(t, good, http.MethodGet, url+"/clusters", nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp.serial != 100 || resp.http != 2 || resp.header.Get("Strict-Transport-Security") != "max-age=60" {
		t.Errorf("got %+v", resp)
	}
	for _, path := range []string{"/", "/clusters"} {
		if resp, err := send(t, good, http.MethodGet, url+path, nil); err != nil || resp.header.Get("Content-Security-Policy") != "sandbox" {
			t.Errorf("%s: the policy of the file is not kept: %+v, %v", path, resp.header, err)
		}
	}
	strangers := theirs.client(theirs.issue(8))
	strangers.Transport.(*http.Transport).TLSClientConfig.RootCAs = good.Transport.(*http.Transport).TLSClientConfig.RootCAs
	for name, client := range map[string]*http.Client{"no certificate": ours.client(nil, nil), "a stranger's": strangers} {
		if resp, err := send(t, client, http.MethodGet, url+"/clusters", nil); err == nil {
			t.Errorf("%s: answered %d", name, resp.status)
		}
	}
	if resp, err := send(t, &http.Client{}, http.MethodGet, c.url+"/clusters", nil); err == nil && resp.status == http.StatusOK {
		t.Error("answered without TLS")
	}

	put("server.key", []byte("half")) // being written
	if resp, err := send(t, good, http.MethodGet, url+"/clusters", nil); err != nil || resp.status != http.StatusOK {
		t.Errorf("while a renewal is written: %v", err)
	}
	renew(200)
	resp, err = send(t, good, http.MethodGet, url+"/clusters", nil)
	if err != nil || resp.serial != 200 {
		t.Errorf("a renewed certificate was not taken over: %v", err)
	}
	put("web.yml", nil)
	if resp, err := send(t, good, http.MethodPost, url+"/-/reload", nil); err != nil || resp.status != http.StatusInternalServerError {
		t.Errorf("TLS was switched off while running: %+v, %v", resp, err)
	}
	put("web.yml", []byte("tls_server_config: {cert_file: server.crt, key_file: server.key}\n"))
	if resp, err := send(t, good, http.MethodPost, url+"/-/reload", nil); err != nil || resp.status != http.StatusInternalServerError {
		t.Errorf("no certificate is asked for any more: %+v, %v", resp, err)
	}
	if err := c.signal(t, syscall.SIGTERM); err != nil {
		t.Errorf("ended by SIGTERM: %v", err)
	}
	if strings.Contains(c.stderr.String(), everyone) {
		t.Error("it warns that it asks for nothing")
	}
}

// everyone is what serve warns of that asks nobody who he is.
const everyone = "whoever reaches this address is told all"

func TestAReloadDoesNotMakeEveryoneAnAdmin(t *testing.T) {
	hash, err := bcrypt.GenerateFromPassword([]byte("right"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "web.yml")
	write(t, file, "basic_auth_users: {ann: "+string(hash)+"}\n")
	d := openDesk(t, startAWS(t), "storage: {path: DIR/analyzer.db}\n", "", "--web.config.file", file,
		"--web.listen-address", "0.0.0.0:0", "--web.enable-lifecycle")
	for _, text := range []string{"", "basic_auth_users: {}\n"} {
		write(t, file, text)
		resp, err := send(t, &http.Client{}, http.MethodPost, d.url+"/-/reload", func(r *http.Request) { r.SetBasicAuth("ann", "right") })
		if err != nil || resp.status != http.StatusInternalServerError {
			t.Errorf("%q is taken over: %+v, %v", text, resp, err)
		}
		if _, status := d.ask(http.MethodGet, "/clusters", ""); status != http.StatusUnauthorized {
			t.Errorf("%q: who shows nothing is answered %d", text, status)
		}
	}
	if err := d.signal(t, syscall.SIGTERM); err != nil {
		t.Errorf("ended by SIGTERM: %v", err)
	}
	if said := d.stderr.String(); !strings.Contains(said, "everyone would be an admin") || strings.Contains(said, everyone) {
		t.Errorf("the log says %s", said)
	}
}

func TestServeWarnsAfterEachReloadThatItAsksForNothing(t *testing.T) {
	d := openDesk(t, startAWS(t), "storage: {path: DIR/analyzer.db}\n", "", "--web.listen-address", "0.0.0.0:0", "--web.enable-lifecycle")
	if body, status := d.ask(http.MethodPost, "/-/reload", ""); status != http.StatusOK {
		t.Fatalf("%d %s", status, body)
	}
	if err := d.signal(t, syscall.SIGTERM); err != nil {
		t.Errorf("ended by SIGTERM: %v", err)
	}
	if n := strings.Count(d.stderr.String(), everyone); n != 2 {
		t.Errorf("warned %d times", n)
	}
}

func TestTokensAndPasswordsGoTogether(t *testing.T) {
	hash, err := bcrypt.GenerateFromPassword([]byte("right"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	token := callers.NewToken()
	web := filepath.Join(t.TempDir(), "web.yml")
	write(t, web, "basic_auth_users: {ann: "+string(hash)+"}\n")
	d := openDesk(t, startAWS(t), "storage: {path: DIR/analyzer.db}\n", "tokens:\n"+tokenItem("team", token, "clusters: [prod]"),
		"--web.config.file", web)
	for name, c := range map[string]struct {
		url, path string
		set       func(*http.Request)
		want      int
	}{
		"a token":                         {d.url, "/clusters", func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }, http.StatusOK},
		"a password":                      {d.url, "/clusters", func(r *http.Request) { r.SetBasicAuth("ann", "right") }, http.StatusOK},
		"a wrong password":                {d.url, "/clusters", func(r *http.Request) { r.SetBasicAuth("ann", "left") }, http.StatusUnauthorized},
		"nothing":                         {d.url, "/clusters", nil, http.StatusUnauthorized},
		"telemetry with a password":       {d.telemetry, "/metrics", func(r *http.Request) { r.SetBasicAuth("ann", "right") }, http.StatusOK},
		"telemetry without":               {d.telemetry, "/metrics", nil, http.StatusUnauthorized},
		"probes of the telemetry address": {d.telemetry, "/-/healthy", nil, http.StatusOK},
	} {
		resp, err := send(t, &http.Client{}, http.MethodGet, c.url+c.path, c.set)
		if err != nil || resp.status != c.want {
			t.Errorf("%s: %v, %v, want %d", name, resp, err, c.want)
		}
	}
}

// systemd starts a service so: with sockets from the third file on, named in
// the environment, and another socket to be told of its state.
func TestServeUnderSystemd(t *testing.T) {
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	telemetry, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	told, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "notify"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer told.Close() //nolint:errcheck // nobody is told any more
	hears := func(want string) {
		t.Helper()
		if err := told.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		for {
			b := make([]byte, 1024)
			n, err := told.Read(b)
			if err != nil {
				t.Fatalf("systemd is not told %s: %v", want, err)
			}
			if bytes.HasPrefix(b[:n], []byte(want)) {
				return
			}
		}
	}
	edit := func(cmd *exec.Cmd) {
		for _, l := range []net.Listener{ln, telemetry} {
			f, err := l.(*net.TCPListener).File()
			if err != nil {
				t.Fatal(err)
			}
			cmd.ExtraFiles = append(cmd.ExtraFiles, f)
		}
		// The process is named in LISTEN_PID, which a shell knows of itself.
		args := append([]string{"-c", `LISTEN_PID=$$ exec "$0" "$@"`}, cmd.Args...)
		cmd.Path, cmd.Args = "/bin/sh", append([]string{"/bin/sh"}, args...)
		cmd.Env = append(cmd.Env, "LISTEN_FDS=2", "LISTEN_FDNAMES=main.socket:telemetry",
			"NOTIFY_SOCKET="+told.LocalAddr().String(), "WATCHDOG_USEC=300000")
	}
	c := startWith(t, startAWS(t), "", edit, "serve", "--web.systemd-socket")
	c.url = "http://" + ln.Addr().String()
	ln.Close()
	hears("READY=1")
	if _, status, err := fetch(t.Context(), http.MethodGet, c.url+"/clusters", ""); err != nil || status != http.StatusOK {
		t.Errorf("the socket: %d, %v", status, err)
	}
	for path, want := range map[string]int{"/metrics": http.StatusOK, "/clusters": http.StatusNotFound} {
		if _, status, err := fetch(t.Context(), http.MethodGet, "http://"+telemetry.Addr().String()+path, ""); err != nil || status != want {
			t.Errorf("the socket named telemetry: %s: %d, %v", path, status, err)
		}
	}
	hears("WATCHDOG=1")
	if err := c.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	hears("RELOADING=1\nMONOTONIC_USEC=")
	hears("READY=1")
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	hears("STOPPING=1")
	if err := <-c.exited; err != nil {
		t.Errorf("ended by SIGTERM: %v", err)
	}
	c.exited <- nil
}

func TestServeRefusesToRunWithoutTheSocketsItWasPromised(t *testing.T) {
	status, said := runChild(t, startAWS(t), "serve", "--web.systemd-socket")
	if status != 1 || !strings.Contains(said, "systemd passed on no socket") {
		t.Errorf("status %d: %s", status, said)
	}
}

func TestARequestThatRunsIsAnsweredAfterSIGTERM(t *testing.T) {
	d := openDesk(t, startAWS(t), "storage: {path: DIR/analyzer.db}\n", "", "--web.enable-pprof")
	stream := make(chan error, 1)
	following := make(chan struct{})
	go func() { // whoever follows the stream is sent away at once
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, d.url+"/stream", http.NoBody)
		if err != nil {
			stream <- err
			return
		}
		resp, err := (&http.Client{}).Do(req)
		close(following)
		if err == nil {
			defer resp.Body.Close()
			_, err = new(bytes.Buffer).ReadFrom(resp.Body)
		}
		stream <- err
	}()
	<-following
	type answer struct {
		body   string
		status int
		err    error
	}
	slow := make(chan answer, 1)
	go func() {
		body, status, err := fetch(t.Context(), http.MethodGet, d.url+"/debug/pprof/trace?seconds=3", "")
		slow <- answer{body, status, err}
	}()
	until(t, "the slow request runs", func() bool {
		body, _ := d.ask(http.MethodGet, "/debug/pprof/goroutine?debug=2", "")
		return strings.Contains(body, "pprof.Trace")
	})
	if err := d.signal(t, syscall.SIGTERM); err != nil {
		t.Errorf("ended by SIGTERM: %v", err)
	}
	if a := <-slow; a.err != nil || a.status != http.StatusOK || a.body == "" {
		t.Errorf("the request that ran: %d, %d bytes, %v", a.status, len(a.body), a.err)
	}
	if err := <-stream; err != nil {
		t.Errorf("the stream: %v", err)
	}
	if _, _, err := fetch(t.Context(), http.MethodGet, d.url+"/clusters", ""); err == nil {
		t.Error("a new request is answered")
	}
}
