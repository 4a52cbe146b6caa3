package main

import (
	"context"
	"fmt"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/client"
)

type getCmd struct {
	Clusters   getClustersCmd   `cmd:"" help:"The clusters, and whether anybody is refused."`
	Denials    getDenialsCmd    `cmd:"" help:"Refused requests of a cluster, newest first."`
	Lockouts   getLockoutsCmd   `cmd:"" help:"Who is locked out, of which cluster, and why."`
	Principals getPrincipalsCmd `cmd:"" help:"Who came to a cluster, and was granted or denied."`
}

// Help says what becomes of the log's text.
func (c *getCmd) Help() string {
	return `Asks a running daemon. Text of the log is chosen by whoever called a Kubernetes API server:
control characters and the like leave escaped, in every form of output, so that they do nothing to
a terminal.

  analyzer get lockouts --watch
  analyzer get denials prod --since=1h --filter='principal=~".*deploy.*"' --output=csv`
}

// getFlags are those that all of "get" takes.
type getFlags struct {
	Server   string        `help:"Where the daemon serves." default:"http://127.0.0.1:8484" env:"EKS_AUTHLOG_SERVER" placeholder:"URL"`
	Output   string        `help:"Form of output: ${enum}." enum:"table,json,yaml,csv" default:"table" short:"o"`
	Limit    int           `help:"At most this many rows; 0 is all there are." default:"100"`
	Watch    bool          `help:"Go on, and print each row that is new or has changed." short:"w"`
	Interval time.Duration `help:"How often --watch asks; denials come by themselves." default:"5s"`

	askFlags `embed:""`
}

// Validate refuses what would be taken for no limit.
func (f *getFlags) Validate() error {
	if f.Limit < 0 {
		return fmt.Errorf("--limit: %d is below 0", f.Limit)
	}
	return nil
}

func (f *getFlags) asker(r *run) (*asker, error) { return f.ask(f.Server, r) }

// chooseFlags choose some of a list.
type chooseFlags struct {
	Since  string   `help:"For how long back, such as 15m, 24h or 7d." placeholder:"DURATION"`
	Filter []string `help:"Matcher in Alertmanager's syntax, such as principal=~\".*deploy.*\"; repeatable, all must hold." placeholder:"MATCHER" sep:"none"`
}

// whichFlags tell clusters of one name apart.
type whichFlags struct {
	Account string `help:"Account of the cluster." placeholder:"ID"`
	Region  string `help:"Region of the cluster." placeholder:"REGION"`
}

type getClustersCmd struct {
	Filter []string `help:"Matcher in Alertmanager's syntax, such as status!=\"ok\"; repeatable, all must hold." placeholder:"MATCHER" sep:"none"`

	getFlags `embed:""`
}

// Run prints the clusters.
func (c *getClustersCmd) Run(ctx context.Context, r *run) error {
	return c.get(ctx, r, func(ask *asker) *list { return ask.clusters(client.ListClustersParams{Filter: c.Filter}) })
}

type getDenialsCmd struct {
	Cluster string `arg:"" help:"Name of the cluster."`

	chooseFlags `embed:""`
	whichFlags  `embed:""`
	getFlags    `embed:""`
}

// Run prints denials.
func (c *getDenialsCmd) Run(ctx context.Context, r *run) error {
	if c.Watch {
		return c.follow(ctx, r)
	}
	return c.get(ctx, r, func(ask *asker) *list { return ask.denials(c.Cluster, c.params()) })
}

func (c *getDenialsCmd) params() client.ListDenialsParams {
	return client.ListDenialsParams{
		Since: given(c.Since), Filter: c.Filter, Account: given(c.Account), Region: given(c.Region),
	}
}

type getLockoutsCmd struct {
	Cluster string `arg:"" optional:"" help:"Name of the cluster; without it, of all."`
	State   string `help:"Whether it still holds: ${enum}. With --watch, one that is resolved is not printed again unless this is all." enum:"open,resolved,all" default:"open"`

	chooseFlags `embed:""`
	whichFlags  `embed:""`
	getFlags    `embed:""`
}

// Run prints lockouts.
func (c *getLockoutsCmd) Run(ctx context.Context, r *run) error {
	params := client.ListLockoutsParams{
		State: new(client.ListLockoutsParamsState(c.State)), Account: given(c.Account), Region: given(c.Region),
		Since: given(c.Since), Filter: c.Filter,
	}
	return c.get(ctx, r, func(ask *asker) *list { return ask.lockouts(c.Cluster, params) })
}

type getPrincipalsCmd struct {
	Cluster string `arg:"" help:"Name of the cluster."`
	Denied  bool   `help:"Only those that were denied."`

	chooseFlags `embed:""`
	whichFlags  `embed:""`
	getFlags    `embed:""`
}

// Run prints principals.
func (c *getPrincipalsCmd) Run(ctx context.Context, r *run) error {
	params := client.ListPrincipalsParams{Account: given(c.Account), Region: given(c.Region), Since: given(c.Since), Filter: c.Filter}
	if c.Denied {
		params.Denied = new(client.ListPrincipalsParamsDeniedTrue)
	}
	return c.get(ctx, r, func(ask *asker) *list { return ask.principals(c.Cluster, params) })
}

// get prints the list that choose makes, once or until ctx ends.
func (f *getFlags) get(ctx context.Context, r *run, choose func(*asker) *list) error {
	ask, err := f.asker(r)
	if err != nil {
		return err
	}
	l := choose(ask)
	out := newPrinter(f.Output, l, r.stdout, time.Now)
	if f.Watch {
		return f.watch(ctx, l, out, r.log)
	}
	rows, err := l.rows(ctx, f.Limit)
	if err != nil {
		return err
	}
	return out.whole(rows)
}

// given is nil for a flag that was not.
func given(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
