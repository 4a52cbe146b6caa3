package store_test

import (
	"fmt"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

var scopes = map[string]authlog.Scope{
	"everything":            authlog.Everything(),
	"one name":              {Clusters: []string{"alpha"}, Accounts: []string{"*"}},
	"one name, one account": {Clusters: []string{"alpha"}, Accounts: []string{"444455556666"}},
	"a pattern":             {Clusters: []string{"b*", "x"}, Accounts: []string{"*"}},
	"an account":            {Clusters: []string{"*"}, Accounts: []string{"444455556666"}},
	"nothing there":         {Clusters: []string{"gamma"}, Accounts: []string{"*"}},
	"nothing":               {},
}

// What is listed within a scope is what is listed without, but for what the
// scope does not see.
func (c suite) showsOnlyWhatTheScopeSees() {
	t, s := c.t, c.open()
	var b authlog.Batch
	for i, cluster := range []authlog.Cluster{alpha, beta, twin} {
		for n := range 20 {
			d := denial(cluster, noon.Add(time.Duration(n*3+i)*time.Minute), n)
			if n%2 == 0 {
				d.Reason = "token_expired"
			}
			b.Denials = append(b.Denials, d)
		}
		b.Diagnoses = append(b.Diagnoses, diagnosis(cluster, "mapping_lost", "arn:aws:iam::111122223333:role/deploy", noon.Add(time.Duration(i)*time.Minute)))
	}
	save(t, s, b)
	for name, scope := range scopes {
		for _, f := range []authlog.DenialFilter{
			{},
			{Cluster: "alpha"},
			{Cluster: "alpha", Region: "us-east-1"},
			{Account: "111122223333"},
			{Reasons: []string{"token_expired"}},
			{Principal: "arn:aws:iam::111122223333:role/deploy", Ascending: true},
			{Cluster: "beta", Reasons: []string{"arn_not_mapped"}, Start: noon.Add(10 * time.Minute)},
		} {
			want := within(scope, denials(t, s, f), func(d authlog.Denial) authlog.Cluster { return d.Cluster })
			f.Scope = &scope
			same(t, fmt.Sprintf("%s: denials of %+v", name, f), want, denials(t, s, f))
		}
		for _, f := range []authlog.DiagnosisFilter{{}, {Cluster: "alpha"}, {Subject: "arn:aws:iam::111122223333:role/deploy"}} {
			want := within(scope, c.diagnoses(s, f), func(d authlog.Diagnosis) authlog.Cluster { return d.Cluster })
			f.Scope = &scope
			same(t, fmt.Sprintf("%s: diagnoses of %+v", name, f), want, c.diagnoses(s, f))
		}
		for _, f := range []authlog.PrincipalFilter{{}, {Account: "444455556666"}, {ARN: "arn:aws:iam::111122223333:role/deploy", Denied: true}} {
			want := within(scope, c.principals(s, f), func(p authlog.PrincipalSummary) authlog.Cluster { return p.Cluster })
			f.Scope = &scope
			same(t, fmt.Sprintf("%s: principals of %+v", name, f), want, c.principals(s, f))
		}
	}
}

func within[T any](scope authlog.Scope, all []T, clusterOf func(T) authlog.Cluster) (list []T) {
	for _, v := range all {
		if scope.Sees(clusterOf(v)) {
			list = append(list, v)
		}
	}
	return list
}

// A page is as long as was asked for, however much lies outside of the scope.
func (c suite) pagesAreFullInAScope() {
	t, s := c.t, c.open()
	var b authlog.Batch
	for n := range 200 {
		b.Denials = append(b.Denials, denial(beta, noon.Add(time.Duration(n)*time.Second), n))
		if n%50 == 0 {
			b.Denials = append(b.Denials, denial(alpha, noon.Add(time.Duration(n)*time.Second), n))
		}
	}
	save(t, s, b)
	scope := scopes["one name"]
	page := denials(t, s, authlog.DenialFilter{Scope: &scope, Limit: 3})
	if len(page) != 3 {
		t.Fatalf("%d denials, want 3", len(page))
	}
	rest := denials(t, s, authlog.DenialFilter{Scope: &scope, Limit: 3, Before: page[2].ID})
	if len(rest) != 1 || rest[0].Cluster != alpha {
		t.Errorf("the following page has %d denials, want 1", len(rest))
	}
}
