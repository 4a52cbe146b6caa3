package awssim_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/eks-authlog/eks-authlog/internal/awssim"
)

// callAll calls a service of each protocol and returns the errors.
func callAll(t *testing.T, cfg aws.Config) (logs, query, rest error) {
	t.Helper()
	cfg = stubborn(cfg)
	_, logs = cloudwatchlogs.NewFromConfig(cfg).DescribeLogGroups(t.Context(), nil)
	_, query = sts.NewFromConfig(cfg).GetCallerIdentity(t.Context(), nil)
	_, rest = eks.NewFromConfig(cfg).ListClusters(t.Context(), nil)
	return logs, query, rest
}

func TestUnknownKeysAreRefusedInEachProtocol(t *testing.T) {
	f := newFixture(t)
	cfg := f.srv.Config(region)
	cfg.Credentials = credentials.NewStaticCredentialsProvider("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "")
	logs, query, rest := callAll(t, cfg)
	wantCode(t, logs, "UnrecognizedClientException")
	wantCode(t, query, "InvalidClientTokenId")
	wantCode(t, rest, "UnrecognizedClientException")
}

func TestAWrongSecretIsRefusedInEachProtocol(t *testing.T) {
	f := newFixture(t)
	cfg := f.srv.Config(region)
	cfg.Credentials = credentials.NewStaticCredentialsProvider(f.srv.Credentials().AccessKeyID, "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "")
	logs, query, rest := callAll(t, cfg)
	wantCode(t, logs, "InvalidSignatureException")
	wantCode(t, query, "SignatureDoesNotMatch")
	wantCode(t, rest, "InvalidSignatureException")
}

func TestASessionTokenThatIsNotTheKeysIsRefused(t *testing.T) {
	f := newFixture(t)
	keys := f.srv.Credentials()
	cfg := f.srv.Config(region)
	cfg.Credentials = credentials.NewStaticCredentialsProvider(keys.AccessKeyID, keys.SecretAccessKey, "token")
	logs, _, _ := callAll(t, cfg)
	wantCode(t, logs, "UnrecognizedClientException")
}

func TestExpiredSessionsAreRefusedInEachProtocol(t *testing.T) {
	f := newFixture(t)
	arn := f.Account(other).AddRole(awssim.Role{Name: "reader"})
	cfg := f.srv.Config(region)
	cfg.Credentials = aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(sts.NewFromConfig(f.srv.Config(region)), arn))
	if logs, query, rest := callAll(t, cfg); logs != nil || query != nil || rest != nil {
		t.Fatal(logs, query, rest)
	}
	f.Account(other).ExpireSessions()
	logs, query, rest := callAll(t, cfg)
	wantCode(t, logs, "ExpiredTokenException")
	wantCode(t, query, "ExpiredToken")
	wantCode(t, rest, "ExpiredTokenException")
}

func TestARegionThatIsNotEnabledKnowsNoKeys(t *testing.T) {
	f := newFixture(t)
	_, err := f.client("me-central-1").DescribeLogGroups(t.Context(), nil)
	wantCode(t, err, "UnrecognizedClientException")
	f.Account(home).Region("me-central-1")
	if _, err := f.client("me-central-1").DescribeLogGroups(t.Context(), nil); err != nil {
		t.Errorf("after opting in: %v", err)
	}
}

// signed makes a signed DescribeLogGroups request.
func signed(t *testing.T, f *fixture, body string, at time.Time) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, f.srv.URL()+"/", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	req.Header.Set("X-Amz-Target", "Logs_20140328.DescribeLogGroups")
	const emptyObject = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
	if err := v4.NewSigner().SignHTTP(t.Context(), f.srv.Credentials(), req, emptyObject, "logs", region, at); err != nil {
		t.Fatal(err)
	}
	return req
}

func send(t *testing.T, req *http.Request) (status int, body string) {
	t.Helper()
	resp, err := (&http.Client{}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func TestWhatWasSignedMustBeWhatCame(t *testing.T) {
	f := newFixture(t)
	tests := []struct {
		name   string
		at     time.Duration // from now
		change func(*http.Request)
		want   string // part of the answer
	}{
		{"untouched", 0, func(*http.Request) {}, `"logGroups":`},
		{"another body", 0, func(r *http.Request) {
			r.Body, r.ContentLength = io.NopCloser(bytes.NewReader([]byte(`[]`))), 2
		}, "InvalidSignatureException"},
		{"another operation", 0, func(r *http.Request) { r.Header.Set("X-Amz-Target", "Logs_20140328.DescribeQueries") }, "InvalidSignatureException"},
		{"another path", 0, func(r *http.Request) { r.URL.Path = "/x" }, "InvalidSignatureException"},
		{"another query", 0, func(r *http.Request) { r.URL.RawQuery = "a=b" }, "InvalidSignatureException"},
		{"another region", 0, func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), region, "us-east-1", 1))
		}, "InvalidSignatureException"},
		{"another signature", 0, func(r *http.Request) {
			r.Header.Set("Authorization", r.Header.Get("Authorization")[:len(r.Header.Get("Authorization"))-4]+"0000")
		}, "InvalidSignatureException"},
		{"no host among the signed headers", 0, func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), "host;", "", 1))
		}, "IncompleteSignatureException"},
		{"no signature", 0, func(r *http.Request) { r.Header.Del("Authorization") }, "MissingAuthenticationTokenException"},
		{"another scheme", 0, func(r *http.Request) { r.Header.Set("Authorization", "Bearer x") }, "IncompleteSignatureException"},
		{"six minutes old", -6 * time.Minute, func(*http.Request) {}, "Signature expired"},
		{"six minutes ahead", 6 * time.Minute, func(*http.Request) {}, "Signature not yet current"},
		{"four minutes old", -4 * time.Minute, func(*http.Request) {}, `"logGroups":`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			req := signed(t, f, "{}", time.Now().Add(tt.at))
			tt.change(req)
			status, body := send(t, req)
			if !strings.Contains(body, tt.want) || (status == http.StatusOK) != strings.HasPrefix(tt.want, `"`) {
				t.Errorf("answer %d %s, want %s", status, body, tt.want)
			}
		})
	}
}

func TestUnknownOperationsAreRefused(t *testing.T) {
	f := newFixture(t)
	_, err := f.logs.ListLogGroups(t.Context(), nil)
	wantCode(t, err, "UnknownOperationException")
	_, err = sts.NewFromConfig(stubborn(f.srv.Config(region))).GetSessionToken(t.Context(), nil)
	wantCode(t, err, "InvalidAction")
}
