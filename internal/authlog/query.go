package authlog

import "time"

// A DenialFilter chooses stored denials. Zero fields choose all.
type DenialFilter struct {
	Cluster   string // name
	Account   string
	Region    string
	Reasons   []string // any of them
	Principal string   // canonical ARN, exactly
	Start     time.Time
	End       time.Time // exclusive
	Before    ID        // only denials that sort before it; zero: all
	After     ID        // only denials that sort after it; zero: all
	Ascending bool      // oldest first; else newest first
	Limit     int       // must be positive
}

// A ClusterSummary is one row of the list of clusters.
type ClusterSummary struct {
	Cluster             Cluster
	LastEvent           time.Time // zero: none yet
	LastDenial          time.Time // zero: none kept
	Denials24h          int64
	PrincipalsDenied24h int64
	ReadThrough         time.Time // zero: no window of it was read yet
}

// A ShardStatus is how far the reader of one account and region has come.
type ShardStatus struct {
	Shard       string    // account/region, or the source's name while the account is not known
	Ready       bool      // a first window was read
	Error       string    // what the last attempt failed with; empty when it did not
	ReadThrough time.Time // the event time up to which all its log groups were read; zero: none yet
}
