package store_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

func (c suite) savingTwiceChangesNothing() {
	t, s := c.t, c.open()
	first := authlog.Batch{
		Denials: []authlog.Denial{denial(alpha, noon, 1), denial(alpha, noon, 2), denial(alpha, noon, 2), denial(beta, noon, 3)},
		Markers: []authlog.Marker{{ID: authlog.NewID(noon, keyOf("m")), Cluster: alpha, Time: noon, Code: "aws_auth_read", Raw: "m"}},
		Samples: []authlog.Sample{{ID: authlog.NewID(noon, keyOf("s")), Cluster: alpha, Time: noon, Code: "unreadable", Raw: "s"}},
		Seen:    []authlog.Seen{{Cluster: alpha, Minute: minuteOf(noon), Keys: keys(3)}},
		Cursors: []authlog.Cursor{{Cluster: alpha, Watermark: noon, Streams: []string{"a"}}},
	}
	save(t, s, first)
	list, summary := denials(t, s, authlog.DenialFilter{}), clusters(t, s, noon)
	save(t, s, first)
	same(t, "denials", list, denials(t, s, authlog.DenialFilter{}))
	same(t, "clusters", summary, clusters(t, s, noon))

	// Of a batch that is new in part, only that part counts.
	first.Denials = append(first.Denials, denial(alpha, noon, 4))
	save(t, s, first)
	got := clusters(t, s, noon)
	if len(got) != 2 || got[0].Denials24h != 3 || got[1].Denials24h != 1 {
		t.Errorf("got %+v, want 3 denials of alpha and 1 of beta", got)
	}
}

