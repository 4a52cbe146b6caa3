package api_test

import (
	"testing"
	"time"
)

func TestOldestFirstIsTheReverse(t *testing.T) {
	list := denialsBefore(prod, now.Add(-time.Minute), 23)
	st := openStore(t, list...)
	s := serve(t, st, &fake{})
	newest := pages(t, s, "/clusters/prod/denials?limit=4&order=desc", func() {})
	n := 0
	oldest := pages(t, s, "/clusters/prod/denials?limit=4&order=asc&end=2026-11-24T12:00:00Z", func() {
		n++
		save(t, st, denialAt(prod, now.Add(time.Duration(n)*time.Second), 1000+n))
	})
	for i := range oldest {
		if oldest[i] != newest[len(newest)-1-i] {
			t.Fatalf("%v is not the reverse of %v", oldest, newest)
		}
	}
	if len(oldest) != len(list) || n == 0 {
		t.Errorf("%d denials, want %d", len(oldest), len(list))
	}
}
