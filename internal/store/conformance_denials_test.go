package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

func (c suite) returnsWhatWasSaved() {
	t := c.t
	var every [256]byte
	for i := range every {
		every[i] = byte(i)
	}
	full := authlog.Denial{
		ID: authlog.NewID(noon, keyOf(1)), Cluster: alpha, Stream: "authenticator-0123", Time: noon,
		Reason: "arn_not_mapped", Error: "ARN is not mapped: \x00 é 日本", Client: "127.0.0.1:40000",
		STSEndpoint: "sts.eu-central-1.amazonaws.com", Raw: string(every[:]),
		Principal: &authlog.Principal{
			ARN: "arn:aws:iam::111122223333:role/deploy", Kind: authlog.PrincipalNode, Account: "111122223333", Benign: true,
			Session: "i-0123456789abcdef0", UserID: "AROAEXAMPLE", AccessKeyID: "ASIAEXAMPLE",
		},
	}
	at := noon.Add(time.Millisecond)
	bare := authlog.Denial{ID: authlog.NewID(at, keyOf(2)), Cluster: alpha, Time: at, Reason: "token_expired"}
	unknown := authlog.Denial{
		ID: authlog.NewID(at, keyOf(3)), Cluster: twin, Time: at, Reason: "token_expired",
		Principal: &authlog.Principal{Kind: authlog.PrincipalUnknown, Session: "no arn"},
	}
	want := newestFirst([]authlog.Denial{full, bare, unknown})

	s := c.open()
	save(t, s, authlog.Batch{Denials: []authlog.Denial{full, bare, unknown}})
	same(t, "denials", want, denials(t, s, authlog.DenialFilter{}))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	same(t, "denials after opening again", want, denials(t, c.open(), authlog.DenialFilter{}))
}

func (c suite) returnsTextAsUTF8() {
	t, s := c.t, c.open()
	d := denial(alpha, noon, 1)
	d.Principal = &authlog.Principal{ARN: "arn:\xff", Session: "s\xff"}
	d.Error, d.Client, d.STSEndpoint, d.Stream, d.Raw = "e\xff\xfe", "c\xff", "h\xff", "s\xff", "r\xff"
	save(t, s, authlog.Batch{
		Denials: []authlog.Denial{d},
		Grants:  []authlog.Grant{{Cluster: alpha, Time: noon, Username: "u\xff", Groups: "[\xff]"}},
	})
	d.Principal = &authlog.Principal{ARN: "arn:\uFFFD", Session: "s\uFFFD"}
	d.Error, d.Client, d.STSEndpoint, d.Stream = "e\uFFFD", "c\uFFFD", "h\uFFFD", "s\uFFFD"
	same(t, "denials", []authlog.Denial{d}, denials(t, s, authlog.DenialFilter{}))
	same(t, "denials of the ARN as it is shown", []authlog.Denial{d}, denials(t, s, authlog.DenialFilter{Principal: "arn:\uFFFD"}))
}

func (c suite) findsOneDenial() {
	t, s := c.t, c.open()
	want := denial(beta, noon, 1)
	save(t, s, authlog.Batch{Denials: []authlog.Denial{denial(alpha, noon, 1), want, denial(alpha, noon, 2)}})
	got, err := s.Denial(t.Context(), want.ID)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "denial", want, got)
	if _, err := s.Denial(t.Context(), authlog.NewID(noon, keyOf("none"))); !errors.Is(err, authlog.ErrNotFound) {
		t.Errorf("an ID that is not stored gave %v, want ErrNotFound", err)
	}
}

// A town is random denials of few clusters, reasons, principals and seconds, so
// that any filter finds some.
type town struct {
	rand       *rand.Rand
	clusters   []authlog.Cluster
	reasons    []string
	principals []string
	denials    []authlog.Denial
}

func newTown(seed uint64, n int) *town {
	w := &town{
		rand:       rand.New(rand.NewPCG(seed, 0)),
		clusters:   []authlog.Cluster{alpha, beta, twin},
		reasons:    []string{"arn_not_mapped", "sts_throttled", "token_expired", "unclassified"},
		principals: []string{"", "arn:aws:iam::111122223333:role/a", "arn:aws:iam::111122223333:role/b"},
	}
	for i := range n {
		d := denial(pick(w, w.clusters), noon.Add(time.Duration(w.rand.IntN(30))*time.Second), i)
		d.Reason = pick(w, w.reasons)
		if d.Principal.ARN = pick(w, w.principals); d.Principal.ARN == "" {
			d.Principal = nil
		}
		w.denials = append(w.denials, d)
	}
	return w
}

func pick[T any](w *town, from []T) T { return from[w.rand.IntN(len(from))] }

// maybe gives one of them, or three times in four the zero value.
func maybe[T any](w *town, from ...T) (v T) {
	if w.rand.IntN(4) == 0 {
		return pick(w, from)
	}
	return v
}

