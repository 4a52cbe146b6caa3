package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/config"
	"github.com/eks-authlog/eks-authlog/internal/metrics"
)

type queryCmd struct {
	Cluster    string `arg:"" help:"Name of the cluster."`
	For        string `help:"What to look for: ${enum}. creator lists grants of the user kubernetes-admin, which is a hint of who made the cluster, no proof." enum:"denials,grants,creator,all" default:"denials"`
	Limit      int    `help:"Most rows." default:"1000"`
	ConfigFile string `name:"config.file" help:"Configuration file of serve." placeholder:"FILE"`
}

// Help says where to paste it.
func (c *queryCmd) Help() string {
	return `Prints a query for the console of CloudWatch Logs Insights: choose the log group it names, a span
of time, paste, run. It names the authenticator's streams, so that only they are scanned; a filter
with "like" on @logStream would scan, and bill, the audit log as well.`
}

// messages are the filters on the message.
var messages = map[string]string{
	"denials": ` | filter @message like "access denied"`,
	"grants":  ` | filter @message like "access granted"`,
	"creator": ` | filter @message like "username=kubernetes-admin"`,
	"all":     "",
}

// Run prints a query for each log group of a cluster of that name.
func (c *queryCmd) Run(ctx context.Context, r *run) error {
	cfg, err := loadConfig(c.ConfigFile)
	if err != nil {
		return err
	}
	groups, err := findGroups(ctx, cfg, c.Cluster, r)
	for _, g := range groups {
		var names []string
		for _, s := range g.Streams {
			names = append(names, s.Name)
		}
		if len(names) == 0 {
			err = errors.Join(err, fmt.Errorf("%s in %s has no authenticator stream: is its authenticator log on?", g.Cluster.LogGroup(), g.Cluster.Region))
			continue
		}
		if _, werr := fmt.Fprintf(r.stdout, "# %s, account %s, region %s\nfields @timestamp, @message, @logStream | filter @logStream in [\"%s\"]%s | sort @timestamp desc | limit %d\n",
			g.Cluster.LogGroup(), g.Cluster.Account, g.Cluster.Region, strings.Join(names, `","`), messages[c.For], c.Limit); werr != nil {
			return werr
		}
	}
	if len(groups) == 0 && err == nil {
		return fmt.Errorf("no log group of a cluster %q in any region that is read", c.Cluster)
	}
	return err
}

// findGroups lists the log groups of the clusters of that name in every source.
func findGroups(ctx context.Context, cfg *config.Config, cluster string, r *run) ([]authlog.Group, error) {
	var found []authlog.Group
	var faults []error
	f := &fleet{cfg: cfg, meter: metrics.NewReader(metrics.NewRegistry("", "")), log: r.log}
	for i := range cfg.Sources {
		regions, err := f.regions(ctx, &cfg.Sources[i])
		faults = append(faults, err)
		for _, region := range regions {
			src, err := f.source(ctx, &cfg.Sources[i], region)
			if err != nil {
				faults = append(faults, err)
				continue
			}
			groups, err := src.Groups(ctx)
			if err != nil {
				faults = append(faults, fmt.Errorf("%s: %w", src.name, err))
			}
			for _, g := range groups {
				if g.Cluster.Name == cluster {
					found = append(found, g)
				}
			}
		}
	}
	return found, errors.Join(faults...)
}
