package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/access"
	"github.com/eks-authlog/eks-authlog/internal/access/awsauth"
	"github.com/eks-authlog/eks-authlog/internal/api"
	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/client"
	"github.com/eks-authlog/eks-authlog/internal/metrics"
	"github.com/eks-authlog/eks-authlog/internal/rules"
	"github.com/eks-authlog/eks-authlog/internal/store"
)

// ofCluster reads the aws-auth of the cluster by that name, as the credentials
// of the sources see it.
func (c *lintAWSAuthCmd) ofCluster(ctx context.Context, r *run, granted []string) (*awsauth.Report, error) {
	cfg, err := loadConfig(c.ConfigFile)
	if err != nil {
		return nil, err
	}
	f := &fleet{cfg: cfg, meter: metrics.NewReader(metrics.NewRegistry("", "")), log: r.log}
	var faults []error
	var found *awsauth.Report
	looked := map[authlog.Shard]bool{}
	for i := range cfg.Sources {
		readers, err := f.readers(ctx, &cfg.Sources[i])
		faults = append(faults, err)
		for _, rd := range readers {
			report, err := c.inShard(ctx, f, rd, looked, granted)
			faults = append(faults, err)
			switch {
			case report == nil:
			case found != nil:
				return nil, c.ambiguous()
			default:
				found = report
			}
		}
	}
	if found != nil {
		return found, nil
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("EKS has no cluster %q in any account and region that is read", c.Cluster)
}

func (c *lintAWSAuthCmd) ambiguous() error {
	return fmt.Errorf("several clusters are named %q: say which by --account and --region", c.Cluster)
}

// inShard is ofCluster in one account and region, unless that was looked at
// before. Both are nil where it is not there.
func (c *lintAWSAuthCmd) inShard(ctx context.Context, f *fleet, rd *reader, looked map[authlog.Shard]bool, granted []string) (*awsauth.Report, error) {
	shard, err := rd.Shard(ctx)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", rd.name, err)
	}
	if looked[shard] || c.Account != "" && c.Account != shard.Account || c.Region != "" && c.Region != shard.Region {
		return nil, nil //nolint:nilnil // not here
	}
	looked[shard] = true
	cfg := accessConfig(&f.cfg.Access, rd, shard)
	cfg.Kubernetes, cfg.IAM = true, false
	reader := access.New(cfg, f.log)
	if _, err := reader.Access(ctx, c.Cluster); errors.Is(err, authlog.ErrNotFound) {
		return nil, nil //nolint:nilnil // not here
	}
	return reader.Lint(ctx, c.Cluster, granted)
}

// granted lists the principals that get in now: from a file, a running daemon
// or its database.
func (c *lintAWSAuthCmd) granted(ctx context.Context, r *run) ([]string, error) {
	switch {
	case c.Granted != "":
		text, err := readAll(c.Granted, r.stdin)
		if err != nil {
			return nil, fmt.Errorf("--granted: %w", err)
		}
		return principals(c.Granted, text)
	case !c.WouldLockOut:
		return nil, nil
	case c.Cluster == "":
		return nil, errors.New("--would-lock-out needs --cluster: it is that cluster's log that tells who gets in; or list them in a file for --granted")
	case c.Server != "":
		return c.grantedOnServer(ctx, r)
	}
	return c.grantedInStore(ctx, r)
}

// principals reads the canonical ARNs of a file that has one in each line: a
// session counts as its role, and a role is known without its path.
func principals(file, text string) ([]string, error) {
	var arns []string
	n := 0
	for line := range strings.Lines(text) {
		n++
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		arn, ok := rules.Canonical(words[0])
		if !ok || len(words) > 1 && !strings.HasPrefix(words[1], "#") {
			return nil, fmt.Errorf("--granted: %s:%d: %q is no ARN of a principal", file, n, strings.TrimSpace(line))
		}
		arns = append(arns, authlog.CanonicalARN(arn))
	}
	slices.Sort(arns)
	return slices.Compact(arns), nil
}

