// Package rules says why the authenticator refused a request. It holds the
// catalogue of reasons and markers, and turns an authlog.Event into a reason
// code, typed facts, a principal, and the denial, grant or marker to be kept.
// A Joiner tells denials and grants who they were, from the STS responses of
// the same stream.
//
// It is pure: no I/O, no logging, no clock. A reason is decided by the tokens
// and AWS code words at their own place in error=, never by searching the
// line or a body's free text, for much of that text is chosen by whoever
// calls the API server.
//
// What the authenticator prints is known from the source of its versions
// v0.1.0 to v0.7.18 and from lines that v0.4.0, v0.5.20, v0.6.31 and v0.7.18
// printed when run.
package rules

import (
	"slices"
	"strings"
)

// Unclassified is the code of a denial whose wording is not in the catalogue.
// Such a line is kept and counted: it is how new wordings are found.
const Unclassified = "unclassified"

// A Layer is the step of authentication that refused, in the order in which
// the authenticator takes them.
type Layer string

// The layers.
const (
	LayerToken    Layer = "token"    // the bearer token itself: prefix, base64, URL, host, parameters, age
	LayerSTS      Layer = "sts"      // sts:GetCallerIdentity did not say who it is
	LayerMapping  Layer = "mapping"  // who it is, is known; no mapper has it
	LayerUsername Layer = "username" // mapped, but its Kubernetes user name cannot be made or is reserved
	LayerEC2      Layer = "ec2"      // mapped as a node, but its private DNS name could not be found
	LayerServer   Layer = "server"   // which step refused is not known
)

// An Actor is who can put it right.
type Actor string

// The actors.
const (
	ActorClientOwner     Actor = "client_owner"     // whoever runs the client: kubectl, CI job, controller, node
	ActorClientDeveloper Actor = "client_developer" // whoever wrote the code that makes the token
	ActorCredentialOwner Actor = "credential_owner" // whoever holds the AWS credentials the token was signed with
	ActorClusterAdmin    Actor = "cluster_admin"    // may change access entries, aws-auth and the cluster role
	ActorAccountAdmin    Actor = "account_admin"    // may change IAM and STS settings of the AWS account
	ActorAWS             Actor = "aws"              // AWS itself: look at the Health Dashboard, open a case
	ActorOperator        Actor = "operator"         // runs a self-hosted authenticator; on EKS that is AWS
	ActorSecurity        Actor = "security"         // must look into where the request came from
)

// A Retry says whether the same request can succeed later.
type Retry string

// The answers to "shall I try again".
const (
	RetryNo             Retry = "no"              // never, until something is changed
	RetryYes            Retry = "yes"             // as it is
	RetryNewToken       Retry = "new_token"       // once with a fresh token, clock right
	RetryNewCredentials Retry = "new_credentials" // once the AWS credentials were renewed
	RetryAfterFix       Retry = "after_fix"       // as it is, once the remedy was applied elsewhere
	RetryUnknown        Retry = "unknown"         // the line does not tell
)

// A Suspicion is how much the reason by itself speaks for an attack.
type Suspicion string

// The degrees of suspicion.
const (
	SuspicionNone     Suspicion = "none"
	SuspicionLow      Suspicion = "low"
	SuspicionMedium   Suspicion = "medium"
	SuspicionHigh     Suspicion = "high"
	SuspicionVeryHigh Suspicion = "very_high"
)

// A Reason is one entry of the catalogue: all that is known of one way of
// being refused. Its fields are text for people; the code is for machines and
// never changes its meaning.
type Reason struct {
	Code    string `json:"code"`
	Layer   Layer  `json:"layer"`
	Summary string `json:"summary"` // one sentence
	Cause   string `json:"cause"`   // how it comes about

	Signature  string `json:"signature"`            // how error= reads; … stands for text that differs
	Versions   string `json:"versions"`             // authenticator versions that print it, and how it differed before
	HTTPStatus int    `json:"http_status"`          // of the webhook's answer to the API server; the user sees 401
	Result     string `json:"authenticator_result"` // label of the authenticator's own latency metric

	IdentityKnown bool      `json:"identity_known"` // the line names the principal, unless its account is scrubbed
	WhoActs       Actor     `json:"who_acts"`       // who acts first
	Retryable     Retry     `json:"retryable"`
	RetryNote     string    `json:"retry_note"` // the sentence behind Retryable
	Suspicion     Suspicion `json:"suspicion"`
	SuspicionNote string    `json:"suspicion_note,omitempty"`

	Remedy []Step   `json:"remedy"` // in order; what does not apply is skipped
	Docs   []string `json:"docs"`   // AWS and Kubernetes pages
}

// A Step is one thing to do.
type Step struct {
	Who     Actor  `json:"who"`
	Do      string `json:"do"`                // what and why
	Command string `json:"command,omitempty"` // for a POSIX shell; $UPPER_CASE are placeholders to be set or replaced
}

// All lists the catalogue, sorted by code. The caller may keep the slice but
// must not change what the entries point to.
func All() []Reason { return slices.Clone(catalogue) }

// ByCode finds a reason by its code.
func ByCode(code string) (Reason, bool) {
	i, ok := slices.BinarySearchFunc(catalogue, code, func(r Reason, code string) int {
		return strings.Compare(r.Code, code)
	})
	if !ok {
		return Reason{}, false
	}
	return catalogue[i], true
}

// catalogue holds all reasons sorted by code; it is never changed.
var catalogue = sorted(tokenReasons, hostReasons, stsReasons, stsFailures, mappingReasons, usernameReasons, ec2Reasons)

func sorted(families ...[]Reason) []Reason {
	all := slices.Concat(families...)
	slices.SortFunc(all, func(a, b Reason) int { return strings.Compare(a.Code, b.Code) })
	return all
}
