package parse

import (
	"strings"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// kindOf tells what an entry is from its message and checks that it is whole.
// The level has no say: it differs between versions for the same message.
//
// A line can be cut at a blank and still be well formed. Keys are sorted and
// every version ends the entries that matter with the same keys, so a missing
// last key shows the cut. So does a missing message: logrus would leave out an
// empty one, but the authenticator has none.
func kindOf(msg string, fields []authlog.Field) authlog.Kind {
	switch msg {
	case "":
		return authlog.KindUnreadable
	case "access denied", "access denied because ARN is not mapped":
		return whenWhole(authlog.KindDenied, hasPath(fields))
	case "access granted":
		return whenWhole(authlog.KindGranted, has(fields, "username"))
	case "STS response":
		return whenWhole(authlog.KindSTSResponse, has(fields, "userid"))
	case "unexpected request method", "empty request body", "could not parse request body":
		return whenWhole(authlog.KindMalformedRequest, hasPath(fields))
	}
	if IsMarker(msg) {
		return authlog.KindMarker
	}
	return authlog.KindOther
}

func whenWhole(k authlog.Kind, whole bool) authlog.Kind {
	if whole {
		return k
	}
	return authlog.KindUnreadable
}

func has(fields []authlog.Field, key string) bool {
	for i := len(fields) - 1; i >= 0; i-- {
		if fields[i].Key == key {
			return true
		}
	}
	return false
}

// hasPath looks for path=. The authenticator serves one path only, so a part
// of it is a cut.
func hasPath(fields []authlog.Field) bool {
	const served = "/authenticate"
	for i := len(fields) - 1; i >= 0; i-- {
		if fields[i].Key == "path" {
			v := fields[i].Value
			return v == served || !strings.HasPrefix(served, v)
		}
	}
	return false
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
	"recieved a watch error",
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