func (c *lintAWSAuthCmd) grantedOnServer(ctx context.Context, r *run) ([]string, error) {
	ask, err := c.ask(c.Server, r)
	if err != nil {
		return nil, err
	}
	// Its access refuses to choose among clusters of the same name.
	known, err := c.accessOnServer(ctx, ask)
	if err != nil {
		return nil, err
	}
	c.Account, c.Region = cmp.Or(c.Account, known.Cluster.Account), cmp.Or(c.Region, known.Cluster.Region)
	c.AuthMode = cmp.Or(c.AuthMode, string(known.Mode))
	creator, err := c.creatorOnServer(ctx, ask)
	if err != nil {
		return nil, err
	}
	limit, since := 500, time.Now().Add(-api.GrantedFor)
	params := client.ListPrincipalsParams{Account: given(c.Account), Region: given(c.Region), Limit: &limit}
	var arns []string
	for {
		res, err := ask.api.ListPrincipalsWithResponse(ctx, c.Cluster, &params)
		if err != nil {
			return nil, ask.unreachable(err)
		}
		if err := ask.refused(res.HTTPResponse, res.ApplicationProblemJSONDefault, res.JSON200 != nil); err != nil {
			return nil, err
		}
		for _, p := range res.JSON200.Principals {
			if p.LastGrant != nil && !p.LastGrant.Before(since) && !p.AWSOwned && p.ARN != "" {
				arns = append(arns, p.ARN)
			}
		}
		if params.Next = res.JSON200.Next; params.Next == nil || *params.Next == "" {
			return known.NeedAWSAuth(arns, creator), nil
		}
	}
}

// creatorOnServer is whom the daemon takes for the creator of the cluster; empty
// where it does not know, or knows several who may be it.
func (c *lintAWSAuthCmd) creatorOnServer(ctx context.Context, ask *asker) (string, error) {
	res, err := ask.api.GetCreatorWithResponse(ctx, c.Cluster, &client.GetCreatorParams{Account: given(c.Account), Region: given(c.Region)})
	if err != nil {
		return "", ask.unreachable(err)
	}
	if err := ask.refused(res.HTTPResponse, res.ApplicationProblemJSONDefault, res.JSON200 != nil); err != nil {
		return "", err
	}
	if who := res.JSON200.Creator; who != nil && string(who.Confidence) != string(authlog.ConfidenceLow) {
		return who.ARN, nil
	}
	return "", nil
}

// accessOnServer is what the daemon knows of who gets in by what.
func (c *lintAWSAuthCmd) accessOnServer(ctx context.Context, ask *asker) (*authlog.Access, error) {
	res, err := ask.api.GetAccessWithResponse(ctx, c.Cluster, &client.GetAccessParams{Account: given(c.Account), Region: given(c.Region)})
	if err != nil {
		return nil, ask.unreachable(err)
	}
	if err := ask.refused(res.HTTPResponse, res.ApplicationProblemJSONDefault, res.JSON200 != nil); err != nil {
		return nil, err
	}
	got := res.JSON200
	known := &authlog.Access{Cluster: authlog.Cluster{Name: c.Cluster, Account: got.Cluster.Account, Region: got.Cluster.Region}}
	for _, e := range got.Entries {
		known.Entries = append(known.Entries, authlog.AccessEntry{ARN: e.ARN})
	}
	if got.Mode != nil {
		known.Mode = authlog.AuthMode(*got.Mode)
	}
	if got.BootstrapAdmin != nil {
		known.BootstrapAdmin = authlog.Answer(*got.BootstrapAdmin)
	}
	if got.EntriesRead != nil {
		known.EntriesRead = *got.EntriesRead
	}
	if got.Creator != nil {
		known.Creator.ARN = got.Creator.ARN
	}
	if a := got.AWSAuth; a != nil {
		known.AWSAuth = &authlog.AWSAuth{Roles: itemsOf(a.Roles), Users: itemsOf(a.Users)}
	}
	return known, nil
}

func itemsOf(items []client.AWSAuthItem) []authlog.AWSAuthItem {
	var all []authlog.AWSAuthItem
	for _, i := range items {
		all = append(all, authlog.AWSAuthItem{ARN: i.ARN, Username: i.Username})
	}
	return all
}

func (c *lintAWSAuthCmd) grantedInStore(ctx context.Context, r *run) (arns []string, err error) {
	cfg, err := loadConfig(c.ConfigFile)
	if err != nil {
		return nil, err
	}
	if c.StoragePath != "" {
		cfg.Storage.Path = c.StoragePath
	}
	st, err := store.Open(ctx, cfg.Storage.Path, r.log)
	if err != nil {
		return nil, fmt.Errorf("%w; while serve runs, name it by --server", err)
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	now := time.Now()
	known, err := st.Clusters(ctx, now)
	if err != nil {
		return nil, err
	}
	found := false
	for i := range known {
		in := known[i].Cluster
		if in.Name != c.Cluster || c.Account != "" && c.Account != in.Account || c.Region != "" && c.Region != in.Region {
			continue
		}
		if found {
			return nil, c.ambiguous()
		}
		found = true
		if arns, err = api.NeedAWSAuth(ctx, st, in, nil, now.Add(-api.GrantedFor)); err != nil {
			return nil, err
		}
	}
	if !found {
		return nil, fmt.Errorf("%s has no cluster %q", cfg.Storage.Path, c.Cluster)
	}
	return arns, nil
}
