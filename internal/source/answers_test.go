package source_test

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/awssim"
	"github.com/eks-authlog/eks-authlog/internal/source"
)

func TestReadersShareTheRoomForAnswers(t *testing.T) {
	const room, readers = 2, 8
	c := newCloud(t)
	for i := range readers {
		g := c.group(t, fmt.Sprintf("c%d", i), 1, awssim.GroupOptions{})
		c.write(g, 0, 50, time.Second)
	}
	cfg := config()
	cfg.Answers = source.NewAnswers(room)
	var held, most atomic.Int32
	var wait sync.WaitGroup
	for range readers {
		s := c.source(t, cfg)
		w := c.window(t, s, time.Minute)
		wait.Go(func() {
			lines := 0
			for page, err := range s.Read(t.Context(), w) {
				if err != nil {
					t.Error(err)
				}
				n := held.Add(1)
				for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
				}
				for range 1000 {
					runtime.Gosched() // the others would come now, if they could
				}
				lines += len(page.Lines)
				held.Add(-1)
			}
			if lines != 50*readers {
				t.Errorf("a reader got %d lines, want %d", lines, 50*readers)
			}
		})
	}
	wait.Wait()
	if most.Load() > room {
		t.Errorf("%d answers were worked on at a time, want %d at most", most.Load(), room)
	}
}

func TestAReaderThatLeavesEarlyMakesRoom(t *testing.T) {
	c := busy(t)
	s := c.source(t, config())
	w := c.window(t, s, time.Minute)
	for range 3 {
		for range s.Read(t.Context(), w) {
			break
		}
	}
	c.wantAll(t, read(t.Context(), t, s, w))
}
