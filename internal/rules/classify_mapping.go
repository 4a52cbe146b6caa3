package rules

import (
	"strconv"
	"strings"
)

// A mapped is what the text of a mapping failure names.
type mapped struct {
	mapper   string // MountedFile, EKSConfigMap, CRD, DynamicFile; "" before v0.5.0
	template string // of the username or group, unquoted
	username string
	prefixes string // reserved ones, with blanks between
	instance string // an EC2 instance id
	code     string // the AWS code word of EC2, or of STS when the cluster role could not be assumed
	detail   string // what follows the code word or the frame

	status    int // HTTP status and request id as SDK v2 writes them, before the code word
	requestID string
}

// isNotMapped knows the four spellings of "is not mapped" with what versions
// up to v0.4 and the one of EKS until early 2022 add to them: ": ARN", and
// " (lowercased from ARN)".
func isNotMapped(text string) bool {
	for _, words := range [...]string{"identity is not mapped", "ARN is not mapped"} {
		n := len(words)
		if len(text) >= n && strings.EqualFold(text[:n], words) {
			return len(text) == n || text[n] == ':' || text[n] == ' '
		}
	}
	return false
}

// mapping reads the text of a failure after the identity was known.
func (r *reading) mapping(text string) string {
	if rest, ok := strings.CutPrefix(text, "mapper "); ok {
		return r.mapper(rest)
	}
	if rest, ok := strings.CutPrefix(text, "invalid username '"); ok {
		return r.reserved(rest)
	}
	for _, frame := range [...]string{"failed mapping username: ", "failed mapping group: "} { // v0.3, v0.4
		if rest, ok := strings.CutPrefix(text, frame); ok {
			return r.rendered(rest)
		}
	}
	if strings.HasPrefix(text, "[mapper ") {
		// Several mappers failed; only their Map errors are ever listed.
		r.mapped.detail = text
		return "mapper_error"
	}
	return Unclassified
}

// mapper reads "M Map error: …" and "M renderTemplates error: …".
func (r *reading) mapper(text string) string {
	name, rest, _ := strings.Cut(text, " ")
	if what, ok := strings.CutPrefix(rest, "Map error: "); ok {
		r.mapped.mapper, r.mapped.detail = name, what
		if what == "ARN does not match User ID" {
			return "arn_userid_mismatch"
		}
		return "mapper_error"
	}
	rest, ok := strings.CutPrefix(rest, "renderTemplates error: ")
	if !ok {
		return Unclassified
	}
	r.mapped.mapper = name
	return r.rendered(r.cutTemplate(rest))
}

// cutTemplate takes `error rendering username template "T": ` off.
func (r *reading) cutTemplate(text string) string {
	rest, ok := strings.CutPrefix(text, "error rendering username template ")
	if !ok {
		rest, ok = strings.CutPrefix(text, "error rendering group template ")
	}
	if !ok {
		return text
	}
	quoted, err := strconv.QuotedPrefix(rest)
	if err != nil {
		return text
	}
	r.mapped.template = quoted
	return strings.TrimPrefix(rest[len(quoted):], ": ")
}

// reserved reads "U' for mapper M: username must not begin with …". U may be
// chosen by the client through a session name, so the frame's last place is
// the true one: mapper and prefixes are the cluster's.
func (r *reading) reserved(text string) string {
	const frame = "' for mapper "
	i := strings.LastIndex(text, frame)
	if i < 0 {
		return Unclassified
	}
	name, rest, ok := strings.Cut(text[i+len(frame):], ": username must not begin with ")
	if !ok {
		return Unclassified
	}
	_, list, _ := strings.Cut(rest, "[")
	r.mapped.mapper, r.mapped.username = name, text[:i]
	r.mapped.prefixes = strings.TrimSuffix(list, "]")
	return "username_reserved_prefix"
}

