package source

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"golang.org/x/sync/errgroup"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// streamPrefix is how EKS names the authenticator's streams, one for each
// instance of the control plane.
const streamPrefix = "authenticator-"

// Groups lists the log groups of EKS clusters that the configuration wants,
// by ARN, each with its authenticator streams.
//
// A group whose streams could not be listed is left out and the joined errors
// say why, beside all other groups: with an error, a group that is missing need
// not be gone. One that vanished between the two listings is left out without
// an error.
func (s *Source) Groups(ctx context.Context) ([]authlog.Group, error) {
	groups, err := s.listGroups(ctx)
	if err != nil {
		return nil, err
	}
	errs := make([]error, len(groups))
	var wait errgroup.Group
	wait.SetLimit(s.cfg.MaxConcurrent)
	for i := range groups {
		wait.Go(func() error {
			groups[i].Streams, errs[i] = s.Streams(ctx, groups[i])
			return nil
		})
	}
	_ = wait.Wait() // the errors are kept by group
	kept := groups[:0]
	for i, g := range groups {
		if errs[i] == nil {
			kept = append(kept, g)
		} else if _, gone := errors.AsType[*authlog.GoneError](errs[i]); gone {
			errs[i] = nil
		}
	}
	return kept, errors.Join(errs...)
}

// listGroups pages through DescribeLogGroups.
func (s *Source) listGroups(ctx context.Context) ([]authlog.Group, error) {
	in := &cloudwatchlogs.DescribeLogGroupsInput{LogGroupNamePrefix: aws.String(s.cfg.prefix()), Limit: aws.Int32(50)}
	if s.cfg.LinkedAccounts {
		in.IncludeLinkedAccounts = aws.Bool(true)
	}
	byARN := map[string]authlog.Group{}
	for {
		out, err := call(ctx, s, opDescribeLogGroups, passing, func(ctx context.Context) (*cloudwatchlogs.DescribeLogGroupsOutput, error) {
			return s.logs.DescribeLogGroups(ctx, in)
		})
		if err != nil {
			return nil, fmt.Errorf("list log groups: %w", err)
		}
		for i := range out.LogGroups {
			g, ok, err := s.groupOf(&out.LogGroups[i])
			if err != nil {
				return nil, err
			}
			if ok {
				byARN[g.ARN] = g
			}
		}
		if aws.ToString(out.NextToken) == "" {
			break
		}
		in.NextToken = out.NextToken
	}
	groups := make([]authlog.Group, 0, len(byARN))
	for _, g := range byARN {
		groups = append(groups, g)
	}
	slices.SortFunc(groups, func(a, b authlog.Group) int { return strings.Compare(a.ARN, b.ARN) })
	return groups, nil
}

// groupOf translates one log group; ok is false for one that is not wanted or
// that cannot be read.
func (s *Source) groupOf(lg *types.LogGroup) (g authlog.Group, ok bool, err error) {
	name := aws.ToString(lg.LogGroupName)
	cluster, ok := authlog.ClusterOf(name)
	if !ok || !s.cfg.wants(name, cluster) {
		return g, false, nil
	}
	// The Delivery class hands lines on and cannot be read.
	if lg.LogGroupClass == types.LogGroupClassDelivery {
		s.log.Warn().Str("log_group", name).Msg("log group of class DELIVERY cannot be read")
		return g, false, nil
	}
	id := aws.ToString(lg.LogGroupArn)
	if id == "" {
		id = strings.TrimSuffix(aws.ToString(lg.Arn), ":*")
	}
	parsed, err := arn.Parse(id)
	if err != nil {
		return g, false, fmt.Errorf("list log groups: ARN %q of %s: %w", id, name, err)
	}
	g = authlog.Group{
		Cluster:   authlog.Cluster{Name: cluster, Account: parsed.AccountID, Region: parsed.Region},
		ARN:       id,
		Class:     string(lg.LogGroupClass),
		Created:   millis(lg.CreationTime),
		Retention: time.Duration(aws.ToInt32(lg.RetentionInDays)) * 24 * time.Hour,
	}
	fill(&g.Class, string(types.LogGroupClassStandard))
	return g, true, nil
}

// Streams lists the authenticator streams of one log group, by name, old ones
// too. The error is an *authlog.GoneError when the group does not exist any
// more.
func (s *Source) Streams(ctx context.Context, g authlog.Group) ([]authlog.Stream, error) {
	in := &cloudwatchlogs.DescribeLogStreamsInput{
		LogGroupIdentifier:  aws.String(g.ARN),
		LogStreamNamePrefix: aws.String(streamPrefix),
		Limit:               aws.Int32(50),
	}
	streams := []authlog.Stream{}
	for {
		out, err := call(ctx, s, opDescribeLogStreams, passing, func(ctx context.Context) (*cloudwatchlogs.DescribeLogStreamsOutput, error) {
			return s.logs.DescribeLogStreams(ctx, in)
		})
		if err != nil {
			return nil, fmt.Errorf("list streams of %s: %w", g.ARN, goneIf(g, err))
		}
		for i := range out.LogStreams {
			ls := &out.LogStreams[i]
			streams = append(streams, authlog.Stream{
				Name:         aws.ToString(ls.LogStreamName),
				Created:      millis(ls.CreationTime),
				LastIngested: millis(ls.LastIngestionTime),
			})
		}
		if aws.ToString(out.NextToken) == "" {
			break
		}
		in.NextToken = out.NextToken
	}
	slices.SortFunc(streams, func(a, b authlog.Stream) int { return strings.Compare(a.Name, b.Name) })
	return slices.CompactFunc(streams, func(a, b authlog.Stream) bool { return a.Name == b.Name }), nil
}

// goneIf turns "not found" about the only group of a call into a GoneError.
func goneIf(g authlog.Group, err error) error {
	if code(err) != codeNotFound {
		return err
	}
	return &authlog.GoneError{LogGroup: g.ARN, Err: err}
}

// millis is the time of AWS's milliseconds since 1970; zero when not given.
func millis(ms *int64) time.Time {
	if ms == nil {
		return time.Time{}
	}
	return time.UnixMilli(*ms).UTC()
}
