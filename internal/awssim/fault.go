package awssim

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// A Fault makes matching calls go wrong. Its fields say which calls, when, and
// how; zero fields match every call, always, and do nothing.
//
//	// The third and sixth StartQuery of one account are throttled:
//	w.Inject(awssim.Fault{Operation: "StartQuery", Account: "111122223333", Every: 3, Times: 2, Fail: awssim.Throttling})
//	// Each query's first two polls answer Running with rows that vanish later:
//	w.Inject(awssim.Fault{Operation: "StartQuery", Polls: []string{"Running", "Running"}, Phantoms: 5})
//	// A group goes between two calls:
//	w.Inject(awssim.Fault{Operation: "GetQueryResults", Times: 1, Do: func() { region.DeleteLogGroup(name) }})
type Fault struct {
	// Which calls.
	Operation string // e.g. "StartQuery", "AssumeRole"
	Account   string
	Region    string
	Group     string // name of a log group that the request names

	// When: the first Skip matching calls pass; of those after them each
	// Every-th (0 and 1: each) is hit, until Times (0: no end) have been.
	Skip, Every, Times int

	// How. Delay and Do come first, then Fail.
	Delay time.Duration // real time
	Do    func()        // called without any lock held
	Fail  Failure

	// What follows is for StartQuery alone and stays with the query it starts.

	// Polls are the statuses that its first polls answer, whatever its pace:
	// "Scheduled", "Running" and "Unknown" for that poll only; "Failed",
	// "Timeout" and "Cancelled" for good.
	Polls []string
	// Phantoms are rows among those of a Running answer that the complete
	// result does not have.
	Phantoms int
	// NewPtrs gives every row another @ptr than other queries give it.
	NewPtrs bool

	// EmptyPages is for FilterLogEvents without a token: so many pages without
	// events come before the first page that has some.
	EmptyPages int
}

// Failure is how a call fails.
type Failure uint8

// The failures.
const (
	NoFailure          Failure = iota
	Throttling                 // the request rate
	LimitExceeded              // LimitExceededException, as with too many concurrent queries
	ServiceUnavailable         // 503
	InternalFailure            // 500
	AccessDenied               // the caller lacks the permission for this call
	ExpiredToken               // the caller's session is over
	InvalidState               // InvalidRequestException: the state of the cluster does not allow the call
	DropBefore                 // the connection closes before the call is carried out
	DropAfter                  // the call is carried out, then the connection closes without an answer
)

// An Injected fault is at work until it is removed or spent.
type Injected struct {
	fault  Fault
	faults *faults

	// Guarded by faults.mu.
	matched, hits int
}

type faults struct {
	mu  sync.Mutex
	all []*Injected
}

// Inject sets a fault to work from the next call on. Of several faults that
// hit one call, each has its effect and the first with a failure decides.
func (w *World) Inject(f Fault) *Injected {
	w.faults.mu.Lock()
	defer w.faults.mu.Unlock()
	in := &Injected{fault: f, faults: &w.faults}
	w.faults.all = append(w.faults.all, in)
	return in
}

// Hits counts the calls that the fault has hit.
func (in *Injected) Hits() int {
	in.faults.mu.Lock()
	defer in.faults.mu.Unlock()
	return in.hits
}

// Remove ends the fault.
func (in *Injected) Remove() {
	in.faults.mu.Lock()
	defer in.faults.mu.Unlock()
	in.faults.all = slices.DeleteFunc(in.faults.all, func(x *Injected) bool { return x == in })
}

// hitting returns the faults that hit this call and counts it.
func (fs *faults) hitting(c *call) []Fault {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	var out []Fault
	for _, in := range fs.all {
		if in.hit(c) {
			out = append(out, in.fault)
		}
	}
	return out
}

func (in *Injected) hit(c *call) bool {
	f := in.fault
	if f.Operation != "" && f.Operation != c.operation || f.Account != "" && f.Account != c.account.id ||
		f.Region != "" && f.Region != c.region.name || f.Group != "" && !c.names(f.Group) {
		return false
	}
	in.matched++
	n := in.matched - f.Skip
	if n <= 0 || n%max(1, f.Every) != 0 || f.Times > 0 && in.hits >= f.Times {
		return false
	}
	in.hits++
	return true
}

// failure words the refusal. Dropped connections have no words.
func (f Failure) refusal(c *call) *apiError {
	switch f {
	case Throttling:
		return c.protocol.throttled()
	case LimitExceeded:
		return &apiError{
			status: http.StatusBadRequest, code: "LimitExceededException",
			message: fmt.Sprintf("Account maximum query concurrency limit of [%d] reached.", c.world().Limits.queries()),
		}
	case ServiceUnavailable:
		return &apiError{status: http.StatusServiceUnavailable, code: "ServiceUnavailableException", message: "The service cannot complete the request."}
	case InternalFailure:
		return &apiError{status: http.StatusInternalServerError, code: "InternalFailure", message: "The request processing has failed because of an unknown error."}
	case AccessDenied:
		return c.denied()
	case ExpiredToken:
		return c.protocol.authError(expiredToken, textExpired)
	case InvalidState:
		return &apiError{status: http.StatusBadRequest, code: "InvalidRequestException", message: "The request is invalid given the state of the cluster."}
	case NoFailure, DropBefore, DropAfter:
	}
	return nil
}

// denied words a missing permission as IAM does.
func (c *call) denied() *apiError {
	e := &apiError{status: http.StatusForbidden, code: "AccessDeniedException"}
	switch c.protocol {
	case awsJSON:
		e.status = http.StatusBadRequest
	case awsQuery:
		e.code = "AccessDenied"
	case restJSON:
	}
	e.message = fmt.Sprintf("User: %s is not authorized to perform: %s on resource: %s because no identity-based policy allows the %s action",
		c.caller.arn, c.action(), c.resource(), c.action())
	return e
}

// resource is the ARN that IAM checks the call against.
func (c *call) resource() string {
	switch c.service {
	case "logs":
		group := ""
		if names := c.groupNames(); len(names) > 0 {
			group = names[0]
			if i := strings.Index(group, ":log-group:"); i >= 0 {
				group = group[i+len(":log-group:"):]
			}
		}
		return fmt.Sprintf("arn:aws:logs:%s:%s:log-group:%s:log-stream:", c.region.name, c.account.id, group)
	case "sts":
		return c.form().Get("RoleArn")
	case "iam":
		return c.iamResource()
	case "eks":
		if c.target != "" {
			if cluster, entry, ok := strings.Cut(c.target, "\x00"); ok {
				return fmt.Sprintf("arn:aws:eks:%s:%s:access-entry/%s/%s", c.region.name, c.account.id, cluster, entry)
			}
			return fmt.Sprintf("arn:aws:eks:%s:%s:cluster/%s", c.region.name, c.account.id, c.target)
		}
	}
	return "*"
}
