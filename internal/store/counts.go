package store

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// maxSeeks bounds how many clusters are looked up in each hour, instead of
// reading whole hours.
const maxSeeks = 64

// Counts counts the denials that f chooses: the series with the most first, and
// what is beyond f.Top last. Whole hours and days are taken from what was
// counted of them; the rest is counted row by row, and so are all steps that are
// not whole hours. It reads twice: first whose there are most, then when.
func (s *SQLite) Counts(ctx context.Context, f authlog.CountFilter) ([]authlog.DenialSeries, error) {
	f.Round()
	c := counting{store: s, f: &f, names: map[int64]string{}}
	found, err := c.run(ctx)
	if err != nil {
		return nil, fmt.Errorf("count denials: %w", s.explain(err))
	}
	return found, nil
}

// A subjectKey is a DenialSubject by ids; principal is 0 where it is not told.
type subjectKey struct{ cluster, reason, principal int64 }

type counting struct {
	store *SQLite
	f     *authlog.CountFilter
	names map[int64]string // words, looked up once
}

func (c *counting) run(ctx context.Context) ([]authlog.DenialSeries, error) {
	totals := map[subjectKey]int64{}
	whole := *c.f
	whole.Step = 0
	err := c.read(ctx, &whole, func(k subjectKey, _, n int64) { totals[k] += n })
	if err != nil || len(totals) == 0 {
		return nil, err
	}
	names, err := c.nameSeries(ctx, totals)
	if err != nil {
		return nil, err
	}
	series, of := c.choose(totals, names)
	// What was saved since the first reading is left out.
	err = c.read(ctx, c.f, func(k subjectKey, step, n int64) {
		if i, ok := of[k]; ok {
			series[i].Total += n
			series[i].Steps[step] += n
		}
	})
	sortSeries(series[:min(len(series), c.f.Top)])
	return series, err
}

// choose makes the series of the names with the most, and tells which subject
// belongs to which.
func (c *counting) choose(totals map[subjectKey]int64, names map[subjectKey]string) (series []authlog.DenialSeries, of map[subjectKey]int) {
	sums := map[string]int64{}
	for k, name := range names {
		sums[name] += totals[k]
	}
	for name, n := range sums {
		series = append(series, authlog.DenialSeries{Name: name, Total: n})
	}
	sortSeries(series)
	if len(series) > c.f.Top {
		series = append(series[:c.f.Top:c.f.Top], authlog.DenialSeries{Other: true})
	}
	places := map[string]int{}
	for i := range series {
		series[i].Total, series[i].Steps = 0, make([]int64, c.f.Steps())
		if !series[i].Other {
			places[series[i].Name] = i
		}
	}
	of = make(map[subjectKey]int, len(names))
	for k, name := range names {
		i, ok := places[name]
		if !ok {
			i = len(series) - 1
		}
		of[k] = i
	}
	return series, of
}

func sortSeries(series []authlog.DenialSeries) {
	slices.SortFunc(series, func(a, b authlog.DenialSeries) int {
		return cmp.Or(cmp.Compare(b.Total, a.Total), cmp.Compare(a.Name, b.Name))
	})
}

// nameSeries asks for the series of each subject; those that are left out are
// missing.
func (c *counting) nameSeries(ctx context.Context, totals map[subjectKey]int64) (map[subjectKey]string, error) {
	kinds, err := c.lookUp(ctx, totals)
	if err != nil {
		return nil, err
	}
	names := make(map[subjectKey]string, len(totals))
	for k := range totals {
		subject := authlog.DenialSubject{Reason: c.names[k.reason]}
		if subject.Cluster, err = c.store.cluster(ctx, k.cluster); err != nil {
			return nil, err
		}
		if k.principal > 0 {
			subject.ARN = c.names[k.principal]
			subject.Kind = authlog.PrincipalKind(kinds[subjectKey{cluster: k.cluster, principal: k.principal}])
		}
		if name, ok := c.f.Series(&subject); ok {
			names[k] = name
		}
	}
	return names, nil
}

