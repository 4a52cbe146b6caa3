package authlog

import (
	"crypto/sha256"
	"encoding/binary"
	"time"
)

// A Diagnosis is what many lines together say: who is out, since when, why,
// how sure that is, and what puts it right. It is kept and served as a
// document; its JSON is part of the API.
//
// Its text is for people. Commands, in Remedies and WouldConfirm, hold nothing
// of the log but values of a strict grammar; all else may quote the log, which
// callers of the API server write in part, and must be escaped where it is
// shown.
type Diagnosis struct {
	ID         string         `json:"id"` // see DiagnosisID
	Code       string         `json:"code"`
	Subject    string         `json:"subject"` // what of the cluster: an ARN, an account, a reason; "" for the cluster
	Cluster    Cluster        `json:"cluster"`
	Severity   Severity       `json:"severity"`
	Confidence Confidence     `json:"confidence"`
	State      DiagnosisState `json:"state"`
	Summary    string         `json:"summary"` // one or two sentences

	FirstSeen time.Time `json:"first_seen"` // when this spell of it began
	LastSeen  time.Time `json:"last_seen"`
	Count     int64     `json:"count"` // lines that speak for it in this spell

	Affected      []Affected `json:"affected"` // the most recent first, at most some dozens
	AffectedTotal int        `json:"affected_total"`

	Evidence []Evidence `json:"evidence"`  // in the order of time
	RuledOut []RuledOut `json:"ruled_out"` // what it could have been
	// Configuration is what the cluster's own configuration says of the one
	// principal that it is about; nil where that is not known.
	Configuration *AccessVerdict `json:"configuration,omitempty"`
	// Broken is what is wrong with aws-auth now, of diagnoses of aws-auth.
	Broken []AccessFault `json:"broken,omitempty"`
	// WouldConfirm are commands that only read; their answers settle what the
	// log leaves open.
	WouldConfirm []Step   `json:"would_confirm"`
	Remedies     []Remedy `json:"remedies"` // the likeliest to help first
	Docs         []string `json:"docs"`

	// Parent is the id of the diagnosis that explains this one. Whoever mends
	// the parent mends this; it is not to be alerted on.
	Parent        string   `json:"parent,omitempty"`
	Children      []string `json:"children,omitempty"` // ids, at most some dozens
	ChildrenTotal int      `json:"children_total,omitempty"`

	Resolution *Resolution `json:"resolution,omitempty"` // nil while open
}

// DiagnosisID makes the id of a diagnosis: 26 characters that tell cluster,
// code and subject from all others. It has no time in it, so that a lockout
// that comes back has the same address.
func DiagnosisID(c Cluster, code, subject string) string {
	h := sha256.New()
	var num [8]byte
	for _, s := range [...]string{c.Account, c.Region, c.Name, code, subject} {
		binary.BigEndian.PutUint64(num[:], uint64(len(s)))
		h.Write(num[:])
		h.Write([]byte(s))
	}
	return idText.EncodeToString(h.Sum(nil)[:len(ID{})])
}

// Severity is how soon a person must look.
type Severity string

// The severities.
const (
	SeverityCritical Severity = "critical" // many or the nodes are out
	SeverityWarning  Severity = "warning"  // someone is out who was in, or it smells of an attack
	SeverityInfo     Severity = "info"
)

// Rank orders severities; a higher one is worse.
func (s Severity) Rank() int {
	switch s {
	case SeverityCritical:
		return 2
	case SeverityWarning:
		return 1
	case SeverityInfo:
	}
	return 0
}

// Confidence is how sure a diagnosis is.
type Confidence string

// The degrees of confidence.
const (
	ConfidenceCertain Confidence = "certain" // the lines allow nothing else
	ConfidenceHigh    Confidence = "high"
	ConfidenceMedium  Confidence = "medium"
	ConfidenceLow     Confidence = "low"
)

// Rank orders degrees of confidence; a higher one is surer, and 0 is none.
func (c Confidence) Rank() int {
	switch c {
	case ConfidenceCertain:
		return 4
	case ConfidenceHigh:
		return 3
	case ConfidenceMedium:
		return 2
	case ConfidenceLow:
		return 1
	}
	return 0
}

// DiagnosisState says whether it still holds.
type DiagnosisState string

// The states.
const (
	DiagnosisOpen     DiagnosisState = "open"
	DiagnosisResolved DiagnosisState = "resolved"
)

// Affected is a principal that a diagnosis is about.
type Affected struct {
	ARN     string        `json:"arn"`
	Kind    PrincipalKind `json:"kind"`
	Account string        `json:"account,omitempty"`
	// Person is who it likely was: the user's name, or the session where it
	// looks like a person's.
	Person    string    `json:"person,omitempty"`
	Sessions  []string  `json:"sessions,omitempty"` // latest first; likely, see Principal
	UserIDs   []string  `json:"user_ids,omitempty"` // IAM's unique ids that were denied
	Count     int64     `json:"count"`
	FirstSeen time.Time `json:"first_seen"`
	LastSeen  time.Time `json:"last_seen"`
	// LastGranted is its newest grant on this cluster; zero: none on record.
	LastGranted time.Time `json:"last_granted,omitzero"`
}

