package access

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/eks-authlog/eks-authlog/internal/access/awsauth"
	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// Lint reads the aws-auth of a cluster and says what is wrong with it, knowing
// the cluster's mode, account and partition; granted are canonical ARNs that
// got in lately, of whom those with an access entry do not need aws-auth, nor
// may the creator. An
// aws-auth that is not there is authlog.ErrNotFound; one that may not be read an
// *authlog.AccessError.
func (r *Reader) Lint(ctx context.Context, name string, granted []string) (*awsauth.Report, error) {
	a, err := r.Access(ctx, name)
	if err != nil {
		return nil, err
	}
	s := r.cluster(name).auth.snapshot(a)
	switch {
	case s.known && !s.exists:
		return nil, fmt.Errorf("aws-auth of %s: %w", name, authlog.ErrNotFound)
	case s.known:
		o := Options(a)
		o.File, o.Granted = name+"/aws-auth", a.NeedAWSAuth(granted, a.Creator.ARN)
		return awsauth.LintData(s.data, o), nil
	case s.err != nil:
		return nil, fmt.Errorf("read aws-auth of %s: %w", name, s.err)
	}
	for _, m := range a.Missing {
		if m.Action == actionDescribeCluster {
			return nil, fmt.Errorf("read aws-auth of %s: %w", name, &authlog.AccessError{Action: m.Action, Resource: m.Resource, Err: errors.New(m.Detail)})
		}
	}
	return nil, fmt.Errorf("read aws-auth of %s: the way to its API server is not known: %s", name, cmp.Or(strings.Join(a.Problems, "; "), "EKS names no endpoint"))
}

// Options is what the linter should know of a cluster when it checks a file
// that is meant for it.
func Options(a *authlog.Access) awsauth.Options {
	o := awsauth.Options{Mode: string(a.Mode), Account: a.Cluster.Account}
	if p := strings.SplitN(a.RoleARN, ":", 3); len(p) == 3 {
		o.Partition = p[1]
	}
	return o
}
