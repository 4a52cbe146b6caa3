// Package authlog holds the words of the project: the cluster, the line, the
// event, the denial, the grant, the marker, and what travels between the rooms.
// It imports nothing of ours and does no I/O.
//
// All times are UTC. A CloudWatch event time has milliseconds; the time that a
// line itself carries has whole seconds.
package authlog

import (
	"errors"
	"strings"
	"time"
)

// ErrNotFound says that what was asked for by name or id is not stored.
var ErrNotFound = errors.New("not found")

// A Cluster is one EKS cluster. Its name is unique only within an account and
// region, so the three together identify it; the struct is comparable.
type Cluster struct {
	Name    string `json:"name"`    // as in the log group's name
	Account string `json:"account"` // 12 digits
	Region  string `json:"region"`  // e.g. eu-central-1
}

// LogGroup is the name of the log group that EKS writes the cluster's control
// plane logs to.
func (c Cluster) LogGroup() string { return "/aws/eks/" + c.Name + "/cluster" }

// ClusterOf takes the cluster's name out of a log group's name. It reports
// false for a group that EKS does not write (such as /aws/eks/x/pods).
func ClusterOf(logGroup string) (name string, ok bool) {
	name, ok = strings.CutPrefix(logGroup, "/aws/eks/")
	if !ok {
		return "", false
	}
	name, ok = strings.CutSuffix(name, "/cluster")
	if !ok || name == "" || strings.Contains(name, "/") {
		return "", false
	}
	return name, true
}

// A Shard is what one reader works through: the log groups that one set of
// credentials sees in one region.
type Shard struct {
	Account string // of the credentials; 12 digits
	Region  string
}

func (s Shard) String() string { return s.Account + "/" + s.Region }

// A Group is the log group of a cluster, as discovery found it.
type Group struct {
	Cluster   Cluster
	ARN       string    // without the trailing ":*"
	Class     string    // STANDARD, INFREQUENT_ACCESS or ESSENTIALS
	Created   time.Time // events before it cannot be queried
	Retention time.Duration
	Streams   []Stream // the authenticator streams, by name
}

// A Stream is one authenticator-<hex> log stream.
type Stream struct {
	Name    string
	Created time.Time
	// LastIngested is when CloudWatch last took in a line of it. CloudWatch
	// updates it late, commonly within an hour. Zero when there is none yet.
	LastIngested time.Time
}

// A Target names what to read of one log group.
type Target struct {
	Group   Group
	Streams []string // names; none means that there is nothing to read
}

// A Window is the half-open span [From, To) of event time to read, in whole
// seconds, of each of its targets.
type Window struct {
	Targets  []Target
	From, To time.Time
}

// A Page is a stretch of a window that was read to its end: every line of the
// targets with an event time in [From, Through) that CloudWatch showed.
type Page struct {
	Targets       []Target
	From, Through time.Time
	Lines         []Line // ordered by event time
}
