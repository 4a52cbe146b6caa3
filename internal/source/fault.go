package source

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"regexp"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// code is AWS's name of the error, or "" when AWS gave none.
func code(err error) string {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return api.ErrorCode()
	}
	return ""
}

// status is the HTTP status of AWS's answer, or 0 when there was none.
func status(err error) int {
	if resp, ok := errors.AsType[*smithyhttp.ResponseError](err); ok && resp.Response != nil {
		return resp.HTTPStatusCode()
	}
	return 0
}

// throttled reports whether AWS refused for the rate of calls or the number of
// queries under way.
func throttled(err error) bool {
	_, ok := retry.DefaultThrottleErrorCodes[code(err)]
	return ok || status(err) == http.StatusTooManyRequests
}

// passing reports whether the same call may work a little later.
func passing(err error) bool {
	if errors.Is(err, context.Canceled) {
		return false
	}
	return throttled(err) || status(err) >= http.StatusInternalServerError ||
		retry.IsErrorRetryables(retry.DefaultRetryables).IsErrorRetryable(err) == aws.TrueTernary
}

// ambiguous reports whether AWS may have done what a failed call asked for:
// its answer was lost, or was a failure of its own side.
func ambiguous(err error) bool {
	switch s := status(err); {
	case s >= 400 && s < 500:
		return false
	case s != 0:
		return true
	}
	if dial, ok := errors.AsType[*net.OpError](err); ok && dial.Op == "dial" {
		return false
	}
	_, sent := errors.AsType[*smithyhttp.RequestSendError](err)
	_, cancelled := errors.AsType[*smithy.CanceledError](err)
	return sent || cancelled
}

// unsure wraps the client's retryer for the call that must not be repeated
// blindly: an ambiguous failure is left to the caller.
type unsure struct{ aws.Retryer }

func (r unsure) IsErrorRetryable(err error) bool {
	return !ambiguous(err) && r.Retryer.IsErrorRetryable(err)
}

// refusals are the error codes for a missing permission; the spelling differs
// between the services.
var refusals = map[string]bool{
	"AccessDeniedException": true,
	"AccessDenied":          true,
	"UnauthorizedOperation": true,
	"NotAuthorized":         true,
}

// AWS's sentence about a missing permission, the same in all services:
// "User: <arn> is not authorized to perform: <action> on resource: <arn>
// because no identity-based policy allows the <action> action".
var (
	deniedAction   = regexp.MustCompile(`not authorized to perform: ([A-Za-z0-9-]+:[A-Za-z0-9*]+)`)
	deniedResource = regexp.MustCompile(`on resource: (arn:[^\s"]+)`)
)

// typed gives an error of AWS the type that callers tell apart. op is the
// operation that failed.
func typed(op string, err error) error {
	switch {
	case err == nil:
		return nil
	case throttled(err):
		return fmt.Errorf("%w: %w", authlog.ErrThrottled, err)
	case refusals[code(err)]:
		return denied(op, err)
	}
	return err
}

func denied(op string, err error) *authlog.AccessError {
	e := &authlog.AccessError{Action: "logs:" + op, Err: err}
	switch op {
	case opGetCallerIdentity:
		e.Action = "sts:" + op
	case opListRegions:
		e.Action = "account:" + op
	}
	if m := deniedAction.FindStringSubmatch(err.Error()); m != nil {
		e.Action = m[1]
	}
	if m := deniedResource.FindStringSubmatch(err.Error()); m != nil {
		e.Resource = m[1]
	}
	return e
}
