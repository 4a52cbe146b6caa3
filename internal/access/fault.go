package access

import (
	"errors"
	"regexp"
	"strings"

	"github.com/aws/smithy-go"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

func code(err error) string {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return api.ErrorCode()
	}
	return ""
}

// refused says whether AWS refused the call for a missing permission: EKS
// spells it AccessDeniedException, IAM AccessDenied.
func refused(err error) bool {
	switch code(err) {
	case "AccessDeniedException", "AccessDenied", "UnauthorizedOperation":
		return true
	}
	return false
}

// absent says whether AWS has no such thing.
func absent(err error) bool {
	switch code(err) {
	case "ResourceNotFoundException", "NoSuchEntity", "NoSuchEntityException":
		return true
	}
	return false
}

// wrongMode says whether EKS refused because the cluster has no access
// entries, in the authentication mode CONFIG_MAP. The code alone is of whatever
// the state of a cluster does not allow.
func wrongMode(err error) bool {
	api, ok := errors.AsType[smithy.APIError](err)
	return ok && api.ErrorCode() == "InvalidRequestException" && strings.Contains(api.ErrorMessage(), "authentication mode")
}

var onResource = regexp.MustCompile(`on resource: (\S+)`)

// accessError turns a refusal into authlog.AccessError.
func accessError(action string, err error) *authlog.AccessError {
	e := &authlog.AccessError{Action: action, Err: err}
	if m := onResource.FindStringSubmatch(err.Error()); m != nil {
		e.Resource = m[1]
	}
	return e
}
