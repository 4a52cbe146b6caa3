package store

import (
	"bytes"
	"context"
	"database/sql"
	"slices"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// saveDenials inserts what is not stored yet, in the order of the IDs, and
// counts just that.
func (sv *saving) saveDenials(ctx context.Context) error {
	order := make([]*authlog.Denial, len(sv.batch.Denials))
	for i := range order {
		order[i] = &sv.batch.Denials[i]
	}
	slices.SortFunc(order, func(a, b *authlog.Denial) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	order = slices.CompactFunc(order, func(a, b *authlog.Denial) bool { return a.ID == b.ID })

	last := sv.place
	args := make([]any, 0, sv.in.denial.cols*len(order))
	for _, d := range order {
		args = sv.appendDenial(args, d)
	}
	written, err := sv.in.denial.exec(ctx, sv.tx, args)
	if err != nil {
		return err
	}
	if written < int64(len(order)) {
		if order, err = sv.onlySince(ctx, order, last); err != nil {
			return err
		}
	}
	return sv.countDenials(ctx, order)
}

func (sv *saving) appendDenial(args []any, d *authlog.Denial) []any {
	var principal, kind, account any // NULL where the line does not say
	var p authlog.Principal
	if d.Principal != nil {
		p = *d.Principal
		principal, kind, account = sv.words.id(p.ARN), sv.words.id(string(p.Kind)), sv.words.id(p.Account)
	}
	return append(args, sv.nextPlace(), d.ID[:], sv.clusters[d.Cluster].id, sv.words.id(d.Reason), principal,
		sv.words.id(d.Stream), kind, account, sv.words.id(d.STSEndpoint), p.Benign,
		authlog.Sanitize(p.Session), authlog.Sanitize(p.UserID), authlog.Sanitize(p.AccessKeyID),
		authlog.Sanitize(d.Client), authlog.Sanitize(d.Error), []byte(d.Raw))
}

// onlySince drops the denials that were stored before the row numbered last.
func (sv *saving) onlySince(ctx context.Context, order []*authlog.Denial, last int64) ([]*authlog.Denial, error) {
	fresh := map[authlog.ID]bool{}
	rows, err := sv.tx.QueryContext(ctx, "SELECT id FROM denial WHERE n > ?", last)
	err = each(rows, err, func(rows *sql.Rows) error {
		var id sql.RawBytes
		if err := rows.Scan(&id); err != nil {
			return err
		}
		fresh[authlog.ID(id)] = true
		return nil
	})
	return slices.DeleteFunc(order, func(d *authlog.Denial) bool { return !fresh[d.ID] }), err
}

type (
	deniedKey     struct{ cluster, principal, reason int64 }
	denialHourKey struct{ hour, cluster, reason, principal int64 }
	denialDayKey  struct{ day, cluster, reason int64 }
)

// countDenials adds denials that were inserted to what is counted of them.
func (sv *saving) countDenials(ctx context.Context, denials []*authlog.Denial) error {
	hours, denied, seen := map[denialHourKey]*tally{}, map[deniedKey]*tally{}, sightings{}
	for _, d := range denials {
		ms := d.ID.Time().UnixMilli()
		one := tally{1, ms, ms}
		key := deniedKey{cluster: sv.clusters[d.Cluster].id, reason: sv.words.id(d.Reason)}
		if p := d.Principal; p != nil {
			key.principal = sv.words.id(p.ARN)
			count(denied, key, one)
			count(seen, sighting{
				cluster: key.cluster, principal: key.principal, userID: sv.words.id(p.UserID), session: sv.words.id(p.Session),
				kind: sv.words.id(string(p.Kind)), account: sv.words.id(p.Account), benign: p.Benign,
			}, one)
		}
		count(hours, denialHourKey{hourOf(ms), key.cluster, key.reason, key.principal}, one)
	}
	var args []any
	days := map[denialDayKey]int64{}
	for k, t := range hours {
		args = append(args, k.hour, k.cluster, k.reason, k.principal, t.n, t.first, t.last)
		days[denialDayKey{k.hour / 24, k.cluster, k.reason}] += t.n
	}
	if _, err := sv.in.denialHour.exec(ctx, sv.tx, args); err != nil {
		return err
	}
	args = nil
	for k, n := range days {
		args = append(args, k.day, k.cluster, k.reason, n)
	}
	if _, err := sv.in.denialDay.exec(ctx, sv.tx, args); err != nil {
		return err
	}
	args = nil
	for k, t := range denied {
		args = append(args, k.cluster, k.principal, k.reason, t.last)
	}
	if _, err := sv.in.denied.exec(ctx, sv.tx, args); err != nil {
		return err
	}
	return sv.saveSightings(ctx, seen)
}
