package main

import (
	"context"
	"fmt"

	"github.com/eks-authlog/eks-authlog/internal/access/awsauth"
	"github.com/eks-authlog/eks-authlog/internal/api"
	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/diagnose"
	"github.com/eks-authlog/eks-authlog/internal/rules"
)

// linter answers POST /lint/aws-auth.
type linter struct{}

// LintAWSAuth checks an aws-auth.
func (linter) LintAWSAuth(f api.AWSAuthFile) api.LintReport {
	o := awsauth.Options{Mode: string(f.Mode), Account: f.Account, Granted: f.Granted}
	if f.Region != "" {
		o.Partition = diagnose.PartitionOf(f.Region)
	}
	return awsauth.Lint(f.Text, o)
}

type lintCmd struct {
	AWSAuth lintAWSAuthCmd `cmd:"" name:"aws-auth" help:"Check an aws-auth ConfigMap as the authenticator reads it."`
}

type lintAWSAuthCmd struct {
	File      string `arg:"" optional:"" help:"The manifest, or its data alone; - is standard input, as is none without --cluster."`
	Output    string `help:"Form of the findings: ${enum}." enum:"text,json,sarif,github" default:"text" short:"o"`
	Cluster   string `help:"The cluster that it is meant for. Without a file its aws-auth is read and checked." placeholder:"NAME"`
	AuthMode  string `name:"auth-mode" help:"Authentication mode of the cluster: ${enum}." enum:"API,API_AND_CONFIG_MAP,CONFIG_MAP," default:""`
	Account   string `help:"Account of the cluster." placeholder:"ID"`
	Region    string `help:"Region of the cluster." placeholder:"REGION"`
	Partition string `help:"Partition of the cluster, e.g. aws-cn." placeholder:"NAME"`

	WouldLockOut bool   `name:"would-lock-out" help:"Name the principals that got in to the cluster within 24 hours and that the file would deny. Who got in is asked of --server, which also knows whom an access entry lets in; else of the database."`
	Server       string `help:"A running daemon." placeholder:"URL"`
	StoragePath  string `name:"storage.path" help:"The database, while no daemon has it open." placeholder:"FILE"`
	ConfigFile   string `name:"config.file" help:"Configuration file of serve: its database and its sources." placeholder:"FILE"`
	Granted      string `help:"File with the principals that get in, one ARN a line, instead. A # begins a comment." placeholder:"FILE"`

	askFlags `embed:""`
}

// Help says how to use it before a change.
func (c *lintAWSAuthCmd) Help() string {
	return `The exit status is 1 if the file must not be applied, so that it serves as a pre-commit or CI check.

  kubectl -n kube-system get cm aws-auth -o yaml | analyzer lint aws-auth
  analyzer lint aws-auth --output=github aws-auth.yaml
  analyzer lint aws-auth --would-lock-out --cluster prod --server http://127.0.0.1:8484 aws-auth.yaml
  analyzer lint aws-auth --cluster prod`
}

// Run prints the findings.
func (c *lintAWSAuthCmd) Run(ctx context.Context, r *run) error {
	if err := c.check(); err != nil {
		return err
	}
	granted, err := c.granted(ctx, r)
	if err != nil {
		return err
	}
	report, err := c.report(ctx, r, granted)
	if err != nil {
		return err
	}
	if err := report.Write(r.stdout, c.Output); err != nil {
		return err
	}
	if report.Failed() || report.Refused {
		return &exitError{status: 1}
	}
	return nil
}

// check refuses what no cluster has: it would make every ARN of the file wrong.
func (c *lintAWSAuthCmd) check() error {
	switch {
	case c.Account != "" && !authlog.IsAccount(c.Account):
		return fmt.Errorf("--account: %q is no account id of 12 digits", c.Account)
	case c.Region != "" && !authlog.IsRegion(c.Region):
		return fmt.Errorf("--region: %q is no region such as eu-central-1", c.Region)
	case c.Partition != "" && !rules.IsPartition(c.Partition):
		return fmt.Errorf("--partition: %q is no partition such as aws-cn", c.Partition)
	}
	return nil
}

func (c *lintAWSAuthCmd) report(ctx context.Context, r *run, granted []string) (*awsauth.Report, error) {
	if c.File == "" && c.Cluster != "" {
		return c.ofCluster(ctx, r, granted)
	}
	text, err := readAll(c.File, r.stdin)
	if err != nil {
		return nil, err
	}
	o := awsauth.Options{File: c.File, Mode: c.AuthMode, Account: c.Account, Partition: c.Partition, Granted: granted}
	if o.Partition == "" && c.Region != "" {
		o.Partition = diagnose.PartitionOf(c.Region)
	}
	return awsauth.Lint([]byte(text), o), nil
}
