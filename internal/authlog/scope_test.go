package authlog_test

import (
	"testing"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

func TestAScopeSeesWhatMatchesInNameAndAccount(t *testing.T) {
	prod := authlog.Cluster{Name: "prod-1", Account: "111122223333", Region: "eu-central-1"}
	for _, c := range []struct {
		scope authlog.Scope
		sees  bool
		all   bool
	}{
		{scope: authlog.Scope{}},
		{scope: authlog.Scope{Clusters: []string{"*"}}},
		{scope: authlog.Everything(), sees: true, all: true},
		{scope: authlog.Scope{Clusters: []string{"x", "prod-?"}, Accounts: []string{"*"}}, sees: true},
		{scope: authlog.Scope{Clusters: []string{"prod"}, Accounts: []string{"*"}}},
		{scope: authlog.Scope{Clusters: []string{"*"}, Accounts: []string{"111122223333"}}, sees: true},
		{scope: authlog.Scope{Clusters: []string{"prod-*"}, Accounts: []string{"444455556666"}}},
		{scope: authlog.Scope{Clusters: []string{"prod-["}, Accounts: []string{"*"}}},
	} {
		if c.scope.Sees(prod) != c.sees || c.scope.All() != c.all {
			t.Errorf("%+v: sees it: %v, all: %v", c.scope, c.scope.Sees(prod), c.scope.All())
		}
	}
}
