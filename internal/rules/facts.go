package rules

import (
	"cmp"
	"encoding/json"
	"html"
	"strconv"
	"strings"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// Facts is what the text of a denial or marker says besides its reason. A zero
// field was not said. Strings are valid UTF-8 without control characters and
// at most maxFact bytes long, but much of them is still the caller's choice:
// only what passes ParseARN, IsInstanceID and their like may go into a command.
type Facts struct {
	AWSCode    string // the code word of STS or EC2, such as InvalidClientTokenId
	AWSMessage string // the message beside it
	HTTPStatus int    // of the answer of STS or EC2
	RequestID  string // of that answer, for a case with AWS Support
	Endpoint   string // of STS: a region, or "global"

	Param     string    // the offending query parameter, or the value of X-Amz-Expires
	Scheme    string    // of the URL in the token
	Host      string    // of the URL in the token, or the one that could not be looked up
	Region    string    // the region that is none
	Partition string    // the partition of the authenticator that refused
	TokenDate time.Time // X-Amz-Date, UTC
	// TokenAge is how old the token was when the line was written; seconds.
	TokenAge time.Duration
	// ClockOffset is how far the signature's time was ahead of STS's clock; it
	// is negative for one behind.
	ClockOffset time.Duration

	Caller   string // ARN that AWS named as the one who called it
	Account  string // 12 digits: the account that AWS's message names, else the caller's
	Action   string // that the caller may not do, such as ec2:DescribeInstances
	Resource string // ARN that it may not be done to

	Mapper   string   // MountedFile, EKSConfigMap, CRD or DynamicFile
	Template string   // of the username or group
	Username string   // the reserved one
	Prefixes []string // the reserved ones
	// Instances are EC2 instance ids: the one of a denial, all of a failed batch.
	Instances []string

	Mode      string // marker backend_mode_changed: the new list of mappers, with blanks between
	MappedARN string // of a mapping that a marker names; of arn_comparison in lower case
	STSARN    string // marker arn_comparison: the canonical ARN of the caller, in lower case
	Detail    string // the rest of the text where none of the above has it
}

// maxFact limits one string of Facts, in bytes.
const maxFact = 1024

// FactsOf takes the facts out of a denial or a marker. Other events have none.
func FactsOf(ev *authlog.Event) Facts {
	var f Facts
	switch ev.Kind {
	case authlog.KindDenied:
		var r reading
		code := r.classify(ev)
		f.token(code, r.tail, ev)
		f.answer(&r.answer)
		f.mapped(&r.mapped)
		if f.Endpoint == "" {
			f.Endpoint = endpointOf(ev)
		}
		if f.Detail == "" && code == Unclassified {
			f.Detail = clean(ev.Get("error"))
		}
	case authlog.KindMarker:
		f.marker(ev)
	default:
	}
	return f
}

// endpointOf reads the STS host that lines of v0.6.28 and newer, and those of
// EKS in 2021, carry in a field of its own.
func endpointOf(ev *authlog.Event) string {
	host := ev.Get("stsendpoint")
	if host == "" {
		host = ev.Get("sts")
	}
	return STSRegion(host)
}

// STSRegion gives the region of an STS host in the authenticator's words:
// "global" for sts.amazonaws.com, else the second label. A host that is no
// STS host is returned as it is, without control characters.
func STSRegion(host string) string {
	if host == "sts.amazonaws.com" {
		return "global"
	}
	labels := strings.Split(host, ".")
	if len(labels) < 4 || labels[0] != "sts" && labels[0] != "sts-fips" {
		return clean(host)
	}
	return clean(labels[1])
}

// token reads what followed the words that decided a token reason.
func (f *Facts) token(code, tail string, ev *authlog.Event) {
	switch code {
	case "token_bad_scheme":
		f.Scheme = clean(goUnquote(tail))
	case "sts_host_rejected":
		if strings.HasPrefix(tail, `"`) { // before v0.4.0 it was not printed
			f.Host = clean(goUnquote(tail))
		}
	case "sts_host_unparsable":
		_, host, ok := strings.Cut(tail, ": ")
		if !ok {
			host, _, _ = strings.Cut(strings.TrimPrefix(tail, " "), ", ")
		}
		f.Host = clean(strings.TrimSuffix(host, "host is empty"))
	case "sts_region_invalid":
		f.Region = clean(tail)
	case "sts_partition_mismatch":
		partition, host, _ := strings.Cut(tail, "} does not support hostname ")
		f.Partition, f.Host = clean(partition), clean(host)
	case "sts_global_endpoint_unsupported":
		f.Partition = clean(tail)
	case "token_duplicate_param", "token_param_not_allowed":
		f.Param = clean(goUnquote(tail))
	case "token_bad_expires":
		f.Param = clean(strings.TrimPrefix(tail, ": "))
	case "token_expired":
		_, date, _ := strings.Cut(tail, ") ")
		if t, err := time.Parse("2006-01-02 15:04:05 -0700 MST", date); err == nil {
			f.TokenDate = t.UTC()
			f.TokenAge = ev.At().Sub(t)
		}
	case "token_bad_base64", "token_bad_url", "token_date_invalid", "token_request_invalid":
		f.Detail = clean(strings.TrimPrefix(ev.Get("error"), tokenFrame))
	}
}

// goUnquote undoes the Go quotes at the beginning of a text; a text without
// is returned as it is.
func goUnquote(s string) string {
	quoted, err := strconv.QuotedPrefix(s)
	if err != nil {
		return s
	}
	plain, err := strconv.Unquote(quoted)
	if err != nil {
		return s
	}
	return plain
}

func (f *Facts) answer(a *answer) {
	f.HTTPStatus, f.AWSCode = a.status, clean(a.code)
	f.Endpoint = clean(a.endpoint)
	if a.code == "" {
		f.Detail = cmp.Or(f.Detail, clean(a.body+a.cause))
	} else {
		message := a.err.plainMessage()
		f.message(clean(message))
		f.RequestID = clean(requestID(a.body))
		f.ClockOffset = clockOffset(message)
	}
	if _, host, ok := strings.Cut(a.cause, "lookup "); ok {
		host, _, _ = strings.Cut(host, " ")
		f.Host = clean(strings.TrimSuffix(host, ":"))
	}
}

// plainMessage is the message without the escapes of its body.
func (e errorBody) plainMessage() string {
	message := e.message()
	if e.xml {
		return html.UnescapeString(message)
	}
	var plain string
	if json.Unmarshal([]byte(`"`+message+`"`), &plain) != nil {
		return message
	}
	return strings.TrimSpace(plain)
}

func requestID(body string) string {
	if strings.HasPrefix(trimSpace(body), "<") {
		return xmlElement(body, "<RequestId>", "</RequestId>")
	}
	return jsonString(jsonMember(body, "RequestId"))
}

// clockOffset reads "Signature expired: A is now earlier than B (NOW - 15
// min.)" and "Signature not yet current: A is still later than B (NOW + 5
// min.)", with times like 20261123T212230Z.
func clockOffset(message string) time.Duration {
	rest, ok := strings.CutPrefix(message, "Signature expired: ")
	if !ok {
		rest, ok = strings.CutPrefix(message, "Signature not yet current: ")
	}
	if !ok {
		return 0
	}
	const form = "20060102T150405Z"
	signed, rest, _ := strings.Cut(rest, " ")
	_, now, _ := strings.Cut(rest, "(")
	now, _, _ = strings.Cut(now, " ")
	a, errA := time.Parse(form, signed)
	b, errB := time.Parse(form, now)
	if errA != nil || errB != nil {
		return 0
	}
	return a.Sub(b)
}

// message reads what AWS's own sentences name: who may not do what, and the
// account of a region that is not activated.
func (f *Facts) message(text string) {
	f.AWSMessage = text
	if rest, ok := strings.CutPrefix(text, "STS is not activated in this region for account:"); ok {
		account, _, _ := strings.Cut(rest, ".")
		if authlog.IsAccount(account) {
			f.Account = account
		}
	}
	_, rest, ok := strings.Cut(text, "User: ")
	if !ok {
		return
	}
	caller, rest, ok := strings.Cut(rest, " is not authorized to perform: ")
	if !ok {
		return
	}
	f.Caller = caller
	if h, _, ok := cutARN(caller); ok && authlog.IsAccount(h.Account) {
		f.Account = h.Account
	}
	f.Action, rest, _ = strings.Cut(rest, " ")
	if what, ok := strings.CutPrefix(rest, "on resource: "); ok {
		f.Resource, _, _ = strings.Cut(what, " ")
	}
}

func (f *Facts) mapped(m *mapped) {
	if m.mapper != "" {
		f.Mapper = clean(m.mapper)
	}
	f.Template = clean(goUnquote(m.template))
	f.Username = clean(m.username)
	for prefix := range strings.FieldsSeq(m.prefixes) {
		f.Prefixes = append(f.Prefixes, clean(prefix))
	}
	if m.instance != "" {
		f.Instances = []string{clean(m.instance)}
	}
	if m.code == "" {
		if m.detail != "" {
			f.Detail = clean(strings.TrimSpace(m.detail))
		}
		return
	}
	f.AWSCode = clean(m.code)
	message, frame, sdk1 := strings.Cut(m.detail, "\n\tstatus code: ")
	f.message(clean(strings.TrimSpace(message)))
	if sdk1 {
		status, id, _ := strings.Cut(frame, ", request id: ")
		f.HTTPStatus, _ = strconv.Atoi(status)
		f.RequestID = clean(strings.TrimSpace(id))
		return
	}
	f.HTTPStatus, f.RequestID = m.status, clean(m.requestID)
}

// marker reads the message of a marker.
func (f *Facts) marker(ev *authlog.Event) {
	t := markerText(ev)
	if t == nil {
		return
	}
	rest := ev.Msg[len(t.prefix):]
	switch t.code {
	case ARNComparison:
		_, rest, _ = strings.Cut(rest, "arn from STS response is ")
		sts, mapped, _ := strings.Cut(rest, ", arn in mapper is ")
		f.STSARN, f.MappedARN = clean(sts), clean(mapped)
	case MapperStarted:
		f.Mapper = clean(goUnquote(rest))
	case EC2BatchFailed:
		_, rest, _ = strings.Cut(rest, "[[")
		nodes, why, _ := strings.Cut(rest, "]] ")
		for id := range strings.FieldsSeq(nodes) {
			f.Instances = append(f.Instances, clean(id))
		}
		f.batch(strings.TrimPrefix(why, ": with error = []"))
	case AWSAuthParseError:
		_, list, _ := strings.Cut(rest, "[")
		f.Detail = clean(strings.TrimSuffix(list, "]"))
	case WatchError:
		f.Detail = clean(ev.Get("error"))
	case MappingARNInvalid:
		f.MappedARN = clean(goUnquote(strings.TrimPrefix(rest, ": ")))
	case MappingLoaded:
		f.MappedARN = clean(ev.Get("role") + ev.Get("user"))
		f.Account = account(ev.Get("accountID"))
		f.Username = clean(ev.Get("username"))
	case BackendModeChanged:
		f.Mode = clean(backendMode(rest))
	case DynamicFileLoaded:
		f.Detail, _, _ = strings.Cut(clean(rest), " is available. ")
	default:
		f.Detail = clean(strings.Trim(rest, " .,:"))
	}
}

// backendMode reads "changed to {…,"backendMode":"M1 M2"}" and "changed, M1 M2
// different from current mode …".
func backendMode(text string) string {
	if object, ok := strings.CutPrefix(text, "changed to "); ok {
		return jsonString(jsonMember(object, "backendMode"))
	}
	text, _ = strings.CutPrefix(text, "changed, ")
	mode, _, ok := strings.Cut(text, " different from current mode ")
	if !ok {
		return ""
	}
	return mode
}

// batch reads why a batch of instances could not be described.
func (f *Facts) batch(why string) {
	var r reading
	r.ec2(why)
	f.mapped(&r.mapped)
}

func account(s string) string {
	if !authlog.IsAccount(s) {
		return ""
	}
	return s
}

// clean makes a string fit for people to read: valid UTF-8, one line, without
// the control and format characters that move a terminal's cursor or turn the
// text around, at most maxFact bytes long.
func clean(s string) string {
	if isPlain(s) {
		return s
	}
	s = strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || r == '\r' {
			return ' '
		}
		if !strconv.IsPrint(r) {
			return '\uFFFD'
		}
		return r
	}, s)
	if len(s) > maxFact {
		const more = "…"
		s = strings.ToValidUTF8(s[:maxFact-len(more)], "") + more
	}
	return s
}

func isPlain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return len(s) <= maxFact
}
