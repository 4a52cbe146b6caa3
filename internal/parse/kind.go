package parse

import (
	"strings"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// kindOf tells what an entry is from its message, and the key that entries of
// that kind end with in every version, or "". The level has no say: it differs
// between versions for the same message.
//
// No message of the authenticator is empty. logrus would leave an empty one
// out, so an entry without a message was cut.
func kindOf(msg string) (k authlog.Kind, last string) {
	switch msg {
	case "":
		return authlog.KindUnreadable, ""
	case "access denied", "access denied because ARN is not mapped":
		return authlog.KindDenied, "path"
	case "access granted":
		return authlog.KindGranted, "username"
	case "STS response":
		return authlog.KindSTSResponse, "userid"
	case "unexpected request method", "empty request body", "could not parse request body":
		return authlog.KindMalformedRequest, "path"
	}
	if IsMarker(msg) {
		return authlog.KindMarker, ""
	}
	return authlog.KindOther, ""
}

// endsWith reports whether nothing was cut off a text entry whose last key is
// known. A line cut at a blank is well formed, but logrus sorts the keys: when
// the last one is there, with only greater ones behind it, so are all others.
func endsWith(fields []authlog.Field, last string) bool {
	if last == "" {
		return true
	}
	for i := len(fields) - 1; i >= 0 && fields[i].Key >= last; i-- {
		if fields[i].Key == last {
			return last != "path" || !isCutPath(fields[i].Value)
		}
	}
	return false
}

// isCutPath knows a part of the only path that the authenticator serves.
func isCutPath(v string) bool {
	const served = "/authenticate"
	return v != served && strings.HasPrefix(served, v)
}

// IsMarker reports whether a message tells of the access configuration or of
// the authenticator itself: one that begins with one of Markers.
func IsMarker(msg string) bool {
	if msg == "" {
		return false
	}
	for _, m := range markers {
		if m[0] == msg[0] && strings.HasPrefix(msg, m) {
			return true
		}
	}
	return false
}

// Markers lists the beginnings of the messages that are KindMarker.
func Markers() []string { return append([]string(nil), markers[:]...) }

// Message texts of aws-iam-authenticator v0.1.0 to v0.7.18. Some were spelled
// or levelled otherwise in earlier versions; both stand here.
var markers = [...]string{
	// aws-auth was read, was broken, is gone.
	"Received aws-auth watch event",
	"Errors parsing configmap",
	"There was an error parsing the config maps",
	"error parsing config map",
	"Resetting configmap on delete",
	// Mappings may be stale.
	"received a watch error",
	"recieved a watch error", //nolint:misspell // printed so before v0.7.12
	"Watch channel closed",
	"Unable to re-establish watch",
	// An authenticator starts.
	"Authenticator Version: ",
	"starting mapper ",
	"listening on ",
	"mapping IAM role",
	"mapping IAM user",
	"mapping IAM Account",
	"failed to build mapper chain",
	"fatal: failed to build mapper chain",
	// The mapping file changed, or is broken.
	"BackendMode dynamic file got ",
	"LoadDynamicFile: ",
	"ParseMap: could not unmarshal dynamic file",
	"StartLoadDynamicFile: error in callBackForFileLoad",
	"additional arn comparison for IAM arn",
	"invalid mapping arn in dynamic file",
	// The cause of denials of the nodes it names.
	"Batch call failed querying private DNS",
}
