package pipeline

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// fresh finds the lines of a page that were not counted before. It returns the
// key of each line, the zero Key for one that was, and the Seen to be saved
// with what the fresh lines lead to.
//
// Lines are a multiset: n equal lines of one stream and millisecond are the
// keys 0 to n-1. A page is complete for each second it covers, so reading the
// same second again gives the same keys, and a late twin gives one more.
func fresh(ctx context.Context, store Store, lines []authlog.Line) ([]authlog.Key, []authlog.Seen, error) {
	keys := make([]authlog.Key, len(lines))
	byCluster := map[authlog.Cluster][]int{}
	for i := range lines {
		byCluster[lines[i].Cluster] = append(byCluster[lines[i].Cluster], i)
	}
	twins := map[authlog.Key]int{}
	var changed []authlog.Seen
	for cluster, at := range byCluster {
		seen, err := loadSeen(ctx, store, cluster, lines, at)
		if err != nil {
			return nil, nil, err
		}
		added := map[int64][]authlog.Key{}
		for _, i := range at {
			key := authlog.KeyOf(&lines[i], 0)
			n := twins[key]
			twins[key]++
			if n > 0 {
				key = authlog.KeyOf(&lines[i], n)
			}
			m := minuteOf(&lines[i])
			if _, ok := slices.BinarySearchFunc(seen[m], key, compareKeys); !ok {
				keys[i] = key
				added[m] = append(added[m], key)
			}
		}
		for m, more := range added {
			all := slices.Concat(seen[m], more)
			slices.SortFunc(all, compareKeys)
			changed = append(changed, authlog.Seen{Cluster: cluster, Minute: m, Keys: all})
		}
	}
	return keys, changed, nil
}

// loadSeen fetches the keys of the minutes that the cluster's lines lie in.
func loadSeen(ctx context.Context, store Store, c authlog.Cluster, lines []authlog.Line, at []int) (map[int64][]authlog.Key, error) {
	first, last := minuteOf(&lines[at[0]]), minuteOf(&lines[at[0]])
	for _, i := range at {
		m := minuteOf(&lines[i])
		first, last = min(first, m), max(last, m)
	}
	stored, err := store.Seen(ctx, c, first, last)
	if err != nil {
		return nil, fmt.Errorf("load the lines counted of %s: %w", c.Name, err)
	}
	byMinute := make(map[int64][]authlog.Key, len(stored))
	for _, s := range stored {
		byMinute[s.Minute] = s.Keys
	}
	return byMinute, nil
}

func minuteOf(l *authlog.Line) int64 { return l.Time.Unix() / 60 }

func compareKeys(a, b authlog.Key) int { return bytes.Compare(a[:], b[:]) }
