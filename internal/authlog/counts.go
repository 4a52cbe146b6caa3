package authlog

import "time"

// A CountFilter says which denials to count, and how to tell them apart.
type CountFilter struct {
	// DenialFilter chooses them. Start and End are needed, not before 1970;
	// Before, After, Ascending and Limit do not count.
	DenialFilter
	// Step cuts the time into steps that begin at whole multiples of it since
	// 1970; the first and the last may be cut by Start and End. Zero: the whole
	// time is one.
	Step time.Duration
	// Top is how many series are told apart: those with the most denials. What
	// is beyond them is one series more.
	Top int
	// Principals says that Series looks at the principal.
	Principals bool
	// Series names the series of a subject; false leaves its denials out. It is
	// called once for each.
	Series func(*DenialSubject) (name string, ok bool)
}

// Round moves Start and End up to whole milliseconds, which IDs have: the same
// denials lie between them.
func (f *CountFilter) Round() {
	f.Start = f.Start.Add(time.Millisecond - 1).Truncate(time.Millisecond)
	f.End = f.End.Add(time.Millisecond - 1).Truncate(time.Millisecond)
}

// Steps is how many steps the time has.
func (f *CountFilter) Steps() int {
	if f.Step <= 0 {
		return 1
	}
	return int(f.StepOf(f.End.Add(-time.Millisecond)) + 1)
}

// StepOf is the number of the step that the time lies in.
func (f *CountFilter) StepOf(t time.Time) int64 {
	if f.Step <= 0 {
		return 0
	}
	ms := f.Step.Milliseconds()
	return t.UnixMilli()/ms - f.Start.UnixMilli()/ms
}

// StepStart is when the step of that number begins, be it before Start.
func (f *CountFilter) StepStart(step int64) time.Time {
	ms := f.Step.Milliseconds()
	return time.UnixMilli((f.Start.UnixMilli()/ms + step) * ms).UTC()
}

// A DenialSubject is what counted denials have in common.
type DenialSubject struct {
	Cluster Cluster
	Reason  string
	// ARN and Kind are empty where the lines do not say who it was, and where
	// CountFilter.Principals is not set. Kind is that of the last denial.
	ARN  string
	Kind PrincipalKind
}

// A DenialSeries is how many denials there were of one series.
type DenialSeries struct {
	Name  string
	Other bool // it is what is beyond CountFilter.Top, and has no name
	Total int64
	Steps []int64 // how many in each step
}
