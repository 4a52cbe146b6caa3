package store_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
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
	Counts(ctx context.Context, f authlog.CountFilter) ([]authlog.DenialSeries, error)
	Denial(ctx context.Context, id authlog.ID) (authlog.Denial, error)
	Diagnoses(ctx context.Context, f authlog.DiagnosisFilter) ([]authlog.Diagnosis, error)
	Diagnosis(ctx context.Context, id string) (authlog.Diagnosis, error)
	Principals(ctx context.Context, f authlog.PrincipalFilter) ([]authlog.PrincipalSummary, error)
	GrantSpans(ctx context.Context, cluster authlog.Cluster, since, fine time.Time) ([]authlog.GrantSpan, error)
	DenialSpans(ctx context.Context, cluster authlog.Cluster, from, until time.Time) ([]authlog.DenialSpan, error)
	Markers(ctx context.Context, cluster authlog.Cluster, since time.Time, limit int) ([]authlog.Marker, error)
	ChangeBounds(ctx context.Context) (authlog.ChangeBounds, error)
	PrunedAfter(ctx context.Context, place int64) ([]authlog.Cluster, error)
	Changes(ctx context.Context, after int64, limit int) ([]authlog.Change, error)
	Prune(ctx context.Context, olderThan time.Time) error
	PruneSeen(ctx context.Context, keep time.Duration) error
	Ping(ctx context.Context) error
	Close() error
}

// testStore is the conformance suite: what any store must do. newPlace makes an
// empty place for one store; the function it returns opens the store that lives
// there, and again after it was closed.
func testStore(t *testing.T, newPlace func(t *testing.T) (open func() tested)) {
	t.Helper()
	for name, test := range map[string]func(suite){
		"ReturnsWhatWasSaved":          suite.returnsWhatWasSaved,
		"ReturnsTextAsUTF8":            suite.returnsTextAsUTF8,
		"FindsOneDenial":               suite.findsOneDenial,
		"ListsWhatTheFilterChooses":    suite.listsWhatTheFilterChooses,
		"ListsANameOfManyAccounts":     suite.listsANameOfManyAccounts,
		"RefusesToListWithoutLimit":    suite.refusesToListWithoutLimit,
		"PagesAreStable":               suite.pagesAreStable,
		"SavingTwiceChangesNothing":    suite.savingTwiceChangesNothing,
		"KeepsCursors":                 suite.keepsCursors,
		"KeepsSeen":                    suite.keepsSeen,
		"CountsTheLastDay":             suite.countsTheLastDay,
		"TellsWhenClustersLastSpoke":   suite.tellsWhenClustersLastSpoke,
		"CancelledSaveLeavesNothing":   suite.cancelledSaveLeavesNothing,
		"ReadersSeeWholeBatches":       suite.readersSeeWholeBatches,
		"PrunesWhatIsOld":              suite.prunesWhatIsOld,
		"PrunesSeenBehindTheWatermark": suite.prunesSeenBehindTheWatermark,
		"PrunesSeenOfUnreadClusters":   suite.prunesSeenOfUnreadClusters,
		"KeepsDiagnoses":               suite.keepsDiagnoses,
		"ListsDiagnoses":               suite.listsDiagnoses,
		"PagesDiagnoses":               suite.pagesDiagnoses,
		"PrunesResolvedDiagnoses":      suite.prunesResolvedDiagnoses,
		"SumsUpGrants":                 suite.sumsUpGrants,
		"SumsUpDenials":                suite.sumsUpDenials,
		"ListsMarkers":                 suite.listsMarkers,
		"SumsUpPrincipals":             suite.sumsUpPrincipals,
		"PagesPrincipals":              suite.pagesPrincipals,
		"PrunesPrincipals":             suite.prunesPrincipals,
		"CountsAsOneWould":             suite.countsAsOneWould,
		"ForgetsCountsOfWhatIsPruned":  suite.forgetsCountsOfWhatIsPruned,
		"TellsChangesInOrderOfSaving":  suite.tellsChangesInTheOrderOfSaving,
		"GoesOnAfterAnyChange":         suite.goesOnAfterAnyChange,
		"GivesNoPlaceTwice":            suite.givesNoPlaceTwice,
		"ShowsOnlyWhatTheScopeSees":    suite.showsOnlyWhatTheScopeSees,
		"PagesAreFullInAScope":         suite.pagesAreFullInAScope,
	} {
		t.Run(name, func(t *testing.T) { test(suite{t, newPlace(t)}) })
	}
}

// A suite is one test of the conformance suite, with the place of its store.
type suite struct {
	t    *testing.T
	open func() tested
}

var (
	noon  = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	alpha = authlog.Cluster{Name: "alpha", Account: "111122223333", Region: "eu-central-1"}
	beta  = authlog.Cluster{Name: "beta", Account: "111122223333", Region: "eu-central-1"}
	// twin has alpha's name in another account and region.
	twin = authlog.Cluster{Name: "alpha", Account: "444455556666", Region: "us-east-1"}
)

// keyOf makes a key of anything; equal parts make equal keys.
func keyOf(parts ...any) authlog.Key {
	sum := sha256.Sum256(fmt.Append(nil, parts...))
	return authlog.Key(sum[:16])
}

// denial makes one of that cluster and time; n tells it from others.
func denial(c authlog.Cluster, at time.Time, n int) authlog.Denial {
	return authlog.Denial{
		ID: authlog.NewID(at, keyOf(c, at, n)), Cluster: c, Time: at, Reason: "arn_not_mapped",
		Principal: &authlog.Principal{
			ARN: "arn:aws:iam::111122223333:role/deploy", Kind: authlog.PrincipalRole, Account: "111122223333",
		},
		Stream: "authenticator-0123", Error: "ARN is not mapped", Client: "127.0.0.1:1", Raw: fmt.Sprint("line ", n),
	}
}

func save(t *testing.T, s tested, b authlog.Batch) {
	t.Helper()
	if err := s.Save(t.Context(), b); err != nil {
		t.Fatal(err)
	}
}

func denials(t *testing.T, s tested, f authlog.DenialFilter) []authlog.Denial {
	t.Helper()
	if f.Limit == 0 {
		f.Limit = 1000
	}
	got, err := s.Denials(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func clusters(t *testing.T, s tested, now time.Time) []authlog.ClusterSummary {
	t.Helper()
	got, err := s.Clusters(t.Context(), now)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func seen(t *testing.T, s tested, c authlog.Cluster, from, to int64) []authlog.Seen {
	t.Helper()
	got, err := s.Seen(t.Context(), c, from, to)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func same(t *testing.T, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// newestFirst sorts by descending ID, as stores must.
func newestFirst(d []authlog.Denial) []authlog.Denial {
	slices.SortFunc(d, func(a, b authlog.Denial) int { return bytes.Compare(b.ID[:], a.ID[:]) })
	return d
}

func minuteOf(t time.Time) int64 { return t.Unix() / 60 }

// keys makes n keys in ascending order.
func keys(n int, parts ...any) []authlog.Key {
	made := make([]authlog.Key, n)
	for i := range made {
		made[i] = keyOf(append([]any{i}, parts...)...)
		binary.BigEndian.PutUint32(made[i][:], uint32(i))
	}
	return made
}
