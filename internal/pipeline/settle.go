package pipeline

import "time"

// settling chooses how long a second is read again, from how late lines were
// when they were first read. It begins with the most and comes down as it
// learns; a line that only a sweep found brings it up again.
type settling struct {
	least, most time.Duration
	seconds     []float64 // lines by lateness in seconds; the last holds all beyond
	total       float64
	floor       time.Duration // raised by stragglers, falls with time
}

const (
	// settleShare is the share of lines that must be in before a second
	// settles; the sweeps find the others.
	settleShare = 0.9995
	// settleMargin is added to what was measured.
	settleMargin = 15 * time.Second
	// settleLines is how many lines must have been measured.
	settleLines = 50
	// settleKept is what remains of the measure at the end of a cycle, so that
	// it follows CloudWatch within some hours.
	settleKept = 0.995
)

func newSettling(least, most time.Duration) *settling {
	return &settling{least: least, most: most, seconds: make([]float64, int(most/time.Second)+2)}
}

// observe takes in how late a line was when a window that reached up to now
// found it.
func (s *settling) observe(late time.Duration) {
	i := min(max(int(late/time.Second), 0), len(s.seconds)-1)
	s.seconds[i]++
	s.total++
}

// straggler takes in that a line came after its second had settled.
func (s *settling) straggler() {
	s.floor = min(max(s.floor, s.value())*5/4, s.most)
}

// value is how long a second is to be read again now.
func (s *settling) value() time.Duration {
	if s.total < settleLines {
		return s.most
	}
	left := s.total * (1 - settleShare)
	i := len(s.seconds) - 1
	for sum := s.seconds[i]; i > 0 && sum <= left; sum += s.seconds[i] {
		i--
	}
	measured := time.Duration(i+1)*time.Second + settleMargin
	return min(max(measured, s.floor, s.least), s.most)
}

// age lets old measures count less; it is called once a cycle.
func (s *settling) age() {
	for i := range s.seconds {
		s.seconds[i] *= settleKept
	}
	s.total *= settleKept
	s.floor = time.Duration(float64(s.floor) * settleKept)
}
