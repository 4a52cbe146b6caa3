package store_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// tested is what every store must offer.
type tested interface {
	Cursors(ctx context.Context, clusters []authlog.Cluster) ([]authlog.Cursor, error)
	Seen(ctx context.Context, cluster authlog.Cluster, fromMinute, toMinute int64) ([]authlog.Seen, error)
	Save(ctx context.Context, b authlog.Batch) error
	Clusters(ctx context.Context, now time.Time) ([]authlog.ClusterSummary, error)
	Denials(ctx context.Context, f authlog.DenialFilter) ([]authlog.Denial, error)
	Denial(ctx context.Context, id authlog.ID) (authlog.Denial, error)
	Ping(ctx context.Context) error
	Close() error
}

// testStore is the conformance suite: what any store must do. newPlace makes an
// empty place for one store; the function it returns opens the store that lives
// there, again and again.
func testStore(t *testing.T, newPlace func(t *testing.T) (open func() tested)) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, func() tested){
		"DenialsComeBackAsSaved": testDenialsComeBackAsSaved,
	} {
		t.Run(name, func(t *testing.T) { test(t, newPlace(t)) })
	}
}

var (
	noon  = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	alpha = authlog.Cluster{Name: "alpha", Account: "111122223333", Region: "eu-central-1"}
)

func testDenialsComeBackAsSaved(t *testing.T, open func() tested) {
	s := open()
	id := authlog.NewID(noon, authlog.Key{1, 2, 3})
	want := authlog.Denial{
		ID: id, Cluster: alpha, Stream: "authenticator-1", Time: noon, Reason: "arn_not_mapped",
		Principal: &authlog.Principal{ARN: "arn:aws:iam::111122223333:role/x", Kind: authlog.PrincipalRole, Account: "111122223333", Benign: true, Session: "s", UserID: "AROA", AccessKeyID: "ASIA"},
		Error: "ARN is not mapped\x00é", Client: "127.0.0.1:1", STSEndpoint: "sts.amazonaws.com", Raw: "\xff\x00raw",
	}
	bare := authlog.Denial{ID: authlog.NewID(noon.Add(time.Second), authlog.Key{}), Cluster: alpha, Time: noon.Add(time.Second), Reason: "token_expired", Raw: "x"}
	b := authlog.Batch{Denials: []authlog.Denial{want, bare}}
	if err := s.Save(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	for _, f := range []authlog.DenialFilter{{Limit: 5}, {Cluster: "alpha", Limit: 5}, {Cluster: "alpha", Reasons: []string{"token_expired", "arn_not_mapped"}, Limit: 5}} {
		got, err := s.Denials(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]authlog.Denial{bare, want}, got); diff != "" {
			t.Error(diff)
		}
	}
	got, err := s.Denials(t.Context(), authlog.DenialFilter{Principal: want.Principal.ARN, Limit: 5})
	if diff := cmp.Diff([]authlog.Denial{want}, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
	cl, err := s.Clusters(t.Context(), noon)
	t.Log(cl, err)
}
