package source_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/awssim"
)

// BenchmarkRead reads 100,000 lines of the usual length from the simulator
// over HTTP; the simulator's own work is in the time.
func BenchmarkRead(b *testing.B) {
	for _, limit := range []int{10_000, 100_000} {
		b.Run(fmt.Sprintf("limit=%d", limit), func(b *testing.B) {
			c := newCloud(b)
			g := c.group(b, "prod", 2, awssim.GroupOptions{})
			const lines = 100_000
			events := [2][]awssim.Event{}
			for i := range lines {
				at := c.start.Add(time.Duration(i) * 3 * time.Millisecond)
				events[i%2] = append(events[i%2], awssim.Event{Time: at, Message: fmt.Sprintf(
					`time="%s" level=info msg="access granted" arn="arn:aws:iam::111122223333:role/deployer" client="127.0.0.1:%d"`+
						` groups="[system:masters]" method=POST path=/authenticate uid="aws-iam-authenticator:111122223333:AROAEXAMPLEID" username=deployer`,
					at.Format(time.RFC3339), 30_000+i%20_000)})
			}
			for i := range events {
				g.Stream(streamName(i)).Put(events[i]...)
			}
			cfg := config()
			cfg.RowLimit = limit
			s := c.source(b, cfg)
			w := c.window(b, s, 10*time.Minute)
			for b.Loop() {
				n := 0
				for page, err := range s.Read(b.Context(), w) {
					if err != nil {
						b.Fatal(err)
					}
					n += len(page.Lines)
				}
				if n != lines {
					b.Fatalf("read %d lines of %d", n, lines)
				}
			}
			b.ReportMetric(float64(b.N)*lines/b.Elapsed().Seconds(), "lines/s")
			b.ReportAllocs()
		})
	}
}