// Evidence is a line that a diagnosis stands on.
type Evidence struct {
	Line string    `json:"line,omitempty"` // its ID; "" for what is not kept by line, such as old grants
	Time time.Time `json:"time"`
	What string    `json:"what"`          // what it shows
	Raw  string    `json:"raw,omitempty"` // the line, bytes that are no UTF-8 replaced; "" when only the id was kept
	// RawBase64 is the very bytes of Raw, in base64 in JSON; nil where Raw has
	// them already.
	RawBase64 []byte `json:"raw_base64,omitempty"`
	Cut       bool   `json:"cut,omitempty"` // Raw is only the beginning
}

// RuledOut is what a diagnosis might have been taken for.
type RuledOut struct {
	Code string `json:"code"`
	Why  string `json:"why"`
}

// A Remedy is one way to put things right, for one person to walk.
type Remedy struct {
	Key     string `json:"key"` // names the remedy for machines
	Title   string `json:"title"`
	Who     string `json:"who"`            // "user", or an actor of package rules
	When    string `json:"when,omitempty"` // the condition under which it is the right one
	Warning string `json:"warning,omitempty"`
	// Set are the shell variables to give a value before the first command.
	Set       []Placeholder `json:"set,omitempty"`
	Steps     []Step        `json:"steps"`
	Terraform string        `json:"terraform,omitempty"` // the same as configuration
	Check     []Step        `json:"check,omitempty"`     // proves that it worked
	Undo      []Step        `json:"undo,omitempty"`
}

// A Placeholder is a value that the log does not give, or not in a form that
// may stand in a command.
type Placeholder struct {
	Name string `json:"name"` // of the shell variable
	What string `json:"what"` // to put there, and where to find it
}

// A Step is one thing to do.
type Step struct {
	Do      string `json:"do"`                // what and why
	Command string `json:"command,omitempty"` // one line for a POSIX shell
	Text    string `json:"text,omitempty"`    // what to write into a file or editor, such as an item of aws-auth
	Expect  string `json:"expect,omitempty"`  // what the answer must show
	OneWay  bool   `json:"one_way,omitempty"` // cannot be undone
}

// A Resolution is how a diagnosis ended.
type Resolution struct {
	Time time.Time `json:"time"`
	By   string    `json:"by"`             // grant, fix, quiet or withdrawn
	Why  string    `json:"why"`            // one sentence
	ARN  string    `json:"arn,omitempty"`  // who was granted
	Line string    `json:"line,omitempty"` // ID of the line that shows it, where known
}

// How a diagnosis ends.
const (
	ResolvedByGrant     = "grant"     // who was denied was granted
	ResolvedByFix       = "fix"       // the log shows the cause mended
	ResolvedByQuiet     = "quiet"     // no more lines of it for long
	ResolvedByWithdrawn = "withdrawn" // late lines told otherwise
)

// An Answer is yes, no, or "" where nobody could say.
type Answer string

// The answers.
const (
	Yes Answer = "yes"
	No  Answer = "no"
)

// AuthMode is where a cluster looks principals up.
type AuthMode string

// The authentication modes, as EKS spells them; "" is not known.
const (
	ModeConfigMap AuthMode = "CONFIG_MAP"
	ModeBoth      AuthMode = "API_AND_CONFIG_MAP"
	ModeAPI       AuthMode = "API"
)

// ClusterFacts is what is known of a cluster from elsewhere than its log. All
// of it is optional; a zero field is not known.
type ClusterFacts struct {
	Partition string   // e.g. aws-cn; zero: by the region
	Status    string   // of EKS, e.g. ACTIVE, DELETING
	Mode      AuthMode // where principals are looked up
	RoleARN   string   // of the cluster role, with its path
	Logging   Answer   // whether the authenticator log is on
	OptIn     Answer   // whether its region must be opted in to; zero: by the region
	Trusted   []string // accounts, besides the cluster's own, whose principals may be let in
	Creator   Creator

	// Principals is what the configuration says of principals that were denied,
	// by canonical ARN.
	Principals map[string]AccessVerdict
	// Broken is what is wrong with aws-auth, worst first.
	Broken []AccessFault
	// Missing are the permissions whose lack leaves something open.
	Missing []string
}

// A Creator is the principal that created a cluster.
type Creator struct {
	ARN    string `json:"arn"`              // canonical
	Source string `json:"source"`           // how that is known, e.g. "CloudTrail CreateCluster"
	Exists Answer `json:"exists,omitempty"` // whether IAM still has it
}
