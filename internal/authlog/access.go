package authlog

import (
	"slices"
	"strings"
	"time"
)

// Access is what a cluster allows, as far as its own configuration could be
// read. Its JSON is part of the API.
//
// Its texts may quote the cluster's configuration with every character that
// cannot be seen as an escape.
type Access struct {
	Cluster Cluster `json:"cluster"`
	// Tier is the evidence at hand: 0 the log alone, 1 EKS's own description
	// and access entries, 2 aws-auth too, 3 IAM too. It is the highest one
	// whose every call, and every call of those below it, was answered; what is
	// known beyond it is shown all the same.
	Tier int       `json:"tier"`
	Read time.Time `json:"read"` // when EKS was last asked

	Status          string    `json:"status,omitempty"` // of EKS, e.g. ACTIVE
	Version         string    `json:"version,omitempty"`
	PlatformVersion string    `json:"platform_version,omitempty"`
	Created         time.Time `json:"created,omitzero"`
	Endpoint        string    `json:"endpoint,omitempty"`
	RoleARN         string    `json:"role_arn,omitempty"` // of the cluster role, with its path
	Mode            AuthMode  `json:"mode,omitempty"`
	Logging         Answer    `json:"logging,omitempty"` // whether the authenticator log is on
	// BootstrapAdmin is whether EKS gave the creator an access entry as
	// administrator when the cluster was made.
	BootstrapAdmin Answer  `json:"bootstrap_admin,omitempty"`
	Creator        Creator `json:"creator,omitzero"`

	// Entries are the access entries by ARN; EntriesRead is when they were
	// listed, zero: never, so that none does not mean none.
	Entries     []AccessEntry `json:"entries"`
	EntriesRead time.Time     `json:"entries_read,omitzero"`
	AWSAuth     *AWSAuth      `json:"aws_auth,omitempty"` // nil: not known, or not read in mode API

	Missing  []MissingPermission `json:"missing"`  // calls that were refused
	Problems []string            `json:"problems"` // calls that failed for another reason
	Broken   []AccessFault       `json:"broken"`   // what is wrong, worst first
}

// Facts is the part of it that a diagnosis takes.
func (a *Access) Facts() ClusterFacts {
	f := ClusterFacts{Status: a.Status, Mode: a.Mode, RoleARN: a.RoleARN, Logging: a.Logging, Creator: a.Creator}
	for _, m := range a.Missing {
		f.Missing = append(f.Missing, m.Action)
	}
	for _, b := range a.Broken {
		if b.Severity == "error" && strings.HasPrefix(b.Where, "aws-auth") {
			f.Broken = append(f.Broken, b)
		}
	}
	return f
}

// An AccessEntry is what EKS shows of one access entry.
type AccessEntry struct {
	ARN      string         `json:"arn"`            // of the IAM role or user, with its path
	Type     string         `json:"type,omitempty"` // STANDARD, EC2_LINUX, …; empty where it could not be read
	Username string         `json:"username,omitempty"`
	Groups   []string       `json:"groups,omitempty"`
	Policies []AccessPolicy `json:"policies,omitempty"`
	Created  time.Time      `json:"created,omitzero"`
	Modified time.Time      `json:"modified,omitzero"`
}

// CanonicalARN is an IAM ARN as the authenticator prints it: a role without its
// path, all other as it is.
func CanonicalARN(arn string) string {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 || !strings.HasPrefix(parts[5], "role/") {
		return arn
	}
	return strings.TrimSuffix(arn, parts[5]) + "role/" + parts[5][strings.LastIndexByte(parts[5], '/')+1:]
}

// WithoutEntry gives those of the canonical ARNs that no access entry is of:
// whom aws-auth alone can let in. Of nil, which knows no entries, it gives all.
func (a *Access) WithoutEntry(arns []string) []string {
	if a == nil || len(a.Entries) == 0 {
		return arns
	}
	entries := map[string]bool{}
	for i := range a.Entries {
		entries[strings.ToLower(CanonicalARN(a.Entries[i].ARN))] = true
	}
	return slices.DeleteFunc(slices.Clone(arns), func(arn string) bool { return entries[strings.ToLower(arn)] })
}

// NeedAWSAuth gives those of the canonical ARNs whom aws-auth alone can let in:
// no access entry is of them, and none is creator, the canonical ARN of who
// created the cluster, where EKS lets that one in by itself. An empty creator is
// not known.
func (a *Access) NeedAWSAuth(arns []string, creator string) []string {
	arns = a.WithoutEntry(arns)
	if creator == "" || !a.letsIn(creator) {
		return arns
	}
	return slices.DeleteFunc(slices.Clone(arns), func(arn string) bool { return strings.EqualFold(arn, creator) })
}

