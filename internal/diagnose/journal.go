package diagnose

import "slices"

// A journal undoes what was changed since the last Commit.
type journal struct {
	undo    []func()
	changed map[any]bool // pointers to what was copied already
}

func (j *journal) clear() { j.undo, j.changed = nil, nil }

// rewind undoes everything, the latest first.
func (j *journal) rewind() {
	for _, undo := range slices.Backward(j.undo) {
		undo()
	}
	j.clear()
}

// remember undoes with f what comes after it.
func (j *journal) remember(f func()) { j.undo = append(j.undo, f) }

// first reports whether a pointer is changed for the first time.
func (j *journal) first(p any) bool {
	if j.changed[p] {
		return false
	}
	if j.changed == nil {
		j.changed = map[any]bool{}
	}
	j.changed[p] = true
	return true
}

// cloner is a pointer to V that can be copied.
type cloner[V any] interface {
	*V
	clone() *V
}

// edit returns the value of a key to be changed: the first time a copy in its
// place, or a new value.
func edit[K comparable, V any, P cloner[V]](j *journal, m map[K]P, key K) P {
	old, ok := m[key]
	if ok && !j.first(old) {
		return old
	}
	if !ok {
		v := P(new(V))
		m[key] = v
		j.first(v)
		j.remember(func() { delete(m, key) })
		return v
	}
	v := P(old.clone())
	m[key] = v
	j.first(v)
	j.remember(func() { m[key] = old })
	return v
}

// drop deletes a key.
func drop[K comparable, P any](j *journal, m map[K]P, key K) {
	old, ok := m[key]
	if !ok {
		return
	}
	delete(m, key)
	j.remember(func() { m[key] = old })
}
