package source_test

import (
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
	c.write(c.group(t, "prod", 1, awssim.GroupOptions{}), 0, 50, time.Second)
	cfg := config()
	cfg.Answers = source.NewAnswers(room)
	var held, most atomic.Int32
	var wait sync.WaitGroup
	for range readers {
		s := c.source(t, cfg)
		w := c.window(t, s, time.Minute)
		wait.Go(func() {
			for page, err := range s.Read(t.Context(), w) {
				if err != nil || len(page.Lines) != 50 {
					t.Errorf("got %d lines and error %v, want 50", len(page.Lines), err)
				}
				n := held.Add(1)
				for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
				}
				// The others would get their answers now, if they could.
				for range 20 {
					if _, err := s.Groups(t.Context()); err != nil {
						t.Error(err)
					}
				}
				held.Add(-1)
			}
		})
	}
	wait.Wait()
	if most.Load() != room {
		t.Errorf("%d answers were worked on at a time, want %d", most.Load(), room)
	}
}

func TestAReaderThatLeavesEarlyMakesRoom(t *testing.T) {
	c := busy(t)
	s := c.source(t, config())
	w := c.window(t, s, time.Minute)
	for range 3 {
		for _, err := range s.Read(t.Context(), w) {
			if err != nil {
				t.Fatal(err)
			}
			break
		}
	}
	c.wantAll(t, read(t.Context(), t, s, w))
}
