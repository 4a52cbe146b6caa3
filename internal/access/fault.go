package access

import (
	"errors"
	"net/http"
	"regexp"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

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
// entries, in the authentication mode CONFIG_MAP.
func wrongMode(err error) bool {
	resp, ok := errors.AsType[*smithyhttp.ResponseError](err)
	return code(err) == "InvalidRequestException" && ok && resp.HTTPStatusCode() == http.StatusBadRequest
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
