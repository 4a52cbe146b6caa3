package awssim

import (
	"fmt"
	"strconv"
	"time"
)

const badToken = "input token was not properly formatted: "

// notIAM is what every bearer token that is none of IAM's ends in.
const notIAM = badToken + `token is missing expected "k8s-aws-v1." prefix`

// homemadeErrors are those of tokens that a client made by itself, wrongly.
func homemadeErrors() []string {
	return []string{
		badToken + "illegal base64 data at input byte 87",
		badToken + `unexpected scheme "" in pre-signed URL`,
		badToken + "unexpected path in pre-signed URL",
		badToken + "invalid X-Amz-Expires parameter in pre-signed URL: 0",
		badToken + "client did not sign the x-k8s-aws-id header in the pre-signed URL",
		badToken + `non-whitelisted query parameter "x-id"`,
		badToken + "X-Amz-Date parameter must be present in pre-signed URL",
		badToken + "query parameter with multiple values not supported",
		badToken + "unexpected action parameter in pre-signed URL",
	}
}

// probeErrors are those of somebody who tries what the endpoint lets through.
// Part of the text is his own.
func probeErrors() []string {
	return []string{
		notIAM,
		badToken + "token is too large",
		badToken + `unexpected hostname "sts.us-east-1.amazonaws.com.attacker.example" in pre-signed URL`,
		badToken + `unexpected hostname "evil.example.com" in pre-signed URL`,
		badToken + `duplicate query parameter found: "action"`,
		badToken + "malformed query parameter",
		badToken + `unexpected scheme "http" in pre-signed URL`,
		badToken + `parse "https://sts.us-east-1.amazonaws.com/?a=\"b\"\nlevel=info msg=\"access granted\"": net/url: invalid control character in URL`,
		badToken + "could not parse region for pre-signed URL localhost, invalid host format: localhost",
		badToken + "invalid region identifier format provided: us_east_1",
		badToken + "partition {aws} does not support hostname sts.cn-north-1.amazonaws.com.cn",
		"sts getCallerIdentity failed: error during GET: dial tcp: lookup sts.ap-nowhere-9.amazonaws.com on 127.0.0.1:53: no such host on ap-nowhere-9 endpoint",
	}
}

// expiredToken says that a token was made too long ago.
func expiredTokenError(made time.Time) string {
	return badToken + "X-Amz-Date parameter is expired (15 minute expiration) " + made.UTC().Format("2006-01-02 15:04:05 +0000 UTC")
}

// stsError is what STS answered, from the given endpoint.
func (s *scene) stsError(status int, endpoint, code, message string) string {
	kind := "Sender"
	if status >= 500 {
		kind = "Receiver"
	}
	return fmt.Sprintf("sts getCallerIdentity failed: error from AWS (expected 200, got %d) on %s endpoint. Body: %s",
		status, endpoint, s.stsBody(code, message, kind))
}

func (s *scene) stsBody(code, message, kind string) string {
	return fmt.Sprintf(`{"Error":{"Code":%s,"Message":%s,"Type":%s},"RequestId":%q}`,
		strconv.Quote(code), strconv.Quote(message), strconv.Quote(kind), s.uuid())
}

func (s *scene) stsThrottled() string {
	return "sts getCallerIdentity was throttled: " + s.stsBody("Throttling", "Rate exceeded", "Sender")
}

const mismatch = "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."

// aheadError says that the caller's clock is ahead of t.
func (s *scene) aheadError(t time.Time, by time.Duration) string {
	const layout = amzTime
	return s.stsError(403, s.region, "SignatureDoesNotMatch", fmt.Sprintf("Signature not yet current: %s is still later than %s (%s + 5 min.)",
		t.Add(by).UTC().Format(layout), t.Add(5*time.Minute).UTC().Format(layout), t.UTC().Format(layout)))
}

// lookupError says that the node's name could not be asked for.
func (s *scene) lookupError(mapper, instance string, status int, code, message string) string {
	return fmt.Sprintf("mapper %s renderTemplates error: error rendering username template %q: failed querying private DNS from EC2 API for node %s: "+
		"operation error EC2: DescribeInstances, https response error StatusCode: %d, RequestID: %s, api error %s: %s ",
		mapper, nodeTemplate, instance, status, s.uuid(), code, message)
}

const nodeTemplate = "system:node:{{EC2PrivateDNSName}}"
