package authlog

import (
	"path"
	"slices"
)

// A Caller is who asks the API.
type Caller struct {
	Name  string // of the token; empty where none is asked for
	Scope Scope
	// Admin may see how the service itself does, and change how it runs.
	Admin bool
}

// A Scope is which clusters someone may see: those of which a pattern in
// Clusters matches the name and one in Accounts the account. The patterns are
// those of path.Match. The zero Scope sees none.
type Scope struct {
	Clusters []string
	Accounts []string
}

// Everything is the scope that sees every cluster.
func Everything() Scope { return Scope{Clusters: []string{anything}, Accounts: []string{anything}} }

const anything = "*"

// All reports whether every cluster is seen, also one that is yet to come.
func (s Scope) All() bool {
	return slices.Contains(s.Clusters, anything) && slices.Contains(s.Accounts, anything)
}

// Sees reports whether the cluster may be seen. A malformed pattern matches
// nothing.
func (s Scope) Sees(c Cluster) bool {
	return matchesAny(s.Clusters, c.Name) && matchesAny(s.Accounts, c.Account)
}

func matchesAny(patterns []string, text string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		ok, err := path.Match(p, text)
		return ok && err == nil
	})
}
