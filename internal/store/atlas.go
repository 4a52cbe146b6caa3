package store

import (
	"context"
	"database/sql"
	"slices"
	"sync"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// An atlas remembers the table cluster. Its rows are never deleted and keep
// their name, account and region, and no other process may write: what it knows
// stays true, and it knows each cluster of a Save that has returned.
type atlas struct {
	mu    sync.RWMutex
	known map[int64]authlog.Cluster
	named map[string][]int64 // by name
}

func (a *atlas) add(more map[authlog.Cluster]*clusterRow) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.known == nil {
		a.known, a.named = map[int64]authlog.Cluster{}, map[string][]int64{}
	}
	for c, row := range more {
		if _, ok := a.known[row.id]; !ok {
			a.known[row.id] = c
			a.named[c.Name] = append(a.named[c.Name], row.id)
		}
	}
}

func (a *atlas) cluster(id int64) (c authlog.Cluster, ok bool) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	c, ok = a.known[id]
	return c, ok
}

// ids returns, in ascending order, the clusters of that name, account and
// region, each empty for any, that scope sees.
func (a *atlas) ids(name, account, region string, scope *authlog.Scope) (ids []int64) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	try := func(id int64) {
		c := a.known[id]
		if (account == "" || c.Account == account) && (region == "" || c.Region == region) && (scope == nil || scope.Sees(c)) {
			ids = append(ids, id)
		}
	}
	if name != "" {
		for _, id := range a.named[name] {
			try(id)
		}
	} else {
		for id := range a.known {
			try(id)
		}
	}
	slices.Sort(ids)
	return ids
}

// cluster returns the cluster of a row that was read. The table is asked for
// one that the commit of this moment brought.
func (s *SQLite) cluster(ctx context.Context, id int64) (authlog.Cluster, error) {
	c, ok := s.atlas.cluster(id)
	if ok {
		return c, nil
	}
	err := s.loadClusters(ctx)
	c, _ = s.atlas.cluster(id)
	return c, err
}

func (s *SQLite) loadClusters(ctx context.Context) error {
	found := map[authlog.Cluster]*clusterRow{}
	rows, err := s.query(ctx, "SELECT id, name, account, region FROM cluster")
	err = each(rows, err, func(rows *sql.Rows) error {
		var c authlog.Cluster
		row := &clusterRow{}
		err := rows.Scan(&row.id, &c.Name, &c.Account, &c.Region)
		found[c] = row
		return err
	})
	if err == nil {
		s.atlas.add(found)
	}
	return err
}
