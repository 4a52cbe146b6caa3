package awssim

import (
	"strconv"
	"strings"
	"time"
)

// logLine formats a line as the authenticator's logger does: time, level, msg,
// then the given keys and values, which must be in the order of their keys.
func logLine(t time.Time, level, msg string, pairs ...string) string {
	var b strings.Builder
	b.Grow(320)
	b.WriteString(`time="`)
	b.WriteString(t.UTC().Format(time.RFC3339))
	b.WriteString(`" level=`)
	b.WriteString(level)
	b.WriteString(" msg=")
	writeValue(&b, msg)
	for i := 0; i < len(pairs); i += 2 {
		b.WriteByte(' ')
		b.WriteString(pairs[i])
		b.WriteByte('=')
		writeValue(&b, pairs[i+1])
	}
	return b.String()
}

// writeValue quotes a value unless it has nothing but letters, digits and
// -._/@^+ in it.
func writeValue(b *strings.Builder, v string) {
	for i := range len(v) {
		c := v[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && strings.IndexByte("-._/@^+", c) < 0 {
			b.WriteString(strconv.Quote(v))
			return
		}
	}
	b.WriteString(v)
}

// principal is somebody who logs in.
type principal struct {
	arn      string // canonical
	sts      string // as STS names the session
	account  string
	session  string
	userID   string
	key      string
	username string // that the mapping gives; "": not mapped
	groups   string
	awsAuth  bool // mapped by aws-auth, not by an access entry
}

// stsResponse logs that STS knew the caller.
func (s *scene) stsResponse(api *apiServer, client string, t time.Time, p *principal) {
	s.write(api, t, logLine(t, "info", "STS response",
		"accesskeyid", p.key, "accountid", p.account, "arn", p.sts, "client", client, "method", "POST", "path", "/authenticate",
		"session", p.session, "stsendpoint", s.endpoint(), "userid", p.userID))
}

func (s *scene) endpoint() string { return "sts." + s.region + ".amazonaws.com" }

// login logs a request of the principal: granted if it is mapped and the
// mapping can be read at t.
func (s *scene) login(t time.Time, p *principal) {
	if p.username == "" || p.awsAuth && s.authBroken(t) {
		s.refuse(t, p, "identity is not mapped")
		return
	}
	api, client := s.anyAPI()
	s.stsResponse(api, client, t, p)
	s.write(api, t, logLine(t, "info", "access granted",
		"arn", p.arn, "client", client, "groups", p.groups, "method", "POST", "path", "/authenticate",
		"stsendpoint", s.endpoint(), "uid", "aws-iam-authenticator:"+p.account+":"+p.userID, "username", p.username))
}

// refuse logs a request that failed after STS knew the caller. A node that is
// to be looked up is named in a line between.
func (s *scene) refuse(t time.Time, p *principal, reason string, between ...string) {
	api, client := s.anyAPI()
	s.stsResponse(api, client, t, p)
	for _, msg := range between {
		s.write(api, t, logLine(t, "info", msg))
	}
	s.write(api, t, logLine(t, "warning", "access denied",
		"arn", p.arn, "client", client, "error", reason, "method", "POST", "path", "/authenticate"))
}

// reject logs a request whose sender never became known.
func (s *scene) reject(t time.Time, reason string) {
	api, client := s.anyAPI()
	s.rejectAt(api, client, t, reason)
}

func (s *scene) rejectAt(api *apiServer, client string, t time.Time, reason string) {
	s.write(api, t, logLine(t, "warning", "access denied",
		"client", client, "error", reason, "method", "POST", "path", "/authenticate"))
}

// twice logs the same refusal two times in one millisecond, as parallel
// requests of one client do.
func (s *scene) twice(t time.Time, reason string) {
	api, client := s.anyAPI()
	s.rejectAt(api, client, t, reason)
	api.events = append(api.events, api.events[len(api.events)-1])
}

// everywhere logs a line of each authenticator.
func (s *scene) everywhere(t time.Time, level, msg string) {
	for _, api := range s.apis {
		s.write(api, t, logLine(t, level, msg))
	}
}

// startup logs what an authenticator says when it starts.
func (s *scene) startup(api *apiServer, t time.Time) {
	s.write(api, t, `Authenticator Version: "v0.7.18", ""`)
	for _, mapper := range []string{"MountedFile", "DynamicFile", "EKSConfigMap"} {
		s.write(api, t, logLine(t, "info", "starting mapper "+strconv.Quote(mapper)))
	}
	s.write(api, t, logLine(t, "info", "mapping IAM role",
		"groups", "[system:masters]", "role", "arn:aws:iam::123456789012:role/AWSWesleyClusterManagerLambda-NodeManagerRole-EXAMPLE",
		"username", "eks:node-manager"))
	s.write(api, t, logLine(t, "info", "listening on 127.0.0.1:21362"))
	s.write(api, t, logLine(t, "info", "Starting the h.ec2Provider.startEc2DescribeBatchProcessing "))
	s.write(api, t, logLine(t, "info", "Received aws-auth watch event"))
}
