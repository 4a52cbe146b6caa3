package store

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// A grantKey is what grants of one hour must share to be counted as one row.
type grantKey struct {
	cluster                                             authlog.Cluster
	hour                                                int64
	arn, userID, session, username, groups, stsEndpoint string
	kind                                                authlog.PrincipalKind
	account                                             string
	benign                                              bool
}

// A tally is how often something was, and when: milliseconds since 1970.
type tally struct{ n, first, last int64 }

// count adds a tally to that of the key.
func count[K comparable](m map[K]*tally, key K, t tally) {
	sum := m[key]
	if sum == nil {
		m[key] = &t
		return
	}
	sum.n += t.n
	sum.first, sum.last = min(sum.first, t.first), max(sum.last, t.last)
}

func (sv *saving) countGrants() {
	sv.grants = map[grantKey]*tally{}
	for i := range sv.batch.Grants {
		g := &sv.batch.Grants[i]
		p := &g.Principal
		ms := max(g.Time.UnixMilli(), 0)
		count(sv.grants, grantKey{
			cluster: g.Cluster, hour: hourOf(ms), kind: p.Kind, account: p.Account, benign: p.Benign,
			arn: authlog.Sanitize(p.ARN), userID: authlog.Sanitize(p.UserID), session: authlog.Sanitize(p.Session),
			username: authlog.Sanitize(g.Username), groups: authlog.Sanitize(g.Groups), stsEndpoint: authlog.Sanitize(g.STSEndpoint),
		}, tally{1, ms, ms})
	}
}

func (sv *saving) saveGrants(ctx context.Context) error {
	args := make([]any, 0, sv.in.grantHour.cols*len(sv.grants))
	seen := sightings{}
	for k, t := range sv.grants {
		s := sighting{
			cluster: sv.clusters[k.cluster].id, granted: true, benign: k.benign,
			principal: sv.words.id(k.arn), userID: sv.words.id(k.userID), session: sv.words.id(k.session),
			kind: sv.words.id(string(k.kind)), account: sv.words.id(k.account),
		}
		args = append(args, s.cluster, k.hour, s.principal, s.kind, s.userID, s.session, sv.words.id(k.username),
			sv.words.id(k.groups), sv.words.id(k.stsEndpoint), s.account, s.benign, t.n, t.first, t.last)
		count(seen, s, *t)
	}
	if _, err := sv.in.grantHour.exec(ctx, sv.tx, args); err != nil {
		return err
	}
	return sv.saveSightings(ctx, seen)
}

// A sighting is who came where, how, and whether that was granted; all but
// granted and benign are ids.
type sighting struct {
	cluster, principal, userID, session, kind, account int64
	granted, benign                                    bool
}

type sightings map[sighting]*tally

// saveSightings counts them, the latest last, for its kind and account are to
// stay.
func (sv *saving) saveSightings(ctx context.Context, seen sightings) error {
	args := make([]any, 0, sv.in.sighting.cols*len(seen))
	for _, s := range slices.SortedFunc(maps.Keys(seen), func(a, b sighting) int { return cmp.Compare(seen[a].last, seen[b].last) }) {
		t := seen[s]
		args = append(args, s.cluster, s.principal, s.granted, s.userID, s.session, s.kind, s.account, s.benign, t.n, t.first, t.last)
	}
	_, err := sv.in.sighting.exec(ctx, sv.tx, args)
	return err
}
