package main

import (
	"context"
	"os"
	"path/filepath"

	"github.com/eks-authlog/eks-authlog/internal/config"
)

type serveCmd struct {
	ConfigFile string `name:"config.file" help:"Configuration file. Without one: the region and credentials of the AWS chain, all EKS clusters." placeholder:"FILE"`
	Listen     string `name:"web.listen-address" help:"Address to serve on. Others learn your principals if it is not a loopback address." default:"127.0.0.1:8484"`
}

// Run is the daemon; it ends with ctx.
func (c *serveCmd) Run(ctx context.Context, r *run) error {
	cfg, err := loadConfig(c.ConfigFile)
	if err != nil {
		return err
	}
	d, err := newDaemon(ctx, cfg, c.Listen, r.log)
	if err != nil {
		return err
	}
	r.log.Info().Str("address", d.url()).Str("database", cfg.Storage.Path).Int("sources", len(cfg.Sources)).Msg("serving")
	return d.run(ctx)
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
