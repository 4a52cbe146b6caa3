package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"github.com/eks-authlog/eks-authlog/internal/awssim"
	"github.com/eks-authlog/eks-authlog/internal/config"
)

type demoCmd struct {
	Listen string `name:"web.listen-address" help:"Address to serve on." default:"127.0.0.1:8484"`
	Seed   uint64 `help:"Another seed gives other clusters' histories." default:"1"`
}

// Help says what is real here and what is not.
func (c *demoCmd) Help() string {
	return `The daemon is that of serve, with the real AWS SDK over HTTP; only AWS is simulated, on a loopback
port of this process: several clusters in two accounts and two regions, with hours of history and
new lines as time goes on. Nothing is kept when it ends.`
}

// Run plays the demo until ctx ends.
func (c *demoCmd) Run(ctx context.Context, r *run) (err error) {
	demo, err := awssim.NewDemo(time.Now, c.Seed)
	if err != nil {
		return err
	}
	aws, err := awssim.Start(demo.World) //nolint:contextcheck // it serves until Close
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, aws.Close()) }()
	dir, err := os.MkdirTemp("", "eks-authlog-demo-")
	if err != nil {
		return fmt.Errorf("make a directory for the demo's database: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := useAWS(aws); err != nil {
		return err
	}
	log := r.log
	if log.GetLevel() == zerolog.InfoLevel {
		log = log.Level(zerolog.WarnLevel) // the default is for people who run a service
	}
	load := func() (*config.Config, error) { return demoConfig(demo, dir), nil }
	d, err := newDaemon(ctx, load, webFlags{Listen: []string{c.Listen}}, log)
	if err != nil {
		return err
	}
	if err := welcome(r.stdout, d.url(), demo); err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return demo.Run(ctx) })
	g.Go(func() error { return d.run(ctx, nil) })
	return g.Wait()
}

// useAWS points the SDK's default chain at the simulated AWS, as a user would.
func useAWS(aws *awssim.Server) error {
	keys := aws.Credentials()
	var errs []error
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL":            aws.URL(),
		"AWS_ACCESS_KEY_ID":           keys.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY":       keys.SecretAccessKey,
		"AWS_SESSION_TOKEN":           keys.SessionToken,
		"AWS_PROFILE":                 "",
		"AWS_CONFIG_FILE":             os.DevNull,
		"AWS_SHARED_CREDENTIALS_FILE": os.DevNull,
		"AWS_EC2_METADATA_DISABLED":   "true",
	} {
		errs = append(errs, os.Setenv(name, value))
	}
	return errors.Join(errs...)
}

// demoConfig reads every shard of the demo, in a hurry.
func demoConfig(demo *awssim.Demo, dir string) *config.Config {
	cfg := config.Default()
	cfg.Sources = nil
	for _, s := range demo.Sources {
		cfg.Sources = append(cfg.Sources, config.Source{Regions: []string{s.Region}, RoleARN: s.RoleARN, ExternalID: s.ExternalID})
	}
	cfg.Tail.Interval = config.Duration(2 * time.Second)
	cfg.Tail.Settle.Max = config.Duration(3 * time.Minute)
	cfg.Tail.Lookback = config.Duration(7 * time.Hour)
	cfg.Tail.Step = config.Duration(7 * time.Hour)
	cfg.Limits.StartQueryRate, cfg.Limits.GetResultsRate, cfg.Limits.DescribeRate = 10, 10, 10
	cfg.Storage.Path = filepath.Join(dir, "analyzer.db")
	return cfg
}

func welcome(w io.Writer, url string, demo *awssim.Demo) error {
	_, err := fmt.Fprintf(w, `Reading %d shards (account and region) of a simulated AWS. Nothing leaves this machine.

  %[2]s/                       where to start
  %[2]s/lockouts               who is locked out of what, why, and what lets them in
  %[2]s/clusters               the clusters and their denials
  %[2]s/clusters/prod/denials  every refused request, and why
  %[2]s/clusters/web/access    what a cluster allows, and what is wrong with it
  %[2]s/reasons                what the reasons mean
  %[2]s/metrics                what Prometheus scrapes

Ctrl-C ends the demo.
`, len(demo.Sources), url)
	return err
}
