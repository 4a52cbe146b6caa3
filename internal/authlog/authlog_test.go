package authlog_test

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

func TestTheOrderOfIDsIsThatOfTimeInBytesAndInText(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	key := func() (k authlog.Key) {
		for i := range k {
			k[i] = byte(r.Uint32())
		}
		return k
	}
	for range 10_000 {
		a := r.Int64N(1 << 47)
		b := a + 1 + r.Int64N(1<<r.UintN(40))
		x, y := authlog.NewID(time.UnixMilli(a), key()), authlog.NewID(time.UnixMilli(b), key())
		if x.String() >= y.String() || string(x[:]) >= string(y[:]) {
			t.Fatalf("%v at %d does not sort before %v at %d", x, a, y, b)
		}
		if got := x.Time().UnixMilli(); got != a {
			t.Fatalf("the time of %v is %d, want %d", x, got, a)
		}
		if back, err := authlog.ParseID(x.String()); err != nil || back != x {
			t.Fatalf("%v came back as %v, %v", x, back, err)
		}
	}
}

func TestParseIDAcceptsOnlyWhatStringGives(t *testing.T) {
	id := authlog.NewID(time.UnixMilli(1), authlog.Key{1}).String()
	for _, s := range []string{"", id[1:], id + "0", strings.ToLower(id), id[:25] + "1", strings.Repeat("Z", 26)} {
		if _, err := authlog.ParseID(s); err == nil && s != id {
			t.Errorf("%q was taken for an id", s)
		}
	}
}

func TestAKeyTellsEachLineFromEveryOther(t *testing.T) {
	base := authlog.Line{
		Cluster: authlog.Cluster{Name: "prod", Account: "111122223333", Region: "eu-central-1"},
		Stream:  "authenticator-a", Time: time.UnixMilli(1000), Text: "line",
	}
	keys := map[authlog.Key]string{}
	add := func(name string, n int, change func(*authlog.Line)) {
		l := base
		change(&l)
		k := authlog.KeyOf(&l, n)
		if other, ok := keys[k]; ok {
			t.Errorf("%s has the key of %s", name, other)
		}
		keys[k] = name
	}
	add("the line", 0, func(*authlog.Line) {})
	add("its twin", 1, func(*authlog.Line) {})
	add("another account", 0, func(l *authlog.Line) { l.Cluster.Account = "444455556666" })
	add("another region", 0, func(l *authlog.Line) { l.Cluster.Region = "us-east-1" })
	add("another cluster", 0, func(l *authlog.Line) { l.Cluster.Name = "web" })
	add("another stream", 0, func(l *authlog.Line) { l.Stream = "authenticator-b" })
	add("a millisecond later", 0, func(l *authlog.Line) { l.Time = l.Time.Add(time.Millisecond) })
	add("another text", 0, func(l *authlog.Line) { l.Text = "lines" })
	add("the same bytes, parted elsewhere", 0, func(l *authlog.Line) { l.Stream, l.Text = "authenticator-al", "ine" })

	again := base
	again.Ingested = time.UnixMilli(5000)
	if _, ok := keys[authlog.KeyOf(&again, 0)]; !ok {
		t.Error("the key changed with the time of ingestion, which is not always known")
	}
}

func TestClusterOfTakesTheLogGroupsThatEKSWrites(t *testing.T) {
	for group, want := range map[string]string{
		"/aws/eks/prod/cluster": "prod", "/aws/eks//cluster": "", "/aws/eks/a/b/cluster": "", "/aws/eks/prod/pods": "",
		"/aws/eks/cluster": "", "/AWS/eks/prod/cluster": "",
	} {
		if got, ok := authlog.ClusterOf(group); got != want || ok != (want != "") {
			t.Errorf("%s: %q, %v", group, got, ok)
		}
	}
	if got := (authlog.Cluster{Name: "prod"}).LogGroup(); got != "/aws/eks/prod/cluster" {
		t.Errorf("the log group of prod is %s", got)
	}
}
