package awssim

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

const (
	algorithm    = "AWS4-HMAC-SHA256"
	amzTime      = "20060102T150405Z"
	maxClockSkew = 5 * time.Minute
)

// signature is what the Authorization header of a request says.
type signature struct {
	key, date, region, service string
	headers                    []string
	value                      string
}

// The refusals of a request's credentials. Each protocol has codes and a
// status of its own for them, see authCode.
const (
	missingToken  = "MissingAuthenticationToken"
	incomplete    = "IncompleteSignature"
	unknownKey    = "InvalidClientTokenId"
	expiredToken  = "ExpiredToken"
	badSignature  = "SignatureDoesNotMatch"
	textUnknown   = "The security token included in the request is invalid."
	textMismatch  = "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
	textExpired   = "The security token included in the request is expired"
	textNoHeaders = "Request is missing Authentication Token"
)

// authError words a refusal of credentials as the service's protocol does.
func (p protocol) authError(code, message string) *apiError {
	status := http.StatusForbidden
	if p == awsJSON || code == incomplete {
		status = http.StatusBadRequest
	}
	if p != awsQuery {
		code = map[string]string{
			missingToken: "MissingAuthenticationTokenException",
			incomplete:   "IncompleteSignatureException",
			unknownKey:   "UnrecognizedClientException",
			expiredToken: "ExpiredTokenException",
			badSignature: "InvalidSignatureException",
		}[code]
	}
	return &apiError{status: status, code: code, message: message}
}

// parseSignature reads an Authorization header. It reports false if it is not
// of the form that Signature Version 4 prescribes.
func parseSignature(header string) (signature, bool) {
	fields, ok := strings.CutPrefix(header, algorithm+" ")
	if !ok {
		return signature{}, false
	}
	var s signature
	for part := range strings.SplitSeq(fields, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch name {
		case "Credential":
			scope := strings.Split(value, "/")
			if len(scope) != 5 || scope[4] != "aws4_request" {
				return signature{}, false
			}
			s.key, s.date, s.region, s.service = scope[0], scope[1], scope[2], scope[3]
		case "SignedHeaders":
			s.headers = strings.Split(value, ";")
		case "Signature":
			s.value = value
		}
	}
	return s, s.key != "" && s.value != "" && slices.Contains(s.headers, "host") && slices.Contains(s.headers, "x-amz-date")
}

// authenticate says whose request it is, after checking its signature, and
// that key, session token and clock are good.
func (s *Server) authenticate(r *http.Request, body []byte, sig signature, p protocol) (*identity, *apiError) {
	id := s.world.identity(sig.key)
	if id == nil || r.Header.Get("X-Amz-Security-Token") != id.token {
		return nil, p.authError(unknownKey, textUnknown)
	}
	signed, err := time.Parse(amzTime, r.Header.Get("X-Amz-Date"))
	if err != nil || signed.Format("20060102") != sig.date {
		return nil, p.authError(incomplete, "Date must be in ISO-8601 'basic format'")
	}
	// Clients begin with their own clock and go over to that of the answers.
	if err := checkClock(signed, time.Now().UTC()); err != "" && checkClock(signed, s.world.Now()) != "" {
		return nil, p.authError(badSignature, err)
	}
	want, ok := s.sign(r, body, sig, id, signed)
	if !ok || !hmac.Equal([]byte(want.value), []byte(sig.value)) {
		return nil, p.authError(badSignature, textMismatch)
	}
	if !id.expires.IsZero() && !time.Now().Before(id.expires) {
		return nil, p.authError(expiredToken, textExpired)
	}
	return id, nil
}

func checkClock(signed, now time.Time) string {
	oldest, newest := now.Add(-maxClockSkew), now.Add(maxClockSkew)
	switch {
	case signed.Before(oldest):
		return fmt.Sprintf("Signature expired: %s is now earlier than %s (%s - 5 min.)",
			signed.Format(amzTime), oldest.Format(amzTime), now.Format(amzTime))
	case signed.After(newest):
		return fmt.Sprintf("Signature not yet current: %s is still later than %s (%s + 5 min.)",
			signed.Format(amzTime), newest.Format(amzTime), now.Format(amzTime))
	}
	return ""
}

// sign signs the request anew with the key's secret, over the headers that the
// caller signed and the body that came.
func (s *Server) sign(r *http.Request, body []byte, sig signature, id *identity, at time.Time) (signature, bool) {
	again := &http.Request{Method: r.Method, URL: r.URL, Host: r.Host, Header: http.Header{}}
	for _, name := range sig.headers {
		switch name {
		case "host":
		case "content-length":
			again.ContentLength = int64(len(body))
		default:
			again.Header[http.CanonicalHeaderKey(name)] = slices.Clone(r.Header.Values(name))
		}
	}
	target := *r.URL
	target.Scheme, target.Host = "http", r.Host
	again.URL = &target
	hash := sha256.Sum256(body)
	creds := aws.Credentials{AccessKeyID: id.key, SecretAccessKey: id.secret, SessionToken: id.token}
	err := s.signer.SignHTTP(r.Context(), creds, again, hex.EncodeToString(hash[:]), sig.service, sig.region, at)
	if err != nil {
		return signature{}, false
	}
	return parseSignature(again.Header.Get("Authorization"))
}