func (w *town) filter() authlog.DenialFilter {
	second := func() time.Time { return noon.Add(time.Duration(w.rand.IntN(31000)) * time.Millisecond) }
	f := authlog.DenialFilter{
		Cluster: maybe(w, "alpha", "alpha", "beta", "nowhere"), Account: maybe(w, alpha.Account, twin.Account),
		Region: maybe(w, alpha.Region, twin.Region, "mars-north-1"), Principal: maybe(w, append(w.principals[1:], "arn:nobody")...),
		Start: maybe(w, second()), End: maybe(w, second(), noon.Add(10*time.Second).Add(time.Nanosecond)), Limit: 1 + w.rand.IntN(40),
	}
	for range w.rand.IntN(4) {
		f.Reasons = append(f.Reasons, pick(w, append(w.reasons, "no_such_reason")))
	}
	f.Before, f.After = maybe(w, pick(w, w.denials).ID), maybe(w, pick(w, w.denials).ID)
	f.Ascending = w.rand.IntN(2) == 0
	return f
}

// chosen is what the filter means, word for word.
func (w *town) chosen(f authlog.DenialFilter) (found []authlog.Denial) {
	for _, d := range w.denials {
		if (f.Cluster == "" || f.Cluster == d.Cluster.Name) &&
			(f.Account == "" || f.Account == d.Cluster.Account) &&
			(f.Region == "" || f.Region == d.Cluster.Region) &&
			(len(f.Reasons) == 0 || slices.Contains(f.Reasons, d.Reason)) &&
			(f.Principal == "" || d.Principal != nil && d.Principal.ARN == f.Principal) &&
			!d.Time.Before(f.Start) &&
			(f.End.IsZero() || d.Time.Before(f.End)) &&
			(f.Before == authlog.ID{} || bytes.Compare(d.ID[:], f.Before[:]) < 0) &&
			(f.After == authlog.ID{} || bytes.Compare(d.ID[:], f.After[:]) > 0) {
			found = append(found, d)
		}
	}
	found = newestFirst(found)
	if f.Ascending {
		slices.Reverse(found)
	}
	return found[:min(len(found), f.Limit)]
}

func (c suite) listsWhatTheFilterChooses() {
	t, s, w := c.t, c.open(), newTown(1, 300)
	save(t, s, authlog.Batch{Denials: w.denials[:100]})
	save(t, s, authlog.Batch{Denials: w.denials[100:]})
	empty := 0
	for range 400 {
		f := w.filter()
		want := w.chosen(f)
		if len(want) == 0 {
			empty++
		}
		same(t, fmt.Sprintf("%+v", f), want, denials(t, s, f))
		if t.Failed() {
			return
		}
	}
	if empty > 300 {
		t.Errorf("%d of 400 filters chose nothing: they test too little", empty)
	}
}

func (c suite) listsANameOfManyAccounts() {
	t, s, w := c.t, c.open(), newTown(6, 500)
	for i := range w.denials {
		w.denials[i].Cluster = authlog.Cluster{Name: "alpha", Account: fmt.Sprintf("%012d", i%100), Region: alpha.Region}
	}
	save(t, s, authlog.Batch{Denials: append(w.denials, denial(beta, noon, 0))})
	for _, f := range []authlog.DenialFilter{
		{Cluster: "alpha"},
		{Cluster: "alpha", Reasons: w.reasons[:2]},
		{Cluster: "alpha", Principal: w.principals[1]},
		{Cluster: "alpha", Principal: w.principals[1], Reasons: w.reasons[:2], Start: noon.Add(5 * time.Second), End: noon.Add(20 * time.Second)},
	} {
		f.Limit = 100
		same(t, fmt.Sprintf("%+v", f), w.chosen(f), denials(t, s, f))
	}
}

func (c suite) refusesToListWithoutLimit() {
	t := c.t
	if got, err := c.open().Denials(t.Context(), authlog.DenialFilter{}); err == nil {
		t.Errorf("got %d denials and no error", len(got))
	}
}

func (c suite) pagesAreStable() {
	t, s, w := c.t, c.open(), newTown(2, 200)
	save(t, s, authlog.Batch{Denials: w.denials})
	// What arrives while somebody pages is older or newer than all that was
	// there, which must still come once and in order.
	arrived := map[authlog.ID]bool{}
	arrivals := newTown(5, 3).denials
	arrive := func() {
		for i := range arrivals {
			d := &arrivals[i]
			d.Time = []time.Time{noon.Add(-time.Hour), noon.Add(time.Hour)}[i%2]
			d.ID = authlog.NewID(d.Time, keyOf(d.ID))
			arrived[d.ID] = true
		}
		save(t, s, authlog.Batch{Denials: arrivals})
	}
	for _, f := range []authlog.DenialFilter{
		{},
		{Ascending: true},
		{Cluster: "alpha"},
		{Cluster: "alpha", Reasons: []string{"arn_not_mapped", "unclassified"}},
		{Cluster: "alpha", Principal: "arn:aws:iam::111122223333:role/a"},
		{Cluster: "alpha", Reasons: []string{"arn_not_mapped", "unclassified"}, Ascending: true},
	} {
		f.Limit = len(w.denials)
		want := w.chosen(f)
		f.Limit = 7
		var got []authlog.Denial
		for {
			page := denials(t, s, f)
			if len(page) == 0 {
				break
			}
			got = append(got, page...)
			if f.Ascending {
				f.After = page[len(page)-1].ID
			} else {
				f.Before = page[len(page)-1].ID
			}
			arrive()
		}
		got = slices.DeleteFunc(got, func(d authlog.Denial) bool { return arrived[d.ID] })
		same(t, fmt.Sprintf("pages of %+v", f), want, got)
	}
}
