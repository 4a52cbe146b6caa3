package main

import (
	"context"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/eks-authlog/eks-authlog/internal/config"
)

type serveCmd struct {
	ConfigFile string `name:"config.file" help:"Configuration file. Without one: the region and credentials of the AWS chain, all EKS clusters." placeholder:"FILE"`

	webFlags
}

// Help says how it is run.
func (c *serveCmd) Help() string {
	return `SIGHUP reads the configuration file, the tokens file and the web configuration file anew; if
anything is wrong with one of them nothing changes, and the log names file, line and key.
Certificates are read anew with each connection. SIGTERM lets running requests end.

Under systemd use Type=notify-reload, and WatchdogSec= if you like.`
}

// Run is the daemon; it ends with ctx.
func (c *serveCmd) Run(ctx context.Context, r *run) error {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	load := func() (*config.Config, error) { return loadConfig(c.ConfigFile) }
	d, err := newDaemon(ctx, load, c.webFlags, r.log)
	if err != nil {
		return err
	}
	cfg := d.cfg.Load()
	r.log.Info().Str("address", d.url()).Str("database", cfg.Storage.Path).Int("sources", len(cfg.Sources)).Msg("serving")
	d.site.warn()
	return d.run(ctx, hangups)
}

// loadConfig reads the file, or takes the defaults when it is not named, and
// settles where the database is.
func loadConfig(file string) (*config.Config, error) {
	cfg := config.Default()
	if file != "" {
		var err error
		if cfg, err = config.Load(file); err != nil {
			return nil, err
		}
	}
	if cfg.Storage.Path == "" {
		cfg.Storage.Path = filepath.Join(stateDir(), "analyzer.db")
	}
	return cfg, nil
}

// stateDir is where findings are kept: systemd's StateDirectory, else the
// user's state directory.
func stateDir() string {
	if dir := os.Getenv("STATE_DIRECTORY"); dir != "" {
		return dir
	}
	if dir := os.Getenv("XDG_STATE_HOME"); dir != "" {
		return filepath.Join(dir, "eks-authlog")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "."
	}
	return filepath.Join(home, ".local", "state", "eks-authlog")
}
