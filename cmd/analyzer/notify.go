package main

import (
	"context"
	"time"

	systemd "github.com/coreos/go-systemd/v22/daemon"
	"github.com/rs/zerolog"
)

// What systemd is told (sd_notify(3)).
const (
	ready    = systemd.SdNotifyReady
	stopping = systemd.SdNotifyStopping
)

func reloading() string { return systemd.SdNotifyReloading + "\n" + systemd.SdNotifyMonotonicUsec() }

// notify tells systemd, where it asked to be told.
func notify(log zerolog.Logger, state string) {
	if _, err := systemd.SdNotify(false, state); err != nil {
		log.Warn().Err(err).Msg("systemd could not be told")
	}
}

// watchdog tells systemd, where it asks, that the service is alive as long as
// its store answers. A process that hangs is started anew.
func (d *daemon) watchdog(ctx context.Context) {
	interval, err := systemd.SdWatchdogEnabled(false)
	if err != nil || interval <= 0 {
		return
	}
	tick := time.NewTicker(interval / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		asking, cancel := context.WithTimeout(ctx, interval/3)
		err := d.store.Ping(asking)
		cancel()
		if err != nil {
			d.log.Error().Err(err).Msg("the store does not answer; systemd is not told that the service is alive")
			continue
		}
		notify(d.log, systemd.SdNotifyWatchdog)
	}
}
