package pipeline_test

import (
	"testing"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/pipeline"
)

func TestABudgetStretchesTheIntervalOfItsAccountOnly(t *testing.T) {
	const day = 24_000_000
	b := pipeline.NewBudget(day)
	midnight := time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)
	b.Add("111122223333", day/2, midnight.Add(6*time.Hour))
	for _, c := range []struct {
		account string
		at      time.Duration
		want    float64
	}{
		{"111122223333", 6 * time.Hour, 2},  // half is used in a quarter of the day
		{"111122223333", 12 * time.Hour, 1}, // what is left lasts
		{"111122223333", 18 * time.Hour, 1},
		{"444455556666", 6 * time.Hour, 1},
		{"111122223333", 30 * time.Hour, 1}, // the next day
	} {
		if got := b.Stretch(c.account, midnight.Add(c.at)); got != c.want {
			t.Errorf("%s at %v: %v, want %v", c.account, c.at, got, c.want)
		}
	}
	if got := pipeline.NewBudget(0).Stretch("111122223333", midnight); got != 1 {
		t.Errorf("no limit stretches by %v", got)
	}
}
