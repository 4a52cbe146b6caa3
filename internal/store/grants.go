package store

import (
	"context"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// A grantKey is what grants of one hour must share to be counted as one row.
type grantKey struct {
	cluster                       authlog.Cluster
	hour                          int64
	arn, userID, username, groups string
	kind                          authlog.PrincipalKind
}

type grantCount struct{ n, first, last int64 }

func (sv *saving) countGrants() {
	sv.grants = map[grantKey]*grantCount{}
	for i := range sv.batch.Grants {
		g := &sv.batch.Grants[i]
		ms := max(g.Time.UnixMilli(), 0)
		key := grantKey{
			cluster: g.Cluster, hour: hourOf(ms), kind: g.Principal.Kind, arn: authlog.Sanitize(g.Principal.ARN),
			userID: authlog.Sanitize(g.Principal.UserID), username: authlog.Sanitize(g.Username), groups: authlog.Sanitize(g.Groups),
		}
		count := sv.grants[key]
		if count == nil {
			count = &grantCount{first: ms}
			sv.grants[key] = count
		}
		count.n++
		count.first, count.last = min(count.first, ms), max(count.last, ms)
	}
}

func (sv *saving) saveGrants(ctx context.Context) error {
	args := make([]any, 0, 10*len(sv.grants))
	for k, c := range sv.grants {
		args = append(args, k.hour, sv.clusters[k.cluster].id, sv.words.id(k.arn), sv.words.id(string(k.kind)),
			sv.words.id(k.userID), sv.words.id(k.username), sv.words.id(k.groups), c.n, c.first, c.last)
	}
	_, err := sv.in.grantHour.exec(ctx, sv.tx, args)
	return err
}
