package awssim

import "sync"

// resultStore bounds the rows that all queries of a world hold together.
// Queries whose rows were dropped read them again.
type resultStore struct {
	mu    sync.Mutex
	queue []*query // oldest first
	sizes []int
	total int
}

const maxRowsKept = 200_000

func (k *resultStore) keep(q *query, rows int) {
	var drop []*query
	k.mu.Lock()
	k.queue, k.sizes, k.total = append(k.queue, q), append(k.sizes, rows), k.total+rows
	for k.total > maxRowsKept && len(k.queue) > 1 {
		drop = append(drop, k.queue[0])
		k.total -= k.sizes[0]
		k.queue, k.sizes = k.queue[1:], k.sizes[1:]
	}
	k.mu.Unlock()
	for _, old := range drop {
		// Never waits for a query that another caller reads: it would be read
		// again only later.
		if old != q && old.mu.TryLock() {
			old.rows = nil
			old.mu.Unlock()
		}
	}
}