// lookUp finds the words of the subjects, and the kinds of their principals.
func (c *counting) lookUp(ctx context.Context, totals map[subjectKey]int64) (kinds map[subjectKey]string, err error) {
	for k := range totals {
		c.names[k.reason], c.names[k.principal] = "", ""
	}
	ids := make([]int64, 0, len(c.names))
	for id := range c.names {
		ids = append(ids, id)
	}
	for some := range slices.Chunk(ids, 500) {
		rows, err := c.store.r.QueryContext(ctx, "SELECT id, text FROM word WHERE id IN ("+marks(len(some))+")", appendAll(nil, some)...)
		err = each(rows, err, func(rows *sql.Rows) error {
			var id int64
			var text string
			err := rows.Scan(&id, &text)
			c.names[id] = text
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	kinds = map[subjectKey]string{}
	if !c.f.Principals {
		return kinds, nil
	}
	// In the order of time: the last one stays.
	rows, err := c.store.r.QueryContext(ctx, `SELECT s.cluster, s.principal, kind.text FROM sighting s JOIN word kind ON kind.id = s.kind
		WHERE s.granted = 0 ORDER BY s.last`)
	return kinds, each(rows, err, func(rows *sql.Rows) error {
		var k subjectKey
		var kind string
		err := rows.Scan(&k.cluster, &k.principal, &kind)
		kinds[k] = kind
		return err
	})
}

// A tier is one way of counting: by days, hours or rows.
type tier struct {
	size time.Duration // what it counts is a whole number of these
	read func(ctx context.Context, f *authlog.CountFilter, from, to time.Time, add addCount) error
}

// An addCount takes in denials of the same subject and step.
type addCount func(k subjectKey, step, n int64)

func (c *counting) read(ctx context.Context, f *authlog.CountFilter, add addCount) error {
	var tiers []tier
	if day := 24 * time.Hour; f.Step%day == 0 && !f.Principals && f.Principal == "" {
		tiers = append(tiers, tier{day, c.readDays})
	}
	if f.Step%time.Hour == 0 {
		tiers = append(tiers, tier{time.Hour, c.readHours})
	}
	return c.readBy(ctx, append(tiers, tier{time.Millisecond, c.readRows}), f, f.Start, f.End, add)
}

// readBy counts the middle by the first tier, and what is left at both ends by
// the others.
func (c *counting) readBy(ctx context.Context, tiers []tier, f *authlog.CountFilter, from, to time.Time, add addCount) error {
	if !from.Before(to) {
		return nil
	}
	first, last := from.Add(tiers[0].size-time.Millisecond).Truncate(tiers[0].size), to.Truncate(tiers[0].size)
	if !first.Before(last) {
		return c.readBy(ctx, tiers[1:], f, from, to, add)
	}
	if err := c.readBy(ctx, tiers[1:], f, from, first, add); err != nil {
		return err
	}
	if err := tiers[0].read(ctx, f, first, last, add); err != nil {
		return err
	}
	return c.readBy(ctx, tiers[1:], f, last, to, add)
}

// readRows lets SQLite count each step on its own: to bring every row here
// takes five times as long.
func (c *counting) readRows(ctx context.Context, f *authlog.CountFilter, from, to time.Time, add addCount) error {
	ranges, err := c.store.countRanges(ctx, f.DenialFilter)
	if err != nil {
		return err
	}
	principal := "ifnull(principal, 0)"
	if !f.Principals {
		principal = "0"
	}
	for _, r := range ranges {
		query := "SELECT cluster, reason, " + principal + ", count(*) FROM denial INDEXED BY " + r.index +
			" WHERE " + r.where + " id >= ? AND id < ? GROUP BY 1, 2, 3"
		if err := c.readSteps(ctx, query, r.args, f, from, to, add); err != nil {
			return err
		}
	}
	return nil
}

func (c *counting) readSteps(ctx context.Context, query string, args []any, f *authlog.CountFilter, from, to time.Time, add addCount) error {
	stmt, err := c.store.r.PrepareContext(ctx, query)
	if err != nil {
		return err
	}
	defer stmt.Close()
	for begin := from; begin.Before(to); {
		end, step := to, f.StepOf(begin)
		if f.Step > 0 {
			end = slices.MinFunc([]time.Time{to, f.StepStart(step + 1)}, time.Time.Compare)
		}
		first, last := firstID(begin), firstID(end)
		rows, err := stmt.QueryContext(ctx, append(slices.Clone(args), first[:], last[:])...)
		err = each(rows, err, func(rows *sql.Rows) error {
			var k subjectKey
			var n int64
			err := rows.Scan(&k.cluster, &k.reason, &k.principal, &n)
			add(k, step, n)
			return err
		})
		if err != nil {
			return err
		}
		begin = end
	}
	return nil
}

// countRanges are those of which each step is counted: as few as can be.
func (s *SQLite) countRanges(ctx context.Context, f authlog.DenialFilter) ([]scan, error) {
	c, ok, err := s.choose(ctx, f)
	switch {
	case err != nil || !ok:
		return nil, err
	case !c.anyone:
		return s.principalRanges(ctx, c)
	case c.everywhere || len(c.clusters) > maxSeeks:
		return []scan{c.all()}, nil
	}
	where, args := c.where()
	return []scan{{"denial_cluster", where + " AND", args}}, nil
}

func (c *counting) readDays(ctx context.Context, f *authlog.CountFilter, from, to time.Time, add addCount) error {
	chosen, ok, err := c.store.choose(ctx, f.DenialFilter)
	if err != nil || !ok {
		return err
	}
	where, args := chosen.where()
	return c.readCounted(ctx, f, 24*time.Hour, "SELECT day, cluster, reason, 0, n FROM denial_day WHERE day >= ? AND day < ? AND "+where,
		append([]any{dayOf(from.UnixMilli()), dayOf(to.UnixMilli())}, args...), add)
}

func (c *counting) readHours(ctx context.Context, f *authlog.CountFilter, from, to time.Time, add addCount) error {
	chosen, ok, err := c.store.choose(ctx, f.DenialFilter)
	if err != nil || !ok {
		return err
	}
	query, args := hoursQuery(&chosen, f.Principals, hourOf(from.UnixMilli()), hourOf(to.UnixMilli()))
	return c.readCounted(ctx, f, time.Hour, query, args, add)
}

// readCounted reads what was counted by units of that size.
func (c *counting) readCounted(ctx context.Context, f *authlog.CountFilter, size time.Duration, query string, args []any, add addCount) error {
	rows, err := c.store.r.QueryContext(ctx, query, args...)
	return each(rows, err, func(rows *sql.Rows) error {
		var k subjectKey
		var unit, n int64
		err := rows.Scan(&unit, &k.cluster, &k.reason, &k.principal, &n)
		add(k, f.StepOf(time.UnixMilli(unit*size.Milliseconds())), n)
		return err
	})
}

// hoursQuery reads the table in the order of its key, in which the groups lie
// together. Few clusters are looked up hour by hour.
func hoursQuery(c *choice, principals bool, from, to int64) (query string, args []any) {
	where, chosen := c.where()
	columns, group := "hour, cluster, reason, principal, n", ""
	if !principals {
		columns, group = "hour, cluster, reason, 0, sum(n)", " GROUP BY hour, cluster, reason"
	}
	if c.everywhere || len(c.clusters) > maxSeeks {
		return "SELECT " + columns + " FROM denial_hour WHERE hour >= ? AND hour < ? AND " + where + group,
			append([]any{from, to}, chosen...)
	}
	return "WITH RECURSIVE span (h) AS (SELECT ? UNION ALL SELECT h + 1 FROM span WHERE h + 1 < ?) SELECT " + columns +
		" FROM span CROSS JOIN denial_hour WHERE hour = h AND " + where + group, append([]any{from, to}, chosen...)
}