// rendered reads why a username or group could not be made of its template.
func (r *reading) rendered(text string) string {
	if text == "SessionName did not contain an instance id" {
		return "session_not_instance_id"
	}
	if strings.HasPrefix(text, "username or group is not a DNS-1123 hostname") {
		return "username_not_dns1123"
	}
	if rest, ok := strings.CutPrefix(text, "failed to find node "); ok {
		id, rest, _ := strings.Cut(rest, " ")
		r.mapped.instance = id
		if strings.HasPrefix(rest, "in PrivateDNSNameCache ") {
			return "ec2_lookup_stuck"
		}
		return "ec2_instance_not_found"
	}
	if rest, ok := strings.CutPrefix(text, "failed querying private DNS from EC2 API for node "); ok {
		id, rest, _ := strings.Cut(rest, ": ")
		r.mapped.instance = id
		return r.ec2(rest)
	}
	r.mapped.detail = text
	return "mapping_template_error"
}

// ec2 reads the error of ec2:DescribeInstances: of AWS SDK v2 since v0.7.3,
// of v1 before.
func (r *reading) ec2(text string) string {
	if rest, ok := strings.CutPrefix(text, "operation error EC2: "); ok {
		return r.ec2v2(rest)
	}
	code, detail, _ := strings.Cut(text, ": ")
	if !isCodeWord(code) {
		r.mapped.detail = text
		return unsentReason(text)
	}
	r.mapped.code, r.mapped.detail = code, detail
	// EC2 itself says UnauthorizedOperation; AccessDenied is STS's answer to
	// AssumeRole, which SDK v1 passes on without a frame.
	return ec2Reason(code, code == "AccessDenied")
}

// ec2v2 goes through the frames, which stand between commas, up to the one
// that says what happened: "api error CODE: …" or "request send failed, …".
func (r *reading) ec2v2(text string) string {
	assume := false
	for rest, more := text, true; more; {
		if what, ok := strings.CutPrefix(rest, "api error "); ok {
			r.mapped.code, r.mapped.detail, _ = strings.Cut(what, ": ")
			return ec2Reason(r.mapped.code, assume)
		}
		if strings.HasPrefix(rest, "request send failed") {
			r.mapped.detail = rest
			return "ec2_unreachable"
		}
		var frame string
		frame, rest, more = strings.Cut(rest, ", ")
		assume = assume || frame == "operation error STS: AssumeRole"
		r.mapped.frame(frame)
	}
	r.mapped.detail = text
	return unsentReason(text)
}

// frame reads "https response error StatusCode: 403" and "RequestID: …".
func (m *mapped) frame(text string) {
	if _, num, ok := strings.Cut(text, "response error StatusCode: "); ok {
		m.status, _ = strconv.Atoi(num)
	}
	if id, ok := strings.CutPrefix(text, "RequestID: "); ok {
		m.requestID = id
	}
}

// ec2Reason goes by the code word; assume says that it is the answer to the
// authenticator's attempt to assume the cluster role.
func ec2Reason(code string, assume bool) string {
	switch strings.TrimSuffix(code, "Exception") {
	case "UnauthorizedOperation":
		return "ec2_describe_unauthorized"
	case "AccessDenied":
		if assume {
			return "ec2_assume_role_denied"
		}
	case "InvalidInstanceID.NotFound":
		return "ec2_instance_not_found"
	case "RequestLimitExceeded", "Throttling", "RequestThrottled":
		return "ec2_throttled"
	case "RequestError", "InternalError", "InternalFailure", "Unavailable", "ServiceUnavailable":
		return "ec2_unreachable"
	}
	return "mapping_template_error"
}

// unsentReason reads an error of the SDK that quotes no answer of AWS.
func unsentReason(text string) string {
	text = strings.TrimRight(text, " ")
	if strings.HasSuffix(text, "EOF") || strings.HasSuffix(text, "context deadline exceeded") || strings.HasSuffix(text, "timeout") {
		return "ec2_unreachable"
	}
	return "mapping_template_error"
}
