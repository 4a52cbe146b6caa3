package listen_test

import (
	"net"
	"strings"
	"testing"

	"github.com/eks-authlog/eks-authlog/internal/listen"
)

func TestOpenListensOnAllAddresses(t *testing.T) {
	l, err := listen.Open(t.Context(), []string{"127.0.0.1:0", "127.0.0.2:0"}, []string{"127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	if len(l.Main) != 2 || len(l.Telemetry) != 1 {
		t.Fatalf("%+v", l)
	}
	for _, ln := range append(l.Main, l.Telemetry...) {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := l.Main[0].Close(); err != nil { // as a server does that is shut down
		t.Error(err)
	}
	if err := l.Close(); err != nil {
		t.Errorf("what is closed already: %v", err)
	}
}

func TestOpenListensOnNoAddressIfOneIsTaken(t *testing.T) {
	taken, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, port, err := net.SplitHostPort(taken.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	free := net.JoinHostPort("127.0.0.3", port)
	for name, addresses := range map[string][2][]string{
		"main":      {{free, taken.Addr().String()}, nil},
		"telemetry": {{free}, {taken.Addr().String()}},
		"malformed": {{free, "nonsense"}, nil},
	} {
		if l, err := listen.Open(t.Context(), addresses[0], addresses[1]); err == nil || l.Main != nil || l.Telemetry != nil {
			t.Errorf("%s: %+v, %v", name, l, err)
		}
		again, err := listen.Open(t.Context(), []string{free}, nil)
		if err != nil {
			t.Fatalf("%s: the other address is not free again: %v", name, err)
		}
		if err := again.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestSystemdThatPassedNoSocketIsAnError(t *testing.T) {
	t.Setenv("LISTEN_PID", "")
	t.Setenv("LISTEN_FDS", "")
	if l, err := listen.Systemd(); err == nil || !strings.Contains(err.Error(), "leave --web.systemd-socket out") {
		t.Errorf("%+v, %v", l, err)
	}
}
