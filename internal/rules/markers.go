package rules

import (
	"slices"
	"strings"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// The marker codes.
const (
	AWSAuthRead        = "aws_auth_read"
	AWSAuthParseError  = "aws_auth_parse_error"
	AWSAuthDeleted     = "aws_auth_deleted"
	WatchError         = "watch_error"
	WatchClosed        = "watch_closed"
	WatchFailed        = "watch_failed"
	Started            = "authenticator_started"
	MapperStarted      = "mapper_started"
	MappingLoaded      = "mapping_loaded"
	BackendModeChanged = "backend_mode_changed"
	DynamicFileLoaded  = "dynamic_file_loaded"
	DynamicFileError   = "dynamic_file_error"
	ARNComparison      = "arn_comparison"
	MappingARNInvalid  = "mapping_arn_invalid"
	EC2BatchFailed     = "ec2_batch_failed"
	StartupFailed      = "startup_failed"
)

// A MarkerKind is what one marker code means.
type MarkerKind struct {
	Code    string `json:"code"`
	Meaning string `json:"meaning"`
}

// Markers lists the marker codes, sorted.
func Markers() []MarkerKind {
	kinds := make([]MarkerKind, 0, len(markerTexts))
	for i := range markerTexts {
		if t := &markerTexts[i]; t.meaning != "" {
			kinds = append(kinds, MarkerKind{Code: t.code, Meaning: t.meaning})
		}
	}
	slices.SortFunc(kinds, func(a, b MarkerKind) int { return strings.Compare(a.Code, b.Code) })
	return kinds
}

// MarkerCode gives the code of an event of KindMarker by the beginning of its
// message, and "" for an event of another kind or a message it does not know.
func MarkerCode(ev *authlog.Event) string {
	if ev.Kind != authlog.KindMarker {
		return ""
	}
	t := markerText(ev)
	if t == nil {
		return ""
	}
	return t.code
}

func markerText(ev *authlog.Event) *marker {
	for i := range markerTexts {
		if strings.HasPrefix(ev.Msg, markerTexts[i].prefix) {
			return &markerTexts[i]
		}
	}
	return nil
}

type marker struct{ prefix, code, meaning string }

// markerTexts are the beginnings of messages; several of one code have the
// meaning at the first. The list never changes.
var markerTexts = [...]marker{
	{"Received aws-auth watch event", AWSAuthRead, "aws-auth was read, at the start or after a change"},
	{"Errors parsing configmap", AWSAuthParseError, "aws-auth is broken: a section with an error is replaced by nothing, so that all its mappings are gone"},
	{"There was an error parsing the config maps", AWSAuthParseError, ""},
	{"error parsing config map", AWSAuthParseError, ""},
	{"Resetting configmap on delete", AWSAuthDeleted, "aws-auth was deleted: all its mappings are gone"},
	{"received a watch error", WatchError, "the watch on aws-auth broke and is set up again"},
	{"recieved a watch error", WatchError, ""}, //nolint:misspell // as v0.7.11 and older spell it
	{"Watch channel closed", WatchClosed, "the watch on aws-auth ended and is set up again; mappings may be stale for a moment"},
	{"Unable to re-establish watch", WatchFailed, "aws-auth cannot be watched: mappings are stale, or empty after a start"},
	{"Authenticator Version: ", Started, "an authenticator started; it reads all mappings anew"},
	{"listening on ", Started, ""},
	{"starting mapper ", MapperStarted, "a source of mappings was started: at the start, or because the authentication mode changed"},
	{"mapping IAM role", MappingLoaded, "an authenticator loaded a mapping from its own file; EKS does so for its own principals"},
	{"mapping IAM user", MappingLoaded, ""},
	{"mapping IAM Account", MappingLoaded, ""},
	{"failed to build mapper chain", StartupFailed, "an authenticator could not start with its configuration"},
	{"fatal: failed to build mapper chain", StartupFailed, ""},
	{"BackendMode dynamic file got ", BackendModeChanged, "the authentication mode was set: aws-auth, access entries or both"},
	{"LoadDynamicFile: ", DynamicFileLoaded, "the file of access entries or of the authentication mode was read"},
	{"ParseMap: could not unmarshal dynamic file", DynamicFileError, "the file of access entries could not be read; the mappings before it stay"},
	{"StartLoadDynamicFile: error in callBackForFileLoad", DynamicFileError, ""},
	{"additional arn comparison for IAM arn", ARNComparison, "an access entry was found by the principal's unique id and its ARN is compared with the one that STS gave"},
	{"invalid mapping arn in dynamic file", MappingARNInvalid, "an access entry holds an ARN that is none, so that it can match nobody"},
	{"Batch call failed querying private DNS", EC2BatchFailed, "ec2:DescribeInstances failed for the nodes it names: the cause of their ec2_lookup_stuck denials some seconds later"},
}
