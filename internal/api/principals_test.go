package api_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/store"
)

const deploy = "arn:aws:iam::111122223333:role/deploy"

// moved is a role that worked on one cluster, was made anew, and is denied on
// two.
func moved(t *testing.T) *store.SQLite {
	t.Helper()
	who := authlog.Principal{ARN: deploy, Kind: authlog.PrincipalRole, Account: "111122223333"}
	old, anew := who, who
	old.UserID, old.Session = "AROAOLD", "ci-1"
	anew.UserID, anew.Session = "AROANEW", "ci-2"
	a, b := denialAt(prod, now.Add(-time.Hour), 1), denialAt(staging, now.Add(-2*time.Hour), 2)
	a.Principal, a.Reason = &anew, "arn_userid_mismatch"
	b.Principal = &anew
	st := openStore(t, a, b)
	err := st.Save(t.Context(), authlog.Batch{
		Grants: []authlog.Grant{
			{Cluster: prod, Time: now.Add(-48 * time.Hour), Principal: old, Username: "deploy"},
			{Cluster: prod, Time: now.Add(-24 * time.Hour), Principal: old, Username: "deploy"},
			{Cluster: prod, Time: now, Username: "x", Principal: authlog.Principal{ARN: "arn:aws:iam::111122223333:role/fine", Kind: authlog.PrincipalRole}},
		},
		Diagnoses: []authlog.Diagnosis{diagnosisOf(prod, "role_recreated", deploy, now)},
	})
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func TestAPrincipalIsToldOfAcrossClusters(t *testing.T) {
	s := serve(t, moved(t), &fake{})
	type spell struct {
		Cluster          struct{ Name string }
		Outcome, Session string
		UserID           string `json:"user_id"`
		Count            int
		First, Last      time.Time
	}
	type detail struct {
		ARN, Kind string
		Clusters  []struct {
			Cluster     struct{ Name string }
			LastGrant   *time.Time `json:"last_grant"`
			FirstDenial time.Time  `json:"first_denial"`
			Reasons     []struct{ Reason string }
			UserIDs     []string `json:"user_ids"`
		}
		Timeline  []spell
		Diagnoses []struct{ Code string }
	}
	// Slashes and colons may be escaped or not.
	for _, path := range []string{"/principals/" + deploy, "/principals/" + url.PathEscape(deploy), "/principals/" + url.QueryEscape(deploy)} {
		got := decode[detail](t, s.get(t, path), http.StatusOK)
		at := func(h int) time.Time { return now.Add(-time.Duration(h) * time.Hour) }
		name := func(n string) struct{ Name string } { return struct{ Name string }{n} }
		want := []spell{
			{name("prod"), "granted", "ci-1", "AROAOLD", 2, at(48), at(24)},
			{name("staging"), "denied", "ci-2", "AROANEW", 1, at(2), at(2)},
			{name("prod"), "denied", "ci-2", "AROANEW", 1, at(1), at(1)},
		}
		if diff := cmp.Diff(want, got.Timeline); diff != "" {
			t.Errorf("%s: %s", path, diff)
		}
		if len(got.Clusters) != 2 || got.ARN != deploy || got.Kind != "role" || len(got.Diagnoses) != 1 || got.Diagnoses[0].Code != "role_recreated" {
			t.Fatalf("%s: %+v", path, got)
		}
		first, second := got.Clusters[0], got.Clusters[1]
		if first.Cluster.Name != "prod" || !first.LastGrant.Equal(at(24)) || !first.FirstDenial.Equal(at(1)) ||
			first.Reasons[0].Reason != "arn_userid_mismatch" || !slices.Equal(first.UserIDs, []string{"AROANEW", "AROAOLD"}) {
			t.Errorf("%s: %+v", path, first)
		}
		if second.Cluster.Name != "staging" || second.LastGrant != nil {
			t.Errorf("%s: %+v", path, second)
		}
	}
}

func TestPrincipalsOfAClusterComeInPages(t *testing.T) {
	st := moved(t)
	for i := range 20 {
		d := denialAt(prod, now.Add(-time.Minute), 100+i) // all at one time
		d.Principal = &authlog.Principal{ARN: fmt.Sprintf("arn:aws:iam::111122223333:role/<%02d>", i), Kind: authlog.PrincipalRole}
		save(t, st, d)
	}
	s := serve(t, st, &fake{})
	list := func(path string) (arns []string) {
		t.Helper()
		for next := path; next != ""; {
			r := s.get(t, next)
			for _, p := range decode[struct{ Principals []struct{ ARN string } }](t, r, http.StatusOK).Principals {
				arns = append(arns, p.ARN)
			}
			next = linked(t, r)
		}
		return arns
	}
	all := list("/clusters/prod/principals")
	if len(all) != 22 || all[0] != "arn:aws:iam::111122223333:role/fine" || all[21] != deploy {
		t.Errorf("%q", all)
	}
	if diff := cmp.Diff(all, list("/clusters/prod/principals?limit=3")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(all[1:], list("/clusters/prod/principals?denied=true&limit=4&account=111122223333")); diff != "" {
		t.Error(diff)
	}
	for query, parameter := range map[string]string{"denied=yes": "denied", "limit=501": "limit", "next=x": "next", "region=x": "region"} {
		if p := decodeProblem(t, s.get(t, "/clusters/prod/principals?"+query), http.StatusBadRequest); p.Parameter != parameter {
			t.Errorf("%s: %+v", query, p)
		}
	}
}
