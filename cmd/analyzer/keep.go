package main

import (
	"context"
	"strings"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/access"
	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/config"
	"github.com/eks-authlog/eks-authlog/internal/diagnose"
)

// keep follows what the clusters of one account and region allow until ctx
// ends, with the credentials that read their logs.
func (f *fleet) keep(ctx context.Context, r *reader) {
	a := &f.cfg.Access
	if f.keeper == nil || a.Tier < 1 {
		return
	}
	shard, err := r.Shard(ctx)
	for ; err != nil; shard, err = r.Shard(ctx) { // the tail names why
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Duration(f.cfg.Tail.Interval)):
		}
	}
	cfg := accessConfig(a, r, shard)
	cfg.OnCall = func(operation string, err error) { f.meter.Call(shard.Account, shard.Region, operation, err) }
	if err := f.keeper.Follow(ctx, cfg, r.cfg.Wants); err != nil {
		f.log.Error().Err(err).Str("shard", shard.String()).Msg("what its clusters allow is not followed")
	}
}

// accessConfig says how to read what the clusters of a shard allow.
func accessConfig(a *config.Access, r *reader, shard authlog.Shard) access.Config {
	cfg := access.Config{
		AWS: r.aws, Account: shard.Account, TTL: time.Duration(a.Interval), Rate: a.Rate,
		Kubernetes: a.Kubernetes, IAM: a.Tier >= 3, AWSAuthFiles: map[string]string{},
	}
	if name, ok := nameIn(shard, a.InCluster); ok {
		cfg.InCluster = name
	}
	for where, file := range a.AWSAuthFiles {
		if name, ok := nameIn(shard, where); ok {
			cfg.AWSAuthFiles[name] = file
		}
	}
	return cfg
}

// nameIn is the name of a cluster that may be written with account and region
// before it; ok is false for a cluster of another shard.
func nameIn(shard authlog.Shard, cluster string) (name string, ok bool) {
	i := strings.LastIndexByte(cluster, '/')
	return cluster[i+1:], i < 0 || cluster[:i] == shard.String()
}

func diagnoseConfig(g *config.Diagnose) diagnose.Config {
	return diagnose.Config{
		Keep: time.Duration(g.Keep), Quiet: time.Duration(g.Quiet), Calm: time.Duration(g.Calm),
		STSCalm: time.Duration(g.STSCalm), Flap: time.Duration(g.Flap),
		WipeWindow: time.Duration(g.WipeWindow), WipePrincipals: g.WipePrincipals, WipeShare: g.WipeShare,
		WipeCause: time.Duration(g.WipeCause), DeleteHarm: time.Duration(g.DeleteHarm), MarkerSlack: time.Duration(g.MarkerSlack),
		SSOUsers: g.SSOUsers, Sibling: time.Duration(g.Sibling),
		LoopWindow: time.Duration(g.LoopWindow), LoopDenials: g.LoopDenials, LoopSpan: time.Duration(g.LoopSpan),
		PeriodicDenials: g.PeriodicDenials, PeriodicWindow: time.Duration(g.PeriodicWindow), PeriodicJitter: g.PeriodicJitter,
		StaleTokens: g.StaleTokens, SkewTokens: g.SkewTokens, SkewJitter: time.Duration(g.SkewJitter), BrokenTokens: g.BrokenTokens,
		STSWindow: time.Duration(g.STSWindow), STSDenials: g.STSDenials, STSShare: g.STSShare, STSClients: g.STSClients,
		ProbeWindow: time.Duration(g.ProbeWindow), ProbeDenials: g.ProbeDenials, ProbeReasons: g.ProbeReasons,
		ProbeRate: g.ProbeRate, ProbeFloor: g.ProbeFloor, ProbeHistory: time.Duration(g.ProbeHistory),
		ForeignPrincipals: g.ForeignPrincipals, ForeignDenials: g.ForeignDenials,
		NodeInstances: g.NodeInstances, Gap: time.Duration(g.Gap),
		MaxPrincipals: g.MaxPrincipals, MaxInstances: g.MaxInstances, MaxPeople: g.MaxPeople, MaxListed: g.MaxListed,
	}
}