// letsIn says whether EKS lets the creator in with no entry and no aws-auth. It
// does not where the access entries decide, nor where the creator was denied
// administration from the start. A creator whom the log alone suggests may be
// one that aws-auth calls kubernetes-admin.
func (a *Access) letsIn(creator string) bool {
	if a == nil {
		return true
	}
	if a.Mode == ModeAPI || a.Mode == ModeBoth && !a.EntriesRead.IsZero() || a.BootstrapAdmin == No {
		return false
	}
	named := func(i AWSAuthItem) bool {
		return i.Username == "kubernetes-admin" && strings.EqualFold(CanonicalARN(i.ARN), creator)
	}
	return a.AWSAuth == nil || strings.EqualFold(a.Creator.ARN, creator) ||
		!slices.ContainsFunc(a.AWSAuth.Roles, named) && !slices.ContainsFunc(a.AWSAuth.Users, named)
}

// An AccessPolicy is an EKS access policy of an access entry.
type AccessPolicy struct {
	ARN        string   `json:"arn"`
	Scope      string   `json:"scope"` // cluster or namespace
	Namespaces []string `json:"namespaces,omitempty"`
}

// AWSAuth is the aws-auth ConfigMap as the authenticator holds it.
type AWSAuth struct {
	Read   time.Time `json:"read"`
	Exists bool      `json:"exists"`
	Source string    `json:"source"` // "kubernetes", "in-cluster" or the name of a file
	// Ignored says that the authentication mode is API.
	Ignored  bool          `json:"ignored"`
	Roles    []AWSAuthItem `json:"roles"`
	Users    []AWSAuthItem `json:"users"`
	Accounts []string      `json:"accounts"`
}

// An AWSAuthItem is one item that the authenticator keeps.
type AWSAuthItem struct {
	ARN      string   `json:"arn"`
	Username string   `json:"username"`
	Groups   []string `json:"groups"`
	// Overridden says that an access entry of the same principal counts instead.
	Overridden bool `json:"overridden,omitempty"`
}

// A MissingPermission is a call that was refused.
type MissingPermission struct {
	Action   string `json:"action"` // the IAM action, or the verb and resource of Kubernetes
	Resource string `json:"resource,omitempty"`
	Tier     int    `json:"tier"` // that needs it
	Detail   string `json:"detail"`
}

// An AccessFault is something wrong in the access configuration of a cluster.
type AccessFault struct {
	Code      string `json:"code"`
	Severity  string `json:"severity"` // error, warning or info
	Where     string `json:"where"`    // e.g. "aws-auth mapRoles item 2, line 4" or an entry's ARN
	Message   string `json:"message"`
	Effect    string `json:"effect"`
	Corrected string `json:"corrected,omitempty"` // what to write instead
}

// Asked is a principal that a cluster keeps out, to be looked up in its
// configuration.
type Asked struct {
	Principal Principal
	Denied    time.Time // when last
}

// A Cause is why a cluster does not map a principal.
type Cause struct {
	Code       string     `json:"code"`
	Confidence Confidence `json:"confidence"`
	System     string     `json:"system"` // where it is to be mended: access_entry, aws_auth or iam
	Why        string     `json:"why"`    // one or two sentences
	// Corrected is what to write instead: an item of aws-auth, as YAML.
	Corrected string    `json:"corrected,omitempty"`
	Near      *NearItem `json:"near,omitempty"`
}

// A NearItem is the entry or item that was probably meant for a principal.
type NearItem struct {
	Where string `json:"where"` // e.g. "mapRoles item 2, line 4" or "access entry"
	Have  string `json:"have"`  // as it is written
	Want  string `json:"want"`  // the principal
	// HaveFrom to WantTo are where the two differ, in bytes; the end is
	// exclusive.
	HaveFrom int `json:"have_from"`
	HaveTo   int `json:"have_to"`
	WantFrom int `json:"want_from"`
	WantTo   int `json:"want_to"`
}

// An AccessVerdict is what the configuration says of one principal now.
type AccessVerdict struct {
	ARN string `json:"arn"` // canonical
	// FullARN is the ARN with its path, as an access entry needs it; empty
	// where IAM could not be asked.
	FullARN string    `json:"full_arn,omitempty"`
	Exists  Answer    `json:"exists,omitempty"` // whether IAM has it
	Created time.Time `json:"created,omitzero"` // by IAM
	// Mapped is by what it is let in now: "access_entry", "aws_auth", or "".
	Mapped   string  `json:"mapped,omitempty"`
	Username string  `json:"username,omitempty"`
	Causes   []Cause `json:"causes"` // why it is not, the surest first
}
