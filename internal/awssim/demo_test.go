package awssim_test

import (
	"testing"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/awssim"
)

func BenchmarkNewDemo(b *testing.B) {
	for b.Loop() {
		if _, err := awssim.NewDemo(time.Now, 1); err != nil {
			b.Fatal(err)
		}
	}
}
