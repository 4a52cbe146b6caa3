// Package listen opens what the service is reached by: TCP addresses or the
// sockets that systemd holds, and TLS by a web configuration file as the
// programs around Prometheus have it. It must never decide who may ask: that is
// the API's.
package listen

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/coreos/go-systemd/v22/activation"
)

// Listeners are what is listened on.
type Listeners struct {
	Main      []net.Listener // all routes
	Telemetry []net.Listener // metrics and health alone
}

// Open listens on all addresses or on none. The caller closes it.
func Open(ctx context.Context, main, telemetry []string) (l Listeners, err error) {
	if l.Main, err = tcp(ctx, main); err == nil {
		l.Telemetry, err = tcp(ctx, telemetry)
	}
	if err != nil {
		return Listeners{}, errors.Join(err, l.Close())
	}
	return l, nil
}

func tcp(ctx context.Context, addresses []string) (open []net.Listener, err error) {
	for _, address := range addresses {
		ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
		if err != nil {
			return open, err
		}
		open = append(open, ln)
	}
	return open, nil
}

// telemetrySocket is the FileDescriptorName= of systemd sockets that are for
// metrics and health.
const telemetrySocket = "telemetry"

// Systemd takes over the sockets that systemd passed on (sd_listen_fds(3)):
// those named telemetry for metrics and health, all others for all routes. It
// may be called once.
func Systemd() (l Listeners, err error) {
	byName, err := activation.ListenersWithNames()
	if err != nil {
		return l, fmt.Errorf("take over the sockets of systemd: %w", err)
	}
	for name, sockets := range byName {
		for _, ln := range sockets {
			switch {
			case ln == nil: // a socket that takes no connections
			case name == telemetrySocket:
				l.Telemetry = append(l.Telemetry, ln)
			default:
				l.Main = append(l.Main, ln)
			}
		}
	}
	if len(l.Main) == 0 {
		return Listeners{}, errors.Join(
			errors.New("systemd passed on no socket to listen on: start the .socket unit, or leave --web.systemd-socket out"), l.Close())
	}
	return l, nil
}

// Close closes what is open; what a server closed already is no error.
func (l *Listeners) Close() error {
	var errs []error
	for _, ln := range append(l.Main, l.Telemetry...) {
		if err := ln.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
