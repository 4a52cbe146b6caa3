package main

import (
	"bufio"
	"slices"
	"strings"

	"github.com/eks-authlog/eks-authlog/internal/access/awsauth"
	"github.com/eks-authlog/eks-authlog/internal/api"
	"github.com/eks-authlog/eks-authlog/internal/diagnose"
)

// linter answers POST /lint/aws-auth.
type linter struct{}

// LintAWSAuth checks an aws-auth.
func (linter) LintAWSAuth(f api.AWSAuthFile) api.LintReport {
	o := awsauth.Options{Mode: string(f.Mode), Account: f.Account, Granted: f.Granted}
	if f.Region != "" {
		o.Partition = diagnose.PartitionOf(f.Region)
	}
	return awsauth.Lint([]byte(f.Text), o)
}

type lintCmd struct {
	AWSAuth lintAWSAuthCmd `cmd:"" name:"aws-auth" help:"Check an aws-auth ConfigMap as the authenticator reads it."`
}

type lintAWSAuthCmd struct {
	File      string `arg:"" optional:"" help:"The manifest, or its data alone; - or none for standard input."`
	Output    string `help:"Form of the findings: ${enum}." enum:"text,json,sarif,github" default:"text" short:"o"`
	AuthMode  string `name:"auth-mode" help:"Authentication mode of the cluster: ${enum}." enum:"API,API_AND_CONFIG_MAP,CONFIG_MAP," default:""`
	Account   string `help:"Account of the cluster." placeholder:"ID"`
	Partition string `help:"Partition of the cluster, e.g. aws-cn." placeholder:"NAME"`
	Granted   string `name:"would-lock-out" help:"File of principals that get in now, one ARN a line: name those whom the file would deny." placeholder:"FILE"`
}

// Help says how to use it before a change.
func (c *lintAWSAuthCmd) Help() string {
	return `The exit status is 1 if the file must not be applied, so that it serves as a pre-commit or CI check.

  kubectl -n kube-system get cm aws-auth -o yaml | analyzer lint aws-auth
  analyzer lint aws-auth --output=github aws-auth.yaml`
}

// Run prints the findings.
func (c *lintAWSAuthCmd) Run(r *run) error {
	text, err := readAll(c.File, r.stdin)
	if err != nil {
		return err
	}
	o := awsauth.Options{File: c.File, Mode: c.AuthMode, Account: c.Account, Partition: c.Partition}
	if o.Granted, err = c.granted(r); err != nil {
		return err
	}
	report := awsauth.Lint([]byte(text), o)
	if err := report.Write(r.stdout, c.Output); err != nil {
		return err
	}
	if report.Failed() || report.Refused {
		return &exitError{status: 1}
	}
	return nil
}

// granted reads the principals that get in now.
func (c *lintAWSAuthCmd) granted(r *run) ([]string, error) {
	if c.Granted == "" {
		return nil, nil
	}
	text, err := readAll(c.Granted, r.stdin)
	if err != nil {
		return nil, err
	}
	var arns []string
	for lines := bufio.NewScanner(strings.NewReader(text)); lines.Scan(); {
		if arn := strings.TrimSpace(lines.Text()); arn != "" {
			arns = append(arns, arn)
		}
	}
	slices.Sort(arns)
	return slices.Compact(arns), nil
}
