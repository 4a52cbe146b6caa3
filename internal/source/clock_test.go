package source_test

import (
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/eks-authlog/eks-authlog/internal/awssim"
	"github.com/eks-authlog/eks-authlog/internal/source"
)

// Whatever our clock shows, and however it is set between two calls, the time
// is AWS's.
func TestNowIsTheTimeOfAWS(t *testing.T) {
	noon := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	aws, ours := noon, noon.Add(10*time.Minute)
	w := awssim.NewWorld(func() time.Time { return aws })
	w.Account(account)
	server, err := awssim.Start(w)
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	cfg := config()
	cfg.Clock = func() time.Time { return ours }
	s := source.New(server.Config(region), cfg, &meter{}, zerolog.Nop())
	if got := s.Now(); !got.Equal(ours) {
		t.Errorf("before the first call: got %v, want our own time %v", got, ours)
	}
	ask := func() {
		t.Helper()
		if _, err := s.Groups(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range []struct{ aws, ours time.Duration }{
		{0, 0},
		{time.Minute, time.Minute},
		{time.Minute, -10 * time.Minute},
		{0, 20 * time.Minute},
		{time.Second, time.Second},
		{24 * time.Hour, time.Minute},
	} {
		aws, ours = aws.Add(step.aws), ours.Add(step.ours)
		ask()
		if got := s.Now(); !got.Equal(aws) {
			t.Errorf("AWS went %v and ours %v: got %v, want %v", step.aws, step.ours, got, aws)
		}
		ours = ours.Add(30 * time.Second)
		if got := s.Now(); !got.Equal(aws.Add(30 * time.Second)) {
			t.Errorf("30 s later: got %v, want %v", got, aws.Add(30*time.Second))
		}
		aws = aws.Add(30 * time.Second)
	}
	// Answers tell whole seconds; a clock that is right stays exact.
	exact := s.Now()
	aws, ours = aws.Add(900*time.Millisecond), ours.Add(900*time.Millisecond)
	ask()
	if got, want := s.Now(), exact.Add(900*time.Millisecond); !got.Equal(want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if s := source.New(server.Config(region), source.Config{}, &meter{}, zerolog.Nop()); time.Since(s.Now()).Abs() > time.Minute {
		t.Errorf("a source without a clock shows %v", s.Now())
	}
}
