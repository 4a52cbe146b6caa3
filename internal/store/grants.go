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
		args = append(args, sv.clusters[k.cluster].id, k.hour, sv.words.id(k.arn), sv.words.id(string(k.kind)),
			sv.words.id(k.userID), sv.words.id(k.username), sv.words.id(k.groups), c.n, c.first, c.last)
	}
	_, err := insert{
		into: "INTO grant_hour (cluster, hour, principal, kind, user_id, username, groups, n, first, last)", cols: 10,
		then: `ON CONFLICT (cluster, hour, principal, kind, user_id, username, groups)
			DO UPDATE SET n = n + excluded.n, first = min(first, excluded.first), last = max(last, excluded.last)`,
	}.exec(ctx, sv.tx, args)
	return err
}
