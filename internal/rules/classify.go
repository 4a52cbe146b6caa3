package rules

import (
	"strings"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// Classify gives the reason code of a denied event: a code of the catalogue,
// Unclassified for a wording that none describes. For an event of another
// kind it returns "".
func Classify(ev *authlog.Event) string {
	if ev.Kind != authlog.KindDenied {
		return ""
	}
	var r reading
	return r.classify(ev)
}

// A reading is what reading a denial's error= found on the way to its reason,
// as parts of that text. FactsOf makes facts of it.
type reading struct {
	tail   string // a token reason: what follows the words that decided
	answer answer // an STS reason
	mapped mapped // a mapping, username or EC2 reason
}

// The beginnings of what the authenticator says of a token and of STS.
const (
	tokenFrame     = "input token was not properly formatted: "
	stsFrame       = "sts getCallerIdentity failed: "
	throttledFrame = "sts getCallerIdentity was throttled: "
)

// oldNotMapped is the message, without error=, of v0.1 and v0.2.
const oldNotMapped = "access denied because ARN is not mapped"

func (r *reading) classify(ev *authlog.Event) string {
	text := ev.Get("error")
	switch {
	case isNotMapped(text):
		return "arn_not_mapped"
	case text == "" && ev.Msg == oldNotMapped:
		return "arn_not_mapped"
	}
	if rest, ok := strings.CutPrefix(text, tokenFrame); ok {
		return r.token(rest)
	}
	if rest, ok := strings.CutPrefix(text, stsFrame); ok {
		return r.sts(rest)
	}
	if rest, ok := strings.CutPrefix(text, throttledFrame); ok {
		return r.throttled(rest)
	}
	if code := r.mapping(text); code != Unclassified {
		return code
	}
	// Before v0.3.0 neither token nor STS errors had a prefix; the check of a
	// host still lets one through without it.
	if code := r.token(text); code != Unclassified {
		return code
	}
	return r.sts(text)
}

// tokenTexts are the words that a refusal of the token begins with. What
// follows them is often the client's own text.
var tokenTexts = [...]struct{ prefix, code string }{
	{`token is missing expected `, "token_missing_prefix"},
	{`X-Amz-Date parameter is expired `, "token_expired"},
	{`token is too large`, "token_too_large"},
	{`illegal base64 data at input byte `, "token_bad_base64"},
	{`parse `, "token_bad_url"},
	{`unexpected scheme `, "token_bad_scheme"},
	{`unexpected hostname `, "sts_host_rejected"},
	{`could not parse region for pre-signed URL`, "sts_host_unparsable"},
	{`invalid host format`, "sts_host_unparsable"},
	{`invalid region identifier format provided: `, "sts_region_invalid"},
	{`partition {`, "sts_partition_mismatch"},
	{`global endpoint unsupported in partition `, "sts_global_endpoint_unsupported"},
	{`unexpected path in pre-signed URL`, "token_bad_path"},
	{`malformed query parameter`, "token_malformed_query"},
	{`duplicate query parameter found: `, "token_duplicate_param"},
	{`non-whitelisted query parameter `, "token_param_not_allowed"},
	{`query parameter with multiple values not supported`, "token_param_multi_value"},
	{`unexpected action parameter in pre-signed URL`, "token_bad_action"},
	{`client did not sign the `, "token_cluster_header_unsigned"},
	{`invalid X-Amz-Expires parameter in pre-signed URL`, "token_bad_expires"},
	{`X-Amz-Date parameter must be present in pre-signed URL`, "token_date_missing"},
	{`error parsing X-Amz-Date parameter `, "token_date_invalid"},
	{`error creating HTTP request: `, "token_request_invalid"},
}

func (r *reading) token(text string) string {
	for i := range tokenTexts {
		if rest, ok := strings.CutPrefix(text, tokenTexts[i].prefix); ok {
			r.tail = rest
			return tokenTexts[i].code
		}
	}
	return Unclassified
}
