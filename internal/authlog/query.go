package authlog

import "time"

// A DenialFilter chooses stored denials. Zero fields choose all.
type DenialFilter struct {
	Scope     *Scope // only clusters it sees; nil: all
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

// A DiagnosisFilter chooses stored diagnoses. Zero fields choose all.
type DiagnosisFilter struct {
	Scope      *Scope // only of clusters it sees; nil: all
	State      DiagnosisState
	Severities []Severity // any of them
	Codes      []string   // any of them
	Subject    string     // exactly
	Cluster    string     // name
	Account    string     // of the cluster
	Region     string     // of the cluster
	TopOnly    bool       // leave out those that another explains, see Diagnosis.Parent
	SeenSince  time.Time  // only those seen then or later; ms
	Ascending  bool       // the one seen last comes last
	After      DiagnosisPlace
	Limit      int // must be positive
}

// A DiagnosisPlace is a place in a list of diagnoses, which has the one seen
// last first, or last: that of the diagnosis with these two. Zero is before all.
type DiagnosisPlace struct {
	LastSeen time.Time
	ID       string
}

// A GrantSpan sums up the grants of one principal under one unique id, user
// name, session and STS endpoint over a stretch of time.
type GrantSpan struct {
	Principal   Principal // without AccessKeyID
	Username    string
	Groups      string
	STSEndpoint string
	Count       int64
	First, Last time.Time
}

// A DenialSpan sums up the denials of one principal for one reason over a
// stretch of time.
type DenialSpan struct {
	ARN, Account, Reason string // ARN and Account are empty where the lines do not say who it was
	Count                int64
	First, Last          time.Time
}

// A PrincipalFilter chooses what is summed up of principals. Zero fields choose
// all.
type PrincipalFilter struct {
	Scope   *Scope // only on clusters it sees; nil: all
	Cluster string // name
	Account string // of the cluster
	Region  string // of the cluster
	ARN     string // canonical, exactly
	Denied  bool   // only who was denied
	// Only who was heard of first before End, and last at Start or later; ms,
	// zero for no bound.
	Start, End time.Time
	Ascending  bool // the one heard of last comes last
	After      PrincipalPlace
	Limit      int // must be positive
}

// A PrincipalPlace is a place in a list of principals, which has the one heard
// of last first, or last: that of the principal with these three. Zero is
// before all.
type PrincipalPlace struct {
	Last    time.Time
	Cluster Cluster
	ARN     string
}

// A PrincipalSummary is what is known of one principal on one cluster.
type PrincipalSummary struct {
	Cluster   Cluster
	Principal Principal // as it was last heard of; without session and ids
	// Times are zero where there is none on record.
	FirstGrant, LastGrant   time.Time
	FirstDenial, LastDenial time.Time
	Grants, Denials         int64
	Reasons                 []ReasonTime  // of its denials, the latest first
	Identities              []IdentitySum // the latest first, at most some dozens
	IdentitiesTotal         int
}

// Last is when the principal was last heard of.
func (p *PrincipalSummary) Last() time.Time {
	if p.LastDenial.After(p.LastGrant) {
		return p.LastDenial
	}
	return p.LastGrant
}

// Place is where the principal stands in a list.
func (p *PrincipalSummary) Place() PrincipalPlace {
	return PrincipalPlace{Last: p.Last(), Cluster: p.Cluster, ARN: p.Principal.ARN}
}

// A ReasonTime is when a principal was last denied for a reason.
type ReasonTime struct {
	Reason string
	Last   time.Time
}

// An IdentitySum is how often a principal came under one unique id and session
// and was granted, or denied.
type IdentitySum struct {
	Granted     bool
	UserID      string // IAM's unique id; "" where the log does not say
	Session     string // likely, see Principal; "" where the log does not say
	Count       int64
	First, Last time.Time
}
