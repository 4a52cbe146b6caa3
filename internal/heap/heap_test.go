package heap_test

import (
	"testing"

	"github.com/eks-authlog/eks-authlog/internal/heap"
)

func TestASmallHeapMayDoubleAndALargeOneGrowsByThirtyPercent(t *testing.T) {
	for live, want := range map[uint64]int{0: 100, 10 << 20: 100, 32 << 20: 100, 64 << 20: 50, 100 << 20: 32, 200 << 20: 30, 10 << 30: 30} {
		if got := heap.Percent(live); got != want {
			t.Errorf("%d MiB stay: %d %%, want %d %%", live>>20, got, want)
		}
	}
}
