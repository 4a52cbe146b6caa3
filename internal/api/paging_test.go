package api_test

import (
	"context"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/store"
)

// openStore makes a real store of those denials.
func openStore(t *testing.T, denials ...authlog.Denial) *store.SQLite {
	t.Helper()
	st, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "test.db"), zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	save(t, st, denials...)
	return st
}

func save(t *testing.T, st *store.SQLite, denials ...authlog.Denial) {
	t.Helper()
	if err := st.Save(t.Context(), authlog.Batch{Denials: denials}); err != nil {
		t.Fatal(err)
	}
}

// pages follows next until there is none and returns the IDs in order.
// Between two pages it calls between.
func pages(t *testing.T, s *service, path string, between func()) (ids []string) {
	t.Helper()
	next := ""
	for range 10_000 {
		page := decode[denialPage](t, s.get(t, path+next), http.StatusOK)
		for _, d := range page.Denials {
			ids = append(ids, d.ID)
		}
		if page.Next == "" {
			return ids
		}
		next = "&next=" + page.Next
		between()
	}
	t.Fatalf("%s: the pages do not end", path)
	return nil
}

func idsOf(denials []authlog.Denial) (ids []string) {
	for _, d := range denials {
		ids = append(ids, d.ID.String())
	}
	return ids
}

func TestPagesHoldEachDenialOnceWhileNewOnesArrive(t *testing.T) {
	old := denialsBefore(prod, now.Add(-time.Hour), 57)
	for i := range old { // many in one millisecond: the time alone does not say where a page ends
		old[i] = denialAt(prod, now.Add(-time.Hour).Add(-time.Duration(i/10)*time.Second), i)
	}
	st := openStore(t, old...)
	want := idsOf(ordered(t, st))
	s := serve(t, st, &fake{})

	n := 0
	got := pages(t, s, "/clusters/prod/denials?limit=5", func() {
		n++
		save(t, st, denialAt(prod, now.Add(time.Duration(n)*time.Second), 1000+n))
	})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if n < 10 {
		t.Fatalf("only %d denials came between the pages", n)
	}
	if all := pages(t, s, "/clusters/prod/denials?limit=5", func() {}); len(all) != len(want)+n {
		t.Errorf("then %d denials, want %d", len(all), len(want)+n)
	}
}

// ordered lists all that is stored, newest first.
func ordered(t *testing.T, st *store.SQLite) []authlog.Denial {
	t.Helper()
	all, err := st.Denials(t.Context(), authlog.DenialFilter{Limit: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestPagesStayWholeUnderAWriterAtWork(t *testing.T) {
	st := openStore(t, denialsBefore(prod, now.Add(-time.Hour), 300)...)
	want := idsOf(ordered(t, st))
	s := serve(t, st, &fake{})

	ctx, stop := context.WithCancel(t.Context())
	written := make(chan error)
	go func() {
		var err error
		for n := 0; err == nil && ctx.Err() == nil; n++ {
			d := denialAt(prod, now.Add(time.Duration(n)*time.Millisecond), 1000+n)
			err = st.Save(context.WithoutCancel(ctx), authlog.Batch{Denials: []authlog.Denial{d}})
		}
		written <- err
	}()
	got := pages(t, s, "/clusters/prod/denials?limit=7&end=2026-11-24T11:30:00Z", func() {})
	stop()
	if err := <-written; err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAClusterNameInTwoAccountsReturnsBoth(t *testing.T) {
	other := authlog.Cluster{Name: "prod", Account: "444455556666", Region: "us-east-1"}
	a, b := denialAt(prod, now.Add(-time.Minute), 1), denialAt(other, now.Add(-time.Hour), 2)
	s := serve(t, openStore(t, a, b), &fake{})
	for query, want := range map[string][]string{
		"":                        {prod.Account + prod.Region, other.Account + other.Region},
		"?account=444455556666":   {other.Account + other.Region},
		"?region=eu-central-1":    {prod.Account + prod.Region},
		"?region=eu-west-1":       nil,
		"?start=" + seconds(a, 0): {prod.Account + prod.Region},
		"?end=" + seconds(a, 0):   {other.Account + other.Region},
		"?end=" + seconds(a, 1):   {prod.Account + prod.Region, other.Account + other.Region},
		"?since=1m":               {prod.Account + prod.Region},
	} {
		var got []string
		for _, d := range decode[denialPage](t, s.get(t, "/clusters/prod/denials"+query), http.StatusOK).Denials {
			got = append(got, d.Account+d.Region)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", query, diff)
		}
	}
}

// seconds is the time of d plus some milliseconds, as a parameter.
func seconds(d authlog.Denial, ms int) string {
	return d.Time.Add(time.Duration(ms) * time.Millisecond).Format(time.RFC3339Nano)
}

func TestClustersCountsWhatTheStoreHolds(t *testing.T) {
	first, second := denialAt(prod, now.Add(-time.Minute), 1), denialAt(prod, now.Add(-25*time.Hour), 2)
	first.Principal = &authlog.Principal{ARN: "arn:aws:iam::111122223333:role/x", Kind: authlog.PrincipalRole}
	s := serve(t, openStore(t, first, second), &fake{})
	r := s.get(t, "/clusters")
	want := `{"clusters":[{"name":"prod","account":"111122223333","region":"eu-central-1","log_group":"/aws/eks/prod/cluster",
		"last_event":"2026-11-24T11:59:00Z","last_denial":"2026-11-24T11:59:00Z",
		"denials_24h":1,"principals_denied_24h":1,"status":"pending"}]}`
	if diff := cmp.Diff(asJSON(t, []byte(want)), decode[any](t, r, http.StatusOK)); diff != "" {
		t.Error(diff)
	}
}
