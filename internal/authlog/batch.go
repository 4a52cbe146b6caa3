package authlog

import "time"

// A Batch is all that one page of lines leads to. It is saved whole or not at
// all.
type Batch struct {
	Denials []Denial
	Grants  []Grant
	Markers []Marker
	Samples []Sample
	Seen    []Seen
	Cursors []Cursor
	// Diagnoses are those that opened, changed or were resolved. Each replaces
	// what was stored under its ID.
	Diagnoses []Diagnosis
}

// Seen holds the keys of the lines of one cluster and one minute of event time
// that were counted already, in ascending order. It replaces what was stored
// for that cluster and minute.
type Seen struct {
	Cluster Cluster
	Minute  int64 // minutes since 1970
	Keys    []Key
}

// A Cursor is how far one log group has been read in one lane. The lane ""
// follows the log; any other reads a stretch of the past once and is gone when
// it is done. Cluster and Lane together identify it.
type Cursor struct {
	Cluster Cluster
	Lane    string
	Created time.Time // of the log group; another value means the group was made anew
	// Start is where reading began: nothing older was ever asked for.
	Start time.Time
	// End is where the lane ends, exclusive; zero for the lane that follows.
	End time.Time
	// Watermark is the second before which every line is taken as final.
	Watermark time.Time
	// Through is the end of the newest window that was read whole. Between
	// Watermark and Through late lines may still come.
	Through time.Time
	Streams []string // what the lane reads, sorted
	Done    bool     // the lane has reached its end: Save deletes it
}
