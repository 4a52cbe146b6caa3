package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/access"
	"github.com/eks-authlog/eks-authlog/internal/api"
	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/explain"
)

// maxPasted is how much text explain reads, in bytes.
const maxPasted = 8 << 20

type explainCmd struct {
	File     string `arg:"" optional:"" help:"File with what you have; - or none for standard input."`
	Output   string `help:"Form of the answer: ${enum}." enum:"text,markdown,json" default:"text" short:"o"`
	Cluster  string `help:"Name of the cluster, for the commands." placeholder:"NAME"`
	Region   string `help:"Its region." placeholder:"REGION"`
	Account  string `help:"Its account." placeholder:"ID"`
	AuthMode string `name:"auth-mode" help:"Its authentication mode: ${enum}." enum:"API,API_AND_CONFIG_MAP,CONFIG_MAP," default:""`
	AWSAuth  string `name:"aws-auth" help:"File with its aws-auth ConfigMap." placeholder:"FILE"`
	Entries  string `name:"access-entries" help:"File with what the AWS CLI says of its access entries, in JSON." placeholder:"FILE"`
}

// Help says what can be pasted.
func (c *explainCmd) Help() string {
	return `Paste whatever there is: lines of the authenticator log in any wrapping, what kubectl, kubelet, helm
or the AWS CLI said, the answer of "aws sts get-caller-identity", or all of them in one text. Nothing
is stored or sent anywhere.

  kubectl get svc 2>&1 | analyzer explain
  analyzer explain --cluster prod --region eu-central-1 incident.log

What the cluster's own configuration says makes the answer certain. The file of --access-entries takes
the answers of list-access-entries, describe-access-entry and describe-cluster, one after the other:

  kubectl -n kube-system get cm aws-auth -o yaml > aws-auth.yaml
  (aws eks describe-cluster --name prod; aws eks list-access-entries --cluster-name prod) > entries.json
  analyzer explain --aws-auth aws-auth.yaml --access-entries entries.json incident.log`
}

// Run answers what was pasted.
func (c *explainCmd) Run(r *run) error {
	if c.Account != "" && !authlog.IsAccount(c.Account) {
		return fmt.Errorf("--account: %q is no account id of 12 digits", c.Account)
	}
	text, err := readAll(c.File, r.stdin)
	if err != nil {
		return err
	}
	p := api.Pasted{
		Text: text, Cluster: authlog.Cluster{Name: c.Cluster, Account: c.Account, Region: c.Region},
		Mode: authlog.AuthMode(c.AuthMode), Now: time.Now().UTC(),
	}
	if p.AWSAuth, err = readFile(c.AWSAuth, r); err != nil {
		return fmt.Errorf("--aws-auth: %w", err)
	}
	if p.AccessEntries, err = readFile(c.Entries, r); err != nil {
		return fmt.Errorf("--access-entries: %w", err)
	}
	answer, err := explainer{}.Explain(p)
	if err != nil {
		return err
	}
	switch c.Output {
	case "json":
		return answer.WriteJSON(r.stdout)
	case "markdown":
		return answer.WriteMarkdown(r.stdout)
	default:
		return answer.WriteText(r.stdout)
	}
}

// readFile reads a file whose name may be empty.
func readFile(name string, r *run) (string, error) {
	if name == "" {
		return "", nil
	}
	return readAll(name, r.stdin)
}

// explainer answers POST /explain.
type explainer struct{}

// Explain answers what was pasted.
func (explainer) Explain(p api.Pasted) (api.Explanation, error) {
	o := explain.Options{Cluster: p.Cluster, Facts: authlog.ClusterFacts{Mode: p.Mode}, Now: p.Now}
	if p.AWSAuth+p.AccessEntries != "" {
		files, err := access.ReadFiles(p.Cluster, p.Mode, []byte(p.AWSAuth), []byte(p.AccessEntries))
		if err != nil {
			return nil, err
		}
		o.Facts, o.Configuration = files.Facts(), files.Explain
	}
	a := explain.Text(p.Text, o)
	return &a, nil
}

// readAll reads a file, or standard input for "-" and "", up to maxPasted.
func readAll(name string, stdin io.Reader) (string, error) {
	in := stdin
	if name != "" && name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return "", err
		}
		defer f.Close()
		in = f
	} else {
		name = "standard input"
	}
	var b strings.Builder
	n, err := io.Copy(&b, io.LimitReader(in, maxPasted+1))
	if err != nil {
		return "", fmt.Errorf("read %s: %w", name, err)
	}
	if n > maxPasted {
		return "", fmt.Errorf("%s is longer than %d MB: cut out the lines of the incident", name, maxPasted>>20)
	}
	return b.String(), nil
}
