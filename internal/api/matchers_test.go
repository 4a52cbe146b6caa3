package api_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// mixed is denials that each differ in what matchers look at; their ids are
// known by the letters of their errors.
func mixed() []authlog.Denial {
	other := authlog.Cluster{Name: "prod", Account: "444455556666", Region: "us-east-1"}
	make1 := func(n int, c authlog.Cluster, reason, arn string, kind authlog.PrincipalKind) authlog.Denial {
		d := denialAt(c, now.Add(-time.Duration(n)*time.Minute), n)
		d.Error, d.Reason = string(rune('a'+n)), reason
		if arn != "" {
			d.Principal = &authlog.Principal{ARN: "arn:aws:iam::111122223333:" + arn, Kind: kind}
		}
		return d
	}
	return []authlog.Denial{
		make1(0, prod, "arn_not_mapped", "role/deploy", authlog.PrincipalRole),
		make1(1, prod, "arn_not_mapped", "user/alice", authlog.PrincipalUser),
		make1(2, prod, "token_expired", "", ""),
		make1(3, other, "arn_not_mapped", "role/deploy-eu", authlog.PrincipalRole),
		make1(4, other, "sts_timeout", "", ""),
	}
}

func TestMatchersChooseDenials(t *testing.T) {
	s := serve(t, openStore(t, mixed()...), &fake{})
	for _, c := range []struct {
		filters []string
		want    string
	}{
		{[]string{`reason="arn_not_mapped"`}, "abd"},
		{[]string{`reason=arn_not_mapped`}, "abd"},
		{[]string{`reason!="arn_not_mapped"`}, "ce"},
		{[]string{`reason=~"arn_.*|sts_.*"`}, "abde"},
		{[]string{`reason!~"arn_.*"`, `reason!~"sts_.*"`}, "c"},
		{[]string{`reason="nonsense"`}, ""},
		{[]string{`reason=~"arn"`}, ""}, // anchored, as in Prometheus
		{[]string{`layer="mapping"`}, "abd"},
		{[]string{`who_acts="aws"`}, "e"},
		{[]string{`principal="arn:aws:iam::111122223333:role/deploy"`}, "a"},
		{[]string{`principal!="arn:aws:iam::111122223333:role/deploy"`}, "bcde"},
		{[]string{`principal=~".*deploy.*"`}, "ad"},
		{[]string{`principal=~".*deploy.*"`, `region="us-east-1"`}, "d"},
		{[]string{`principal=""`}, "ce"},
		{[]string{`principal!=""`, `kind="user"`}, "b"},
		{[]string{`principal="arn:x"`, `principal="arn:y"`}, ""},
		{[]string{`kind=~"role|user"`}, "abd"},
		{[]string{`account="444455556666"`}, "de"},
		{[]string{`account!="444455556666"`}, "abc"},
		{[]string{`region=~"eu-.*"`}, "abc"},
		{[]string{`{kind="role", region="us-east-1"}`}, "d"},
		{[]string{`{}`}, "abcde"},
		{nil, "abcde"},
	} {
		q := url.Values{"filter": c.filters}
		doc := decode[struct{ Denials []struct{ Error string } }](t, s.get(t, "/clusters/prod/denials?"+q.Encode()), http.StatusOK)
		var got strings.Builder
		for _, d := range doc.Denials {
			got.WriteString(d.Error)
		}
		if got.String() != c.want {
			t.Errorf("%q: %q, want %q", c.filters, got.String(), c.want)
		}
	}
}

func TestMatchersNarrowTheOtherParameters(t *testing.T) {
	s := serve(t, openStore(t, mixed()...), &fake{})
	for query, want := range map[string]int{
		"reason=arn_not_mapped&reason=token_expired&filter=layer=token": 1,
		"reason=token_expired&filter=layer=mapping":                     0,
		"account=444455556666&filter=account=111122223333":              0,
		"region=us-east-1&filter=region=us-east-1":                      2,
	} {
		if doc := decode[denialPage](t, s.get(t, "/clusters/prod/denials?"+query), http.StatusOK); len(doc.Denials) != want {
			t.Errorf("%s: %d denials, want %d", query, len(doc.Denials), want)
		}
	}
}

func TestAMatcherThatCannotMatchStillNamesAnUnknownCluster(t *testing.T) {
	s := serve(t, openStore(t, mixed()...), &fake{})
	decodeProblem(t, s.get(t, "/clusters/nobody/denials?filter=reason=nonsense"), http.StatusNotFound)
}

// rare stores very many denials, of which every 997th has a principal.
func rare(t *testing.T, n int) (s *service, want []string) {
	t.Helper()
	st := openStore(t)
	var batch authlog.Batch
	for i := range n {
		d := denialAt(prod, now.Add(-time.Duration(i)*time.Second), i)
		if i%997 == 0 {
			d.Principal = &authlog.Principal{ARN: fmt.Sprintf("arn:aws:iam::111122223333:role/deploy-%d", i), Kind: authlog.PrincipalRole}
			want = append(want, d.ID.String())
		}
		batch.Denials = append(batch.Denials, d)
	}
	if err := st.Save(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	return serve(t, st, &fake{}), want
}

func TestARareMatchIsFoundThoughOnePageReadsOnlySoMuch(t *testing.T) {
	s, want := rare(t, 11_000)
	path := "/clusters/prod/denials?limit=7&filter=" + url.QueryEscape(`principal=~".*deploy.*"`)
	if diff := cmp.Diff(want, pages(t, s, path, func() {})); diff != "" {
		t.Error(diff)
	}
	path = "/clusters/prod/denials?limit=7&filter=" + url.QueryEscape(`principal=~".*nobody.*"`)
	first := decode[denialPage](t, s.get(t, path), http.StatusOK)
	if len(first.Denials) != 0 || first.Next == "" {
		t.Errorf("%d denials, next %q: an empty page that is not the last says where to go on", len(first.Denials), first.Next)
	}
	if got := pages(t, s, path, func() {}); got != nil {
		t.Errorf("found %v", got)
	}
}

func TestAScanEndsWhenTheCallerLeaves(t *testing.T) {
	f := &fake{denials: denialsBefore(prod, now, 1000)}
	ctx, leave := context.WithCancel(t.Context())
	f.during = func(c context.Context) {
		leave()
		<-c.Done()
		f.err = c.Err()
	}
	s := serveFake(t, f)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/clusters/prod/denials?filter=kind=x", nil)
	if err != nil {
		t.Fatal(err)
	}
	if res, err := http.DefaultTransport.RoundTrip(req); err == nil {
		t.Fatal("an answer although the caller left", res.Body.Close())
	}
	eventually(t, func() error {
		if !strings.Contains(s.log.String(), `"status":499`) {
			return fmt.Errorf("no 499 in %s", s.log)
		}
		return nil
	})
}
