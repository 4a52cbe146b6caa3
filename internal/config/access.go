package config

import (
	"fmt"
	"regexp"
	"time"
)

// Access says what is read of a cluster besides its log, with the credentials
// of each source: what deploy/iam allows by tiers. A call that is refused lowers
// the tier, and nothing else changes.
type Access struct {
	// Tier is the highest one that is asked for: 0 nothing, 1 EKS, 2 aws-auth
	// too, 3 IAM too.
	Tier     int      `yaml:"tier"`
	Interval Duration `yaml:"interval"` // between two readings of one cluster
	Rate     float64  `yaml:"rate"`     // calls a second to EKS and IAM, per account and region
	// Kubernetes reads and watches aws-auth at the API servers, with a token of
	// the source's role. The role must have an access entry (deploy/iam), else
	// the clusters would refuse it, and their logs say so.
	Kubernetes bool `yaml:"kubernetes"`
	// InCluster is the cluster that the process runs in, whose aws-auth is read
	// with the pod's service account: its name, or account/region/name.
	InCluster string `yaml:"in_cluster"`
	// AWSAuthFiles are files to take the aws-auth of clusters from instead, by
	// name, or account/region/name.
	AWSAuthFiles map[string]string `yaml:"aws_auth_files"`
	// TrustedAccounts are accounts, besides each cluster's own, whose principals
	// may be let in.
	TrustedAccounts []string `yaml:"trusted_accounts"`
}

func defaultAccess() Access {
	return Access{Tier: 3, Interval: Duration(10 * time.Minute), Rate: 5}
}

var (
	clusterForm = regexp.MustCompile(`^([0-9]{12}/[a-z]{2}(-[a-z]+)+-[0-9]{1,2}/)?[0-9A-Za-z][A-Za-z0-9_-]{0,99}$`)
	accountForm = regexp.MustCompile(`^[0-9]{12}$`)
)

func validateAccess(a *Access, d *decoder) {
	if a.Tier < 0 || a.Tier > 3 {
		d.wrong("access.tier", fmt.Sprintf("%d is none of 0 (nothing), 1 (EKS), 2 (aws-auth too), 3 (IAM too)", a.Tier))
	}
	d.atLeast("access.interval", a.Interval, time.Second)
	if a.Rate <= 0 || a.Rate > 50 {
		d.wrong("access.rate", fmt.Sprintf("%g a second is not above 0 and at most 50", a.Rate))
	}
	if a.Tier < 2 {
		if a.Kubernetes {
			d.wrong("access.kubernetes", "needs access.tier 2 or 3")
		}
		if a.InCluster != "" {
			d.wrong("access.in_cluster", "needs access.tier 2 or 3")
		}
		if len(a.AWSAuthFiles) > 0 {
			d.wrong("access.aws_auth_files", "needs access.tier 2 or 3")
		}
	}
	if a.InCluster != "" {
		d.cluster("access.in_cluster", a.InCluster)
	}
	for _, name := range sortedKeys(a.AWSAuthFiles) {
		d.cluster("access.aws_auth_files", name)
		if a.AWSAuthFiles[name] == "" {
			d.wrong("access.aws_auth_files", name+" has no file")
		}
	}
	for i, account := range a.TrustedAccounts {
		if !accountForm.MatchString(account) {
			d.wrong(fmt.Sprintf("access.trusted_accounts[%d]", i), fmt.Sprintf("%q is no account id of 12 digits; put it in quotes", account))
		}
	}
}

func (d *decoder) cluster(key, name string) {
	if !clusterForm.MatchString(name) {
		d.wrong(key, fmt.Sprintf("%q is no name of a cluster, nor account/region/name", name))
	}
}
