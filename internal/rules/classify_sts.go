package rules

import (
	"strconv"
	"strings"
)

// An answer is STS's refusal, or that there was none, as error= quotes it.
type answer struct {
	status   int    // HTTP status; 0 when the text has none
	endpoint string // a region, or "global"; "" before v0.6.28
	body     string // as STS or what stands before it sent it
	bodyless bool   // the text ends before where the body stands: v0.4 and older
	err      errorBody
	code     string // the AWS code word in the body
	cause    string // why there was no answer
}

// sts reads what follows stsFrame.
func (r *reading) sts(text string) string {
	if rest, ok := strings.CutPrefix(text, "error from AWS (expected 200, got "); ok {
		return r.refused(rest)
	}
	if rest, ok := strings.CutPrefix(text, "error during GET: "); ok {
		rest, r.answer.endpoint = cutEndpoint(rest)
		return r.unreached(rest)
	}
	if rest, ok := strings.CutPrefix(text, "error reading HTTP result: "); ok {
		return r.unreached(rest)
	}
	for i := range identityTexts {
		if strings.HasPrefix(text, identityTexts[i].prefix) {
			r.answer.cause = text
			return identityTexts[i].code
		}
	}
	return Unclassified
}

// identityTexts are the words that begin the complaint about an answer of
// status 200: no JSON, or an identity of no known form.
var identityTexts = [...]struct{ prefix, code string }{
	{"invalid character ", "sts_bad_response"},
	{"unexpected end of JSON input", "sts_bad_response"},
	{"json: ", "sts_bad_response"},
	{"arn '", "sts_bad_identity"},
	{"assumed-role arn '", "sts_bad_identity"},
	{"unrecognized resource ", "sts_bad_identity"},
	{"service ", "sts_bad_identity"},
	{"malformed UserID ", "sts_bad_identity"},
}

// unreached tells the client's own limit of 10 s from all other ways in which
// a GET fails. A host name in the text is the client's choice, but can hold
// neither blank nor bracket.
func (r *reading) unreached(text string) string {
	r.answer.cause = text
	for _, limit := range [...]string{
		"(Client.Timeout exceeded while awaiting headers)",
		"(Client.Timeout or context cancellation while reading body)",
		"context deadline exceeded",
	} {
		if strings.HasSuffix(text, limit) {
			return "sts_timeout"
		}
	}
	return "sts_connection_failed"
}

// cutEndpoint takes the last " on X endpoint" off a text. An earlier one may
// be part of it, as in "lookup sts.x on 127.0.0.1:53: no such host".
func cutEndpoint(text string) (rest, endpoint string) {
	head, ok := strings.CutSuffix(text, " endpoint")
	if !ok {
		return text, ""
	}
	i := strings.LastIndex(head, " on ")
	if i < 0 {
		return text, ""
	}
	return head[:i], head[i+len(" on "):]
}

// refused reads from the status on: "403) on us-west-2 endpoint. Body: …".
func (r *reading) refused(text string) string {
	a := &r.answer
	num, rest, ok := strings.Cut(text, ")")
	status, err := strconv.Atoi(num)
	if !ok || err != nil {
		return Unclassified
	}
	a.status = status
	frame, body, ok := strings.Cut(rest, ". Body: ")
	a.bodyless = !ok
	_, a.endpoint = cutEndpoint(frame)
	a.read(body)
	return a.reason()
}

// throttled reads the body of a refusal that held the word "Throttling"
// anywhere, be it in the name of a role: only its code word counts.
func (r *reading) throttled(body string) string {
	r.answer.read(body)
	if r.answer.code == "" {
		return "sts_throttled"
	}
	return r.answer.reason()
}

func (a *answer) read(body string) {
	a.body = body
	a.err = readBody(body)
	a.code = a.err.code()
}

// reason goes by the code word, and without a known one by the status.
func (a *answer) reason() string {
	switch strings.TrimSuffix(a.code, "Exception") {
	case "Throttling":
		return "sts_throttled"
	case "InvalidClientTokenId":
		return "sts_invalid_client_token"
	case "ExpiredToken":
		return "sts_expired_credentials"
	case "SignatureDoesNotMatch":
		return signatureReason(a.err.message())
	case "AccessDenied":
		return "sts_access_denied"
	case "RegionDisabled":
		return "sts_region_disabled"
	case "OptInRequired":
		return "sts_opt_in_required"
	case "MissingAuthenticationToken":
		return "sts_missing_auth_token"
	case "IncompleteSignature":
		return "sts_incomplete_signature"
	case "InternalFailure", "InternalError", "ServiceUnavailable":
		return "sts_server_error"
	}
	switch {
	case a.status >= 500:
		return "sts_server_error"
	case a.status != 0 && a.status < 400:
		return "sts_unexpected_status"
	case a.bodyless:
		return "sts_rejected_no_body"
	}
	return "sts_error_other"
}

// signatureReason tells the messages of SignatureDoesNotMatch apart. The
// first may go on with text of the client, so it is asked for first.
func signatureReason(message string) string {
	switch {
	case strings.HasPrefix(message, "The request signature we calculated"):
		return "sts_signature_mismatch"
	case strings.HasPrefix(message, "Signature expired"):
		return "sts_signature_expired"
	case strings.HasPrefix(message, "Signature not yet current"):
		return "sts_signature_not_yet_current"
	case strings.Contains(message, "Credential should be scoped "), strings.HasPrefix(message, "Date in Credential scope "):
		return "sts_credential_scope"
	}
	return "sts_signature_mismatch"
}