func (c suite) keepsCursors() {
	t, s := c.t, c.open()
	follow := authlog.Cursor{
		Cluster: alpha, Created: noon.Add(-time.Hour), Start: time.UnixMilli(0).UTC(), Watermark: noon,
		Through: noon.Add(3 * time.Minute), Streams: []string{"authenticator-1", "authenticator-2"},
	}
	backfill := authlog.Cursor{Cluster: alpha, Lane: "backfill", Start: noon.Add(-2 * time.Hour), End: noon, Streams: []string{"x"}}
	other := authlog.Cursor{Cluster: beta, Watermark: noon}
	unasked := authlog.Cursor{Cluster: twin, Watermark: noon, Streams: []string{"z"}}
	cursors := func(s tested) []authlog.Cursor {
		t.Helper()
		got, err := s.Cursors(t.Context(), []authlog.Cluster{alpha, beta, {Name: "never read"}})
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	equal := func(what string, want, got []authlog.Cursor) {
		t.Helper()
		order := cmpopts.SortSlices(func(a, b authlog.Cursor) bool { return a.Cluster.Name+a.Lane < b.Cluster.Name+b.Lane })
		if diff := cmp.Diff(want, got, order, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}

	equal("before the first Save", nil, cursors(s))
	save(t, s, authlog.Batch{Cursors: []authlog.Cursor{follow, backfill, other, unasked}})
	equal("saved", []authlog.Cursor{follow, backfill, other}, cursors(s))

	follow.Watermark, follow.Streams = noon.Add(time.Minute), []string{"authenticator-3"}
	backfill.Done = true
	save(t, s, authlog.Batch{Cursors: []authlog.Cursor{follow, backfill}})
	equal("replaced and done", []authlog.Cursor{follow, other}, cursors(s))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	equal("after opening again", []authlog.Cursor{follow, other}, cursors(c.open()))
}

func (c suite) keepsSeen() {
	t, s, m := c.t, c.open(), minuteOf(noon)
	a := authlog.Seen{Cluster: alpha, Minute: m, Keys: keys(3, "a")}
	b := authlog.Seen{Cluster: alpha, Minute: m + 1, Keys: keys(1, "b")}
	d := authlog.Seen{Cluster: alpha, Minute: m + 3, Keys: keys(2, "d")}
	x := authlog.Seen{Cluster: twin, Minute: m, Keys: keys(5, "x")}
	save(t, s, authlog.Batch{Seen: []authlog.Seen{a, b, d, x}})
	same(t, "both ends are included", []authlog.Seen{a, b, d}, seen(t, s, alpha, m, m+3))
	same(t, "no more than asked for", []authlog.Seen{b}, seen(t, s, alpha, m+1, m+2))
	same(t, "each cluster has its own", []authlog.Seen{x}, seen(t, s, twin, 0, m+100))
	if got := seen(t, s, beta, 0, m+100); len(got) != 0 {
		t.Errorf("a cluster without any has %v", got)
	}
	a.Keys = keys(100, "a2")
	save(t, s, authlog.Batch{Seen: []authlog.Seen{a}})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	same(t, "replaced", []authlog.Seen{a, b, d}, seen(t, c.open(), alpha, m, m+3))
}

// countsTheLastDay counts by hand what lies within 24 hours of many nows.
func (c suite) countsTheLastDay() {
	t, s, w := c.t, c.open(), newTown(3, 400)
	for i := range w.denials {
		d := &w.denials[i]
		d.Time = noon.Add(-time.Duration(w.rand.IntN(50*3600*1000)) * time.Millisecond)
		d.ID = authlog.NewID(d.Time, keyOf(i))
	}
	save(t, s, authlog.Batch{Denials: w.denials[:200]})
	save(t, s, authlog.Batch{Denials: w.denials[200:]})
	nows := []time.Time{noon, noon.Add(-time.Hour), noon.Add(time.Millisecond), noon.Add(-time.Millisecond), noon.Add(100 * time.Hour)}
	for range 50 {
		nows = append(nows, noon.Add(-time.Duration(w.rand.IntN(30*3600*1000))*time.Millisecond))
	}
	for _, now := range nows {
		want := map[authlog.Cluster][2]int64{alpha: {}, beta: {}, twin: {}}
		principals := map[authlog.Cluster]map[string]bool{alpha: {}, beta: {}, twin: {}}
		for _, d := range w.denials {
			if d.Time.Before(now.Add(-24 * time.Hour)) {
				continue
			}
			if d.Principal != nil {
				principals[d.Cluster][d.Principal.ARN] = true
			}
			want[d.Cluster] = [2]int64{want[d.Cluster][0] + 1, int64(len(principals[d.Cluster]))}
		}
		got := map[authlog.Cluster][2]int64{}
		for _, c := range clusters(t, s, now) {
			got[c.Cluster] = [2]int64{c.Denials24h, c.PrincipalsDenied24h}
		}
		same(t, "denials and principals of the 24 hours before "+now.String(), want, got)
	}
}

func (c suite) tellsWhenClustersLastSpoke() {
	t, s, at := c.t, c.open(), func(s int) time.Time { return noon.Add(time.Duration(s) * time.Second) }
	id := func(s int) authlog.ID { return authlog.NewID(at(s), keyOf(s)) }
	save(t, s, authlog.Batch{
		Denials: []authlog.Denial{denial(alpha, at(5), 1), denial(alpha, at(2), 1)},
		Grants:  []authlog.Grant{{Cluster: alpha, Time: at(9)}, {Cluster: alpha, Time: at(7)}},
		Markers: []authlog.Marker{{ID: id(3), Cluster: beta, Time: at(3)}},
		Samples: []authlog.Sample{{ID: id(4), Cluster: beta, Time: at(4)}},
		Cursors: []authlog.Cursor{{Cluster: twin, Through: at(60)}, {Cluster: beta, Lane: "backfill", Through: at(1)}},
	})
	want := []authlog.ClusterSummary{
		{Cluster: alpha, LastEvent: at(9), LastDenial: at(5), Denials24h: 2, PrincipalsDenied24h: 1},
		{Cluster: twin, ReadThrough: at(60)},
		{Cluster: beta, LastEvent: at(4)},
	}
	same(t, "clusters", want, clusters(t, s, noon))

	// What comes late does not turn the clock back.
	save(t, s, authlog.Batch{Denials: []authlog.Denial{denial(alpha, at(1), 1)}})
	want[0].Denials24h++
	same(t, "clusters after a late denial", want, clusters(t, s, noon))
}

func (c suite) cancelledSaveLeavesNothing() {
	t, s := c.t, c.open()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	b := authlog.Batch{
		Denials: []authlog.Denial{denial(alpha, noon, 1)},
		Cursors: []authlog.Cursor{{Cluster: alpha, Watermark: noon}},
	}
	if err := s.Save(ctx, b); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	if got := clusters(t, s, noon); len(got) != 0 {
		t.Errorf("got %+v of a batch that was not saved", got)
	}
	save(t, s, b)
	same(t, "denials", b.Denials, denials(t, s, authlog.DenialFilter{}))
}

// readersSeeWholeBatches reads while batches of ten are saved.
func (c suite) readersSeeWholeBatches() {
	t := c.t
	const size, batches = 10, 30
	s := c.open()
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			for {
				list, err := s.Denials(t.Context(), authlog.DenialFilter{Cluster: "alpha", Limit: 10_000})
				if err != nil || len(list)%size != 0 {
					t.Errorf("read %d denials, %v; want whole batches of %d", len(list), err, size)
					return
				}
				sums, err := s.Clusters(t.Context(), noon)
				if err != nil || len(sums) > 0 && sums[0].Denials24h%size != 0 {
					t.Errorf("read %+v, %v; want whole batches of %d", sums, err, size)
					return
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	for n := range batches {
		var b authlog.Batch
		for i := range size {
			b.Denials = append(b.Denials, denial(alpha, noon.Add(time.Duration(n)*time.Second), i))
		}
		save(t, s, b)
	}
	close(done)
	readers.Wait()
	if got := denials(t, s, authlog.DenialFilter{}); len(got) != size*batches {
		t.Errorf("got %d denials, want %d", len(got), size*batches)
	}
}

func (c suite) prunesWhatIsOld() {
	t, s, w := c.t, c.open(), newTown(4, 1500) // more than a chunk
	cut := noon.Add(15 * time.Second)
	save(t, s, authlog.Batch{Denials: w.denials})
	save(t, s, authlog.Batch{Denials: []authlog.Denial{denial(authlog.Cluster{Name: "old"}, noon, 1)}})
	if err := s.Prune(t.Context(), cut); err != nil {
		t.Fatal(err)
	}
	w.denials = slices.DeleteFunc(w.denials, func(d authlog.Denial) bool { return d.Time.Before(cut) })
	same(t, "denials left", w.chosen(authlog.DenialFilter{Limit: 1500}), denials(t, s, authlog.DenialFilter{Limit: 1500}))
	same(t, "denials left of one principal", w.chosen(authlog.DenialFilter{Principal: w.principals[1], Limit: 1500}),
		denials(t, s, authlog.DenialFilter{Principal: w.principals[1], Limit: 1500}))
	for _, c := range clusters(t, s, noon) {
		if old := c.Cluster.Name == "old"; c.LastDenial.IsZero() != old {
			t.Errorf("%s has its last denial at %v", c.Cluster.Name, c.LastDenial)
		}
	}

	// With everything gone, what was known of it must not be trusted either.
	if err := s.Prune(t.Context(), noon.Add(365*24*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if got := denials(t, s, authlog.DenialFilter{}); len(got) != 0 {
		t.Errorf("%d denials are left", len(got))
	}
	again := denial(alpha, noon, 1)
	save(t, s, authlog.Batch{Denials: []authlog.Denial{again}})
	same(t, "denials saved after", []authlog.Denial{again}, denials(t, s, authlog.DenialFilter{Principal: again.Principal.ARN}))
}

func (c suite) prunesSeenBehindTheWatermark() {
	t, s, m := c.t, c.open(), minuteOf(noon)
	minutes := func(c authlog.Cluster) (found []int64) {
		t.Helper()
		for _, x := range seen(t, s, c, 0, m+1000) {
			found = append(found, x.Minute-m)
		}
		return found
	}
	var b authlog.Batch
	for _, c := range []authlog.Cluster{alpha, beta, twin} {
		for i := range int64(10) {
			b.Seen = append(b.Seen, authlog.Seen{Cluster: c, Minute: m + i, Keys: keys(2)})
		}
	}
	b.Cursors = []authlog.Cursor{
		{Cluster: alpha, Watermark: noon.Add(8*time.Minute + 30*time.Second)},
		{Cluster: alpha, Lane: "at rest", Start: noon, End: noon, Watermark: noon},
		{Cluster: beta, Watermark: noon.Add(9 * time.Minute)},
		{Cluster: beta, Lane: "backfill", Start: noon.Add(4 * time.Minute), End: noon.Add(time.Hour)},
	}
	save(t, s, b)
	if err := s.PruneSeen(t.Context(), 3*time.Minute); err != nil {
		t.Fatal(err)
	}
	same(t, "alpha keeps the minutes that reach into the last three before its watermark", []int64{5, 6, 7, 8, 9}, minutes(alpha))
	same(t, "beta is held back by its slowest lane", []int64{1, 2, 3, 4, 5, 6, 7, 8, 9}, minutes(beta))
	same(t, "twin has no cursor", []int64{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, minutes(twin))
}

func (c suite) prunesSeenOfUnreadClusters() {
	t, s, m := c.t, c.open(), minuteOf(noon)
	save(t, s, authlog.Batch{
		Seen: []authlog.Seen{
			{Cluster: alpha, Minute: m, Keys: keys(1)}, {Cluster: beta, Minute: m, Keys: keys(1)}, {Cluster: beta, Minute: m + 5, Keys: keys(1)},
		},
		Cursors: []authlog.Cursor{{Cluster: alpha, Watermark: noon}},
	})
	if err := s.Prune(t.Context(), noon.Add(5*time.Minute)); err != nil {
		t.Fatal(err)
	}
	if got := len(seen(t, s, alpha, m, m)); got != 1 {
		t.Errorf("alpha, which is read, has %d minutes left, want 1", got)
	}
	if got := seen(t, s, beta, m, m+5); len(got) != 1 || got[0].Minute != m+5 {
		t.Errorf("beta, which nothing reads, has %+v left, want its last minute", got)
	}
}
