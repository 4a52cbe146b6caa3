package authlog

import "time"

// A Denial is one refused request and why it was refused.
type Denial struct {
	ID          ID
	Cluster     Cluster
	Stream      string
	Time        time.Time  // the line's own time
	Reason      string     // a code of the catalogue in package rules
	Principal   *Principal // nil when the line does not say who it was
	Error       string     // the log's own words, unescaped; valid UTF-8
	Client      string     // the API server's connection, never the user's address
	STSEndpoint string     // host or region of STS where the line or its STS response names it
	Raw         string     // the very bytes of the line
}

// A Grant is one admitted request.
type Grant struct {
	ID          ID // zero where only its hour is known
	Cluster     Cluster
	Time        time.Time
	Principal   Principal // its ARN is empty for accounts that EKS scrubs
	Username    string    // the Kubernetes user it became
	Groups      string    // as printed, e.g. "[system:masters]"
	STSEndpoint string    // region of STS, or "global", where the line or its STS response names it
	Raw         string    // the very bytes of the line; empty where only its hour is known
}

// A Principal is the AWS identity of a request as far as the log tells it.
type Principal struct {
	ARN     string        // canonical, as the authenticator prints it: without session, a role without its path
	Kind    PrincipalKind // from ARN and session
	Account string        // 12 digits, or "" when the ARN has none
	Benign  bool          // AWS's own, not to be reported as locked out

	// What follows comes from the STS response of the same stream and client
	// and is likely, not certain: the API server shares one connection among
	// many requests.
	Session     string
	UserID      string // IAM's unique id, AROA…, AIDA…; for a grant it stands in the line itself
	AccessKeyID string
}

// PrincipalKind sorts principals by what they are to the person who must act.
type PrincipalKind string

// The kinds of principal; the strings are part of the API.
const (
	PrincipalRole          PrincipalKind = "role"
	PrincipalUser          PrincipalKind = "user"
	PrincipalRoot          PrincipalKind = "root"
	PrincipalFederatedUser PrincipalKind = "federated_user"
	PrincipalSSO           PrincipalKind = "sso"            // IAM Identity Center, AWSReservedSSO_<permission set>_<16 hex>
	PrincipalServiceLinked PrincipalKind = "service_linked" // AWSServiceRoleFor…
	PrincipalNode          PrincipalKind = "node"           // session is an EC2 instance id
	PrincipalFargate       PrincipalKind = "fargate"        // session fargate-…
	PrincipalHybrid        PrincipalKind = "hybrid"         // session mi-…
	PrincipalAWS           PrincipalKind = "aws"            // EKS's own
	PrincipalUnknown       PrincipalKind = "unknown"        // no ARN of a form we know
)

// A Marker is a line that tells of the cluster's access configuration or of
// the authenticator itself: the causes that denials follow from.
type Marker struct {
	ID      ID
	Cluster Cluster
	Stream  string
	Time    time.Time
	Code    string // a marker code of package rules
	Msg     string // the log's own words, unescaped; valid UTF-8
	Raw     string // the very bytes of the line
}

// A Sample is a line kept for itself: because it was not understood, or for what
// Code says.
type Sample struct {
	ID      ID
	Cluster Cluster
	Stream  string
	Time    time.Time
	Code    string // "unreadable", "unclassified" or SampleCreator
	Raw     string
}

// SampleCreator is the code of samples that are grants of the user
// kubernetes-admin: a hint of who created the cluster, no proof.
const SampleCreator = "creator"
