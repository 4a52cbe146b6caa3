package awssim

import (
	"encoding/xml"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

const stsNamespace = "https://sts.amazonaws.com/doc/2011-06-15/"

type callerIdentityResponse struct {
	XMLName   xml.Name `xml:"GetCallerIdentityResponse"`
	Namespace string   `xml:"xmlns,attr"`
	Arn       string   `xml:"GetCallerIdentityResult>Arn"`
	UserID    string   `xml:"GetCallerIdentityResult>UserId"`
	Account   string   `xml:"GetCallerIdentityResult>Account"`
}

// getCallerIdentity is sts:GetCallerIdentity.
func getCallerIdentity(c *call) (any, *apiError) {
	return callerIdentityResponse{Namespace: stsNamespace, Arn: c.caller.arn, UserID: c.caller.userID, Account: c.account.id}, nil
}

type assumeRoleResponse struct {
	XMLName   xml.Name `xml:"AssumeRoleResponse"`
	Namespace string   `xml:"xmlns,attr"`
	Result    struct {
		Credentials struct {
			AccessKeyID     string `xml:"AccessKeyId"`
			SecretAccessKey string
			SessionToken    string
			Expiration      string
		}
		AssumedRoleUser struct {
			AssumedRoleID string `xml:"AssumedRoleId"`
			Arn           string
		}
	} `xml:"AssumeRoleResult"`
}

var sessionName = regexp.MustCompile(`^[\w+=,.@-]{2,64}$`)

// assumeRole is sts:AssumeRole.
func assumeRole(c *call) (any, *apiError) {
	form := c.form()
	arn, session := form.Get("RoleArn"), form.Get("RoleSessionName")
	if !sessionName.MatchString(session) {
		return nil, stsValidation("Value '%s' at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]*", session)
	}
	fields := strings.SplitN(arn, ":", 6)
	if len(fields) != 6 || fields[2] != "iam" || !strings.HasPrefix(fields[5], "role/") {
		return nil, stsValidation("%s is invalid", arn)
	}
	owner := c.world().lookup(fields[4])
	role, ok := Role{}, false
	if owner != nil {
		role, ok = owner.role(arn)
	}
	// A role that does not exist is refused like one that does not trust.
	if !ok || !role.admits(c.account.id, form) {
		return nil, c.denied()
	}
	life, refusal := sessionLife(form.Get("DurationSeconds"), role, c.caller.token != "")
	if refusal != nil {
		return nil, refusal
	}
	id := sessionIdentity(owner, role, session, life)
	c.world().addIdentity(id)
	out := assumeRoleResponse{Namespace: stsNamespace}
	out.Result.Credentials.AccessKeyID = id.key
	out.Result.Credentials.SecretAccessKey = id.secret
	out.Result.Credentials.SessionToken = id.token
	out.Result.Credentials.Expiration = id.expires.UTC().Format(time.RFC3339)
	out.Result.AssumedRoleUser.AssumedRoleID = id.userID
	out.Result.AssumedRoleUser.Arn = id.arn
	return out, nil
}

func stsValidation(format string, args ...any) *apiError {
	return &apiError{status: http.StatusBadRequest, code: "ValidationError", message: "1 validation error detected: " + fmt.Sprintf(format, args...)}
}

func (a *Account) role(arn string) (Role, bool) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	r, ok := a.roles[arn]
	return r, ok
}

// admits checks the role's trust policy.
func (r Role) admits(account string, form url.Values) bool {
	if len(r.Trusted) > 0 && !slices.Contains(r.Trusted, account) {
		return false
	}
	if r.ExternalID != "" && form.Get("ExternalId") != r.ExternalID {
		return false
	}
	return r.Tags == nil || maps.Equal(r.Tags, sessionTags(form))
}

// sessionTags reads Tags.member.N.Key and .Value.
func sessionTags(form url.Values) map[string]string {
	tags := map[string]string{}
	for i := 1; ; i++ {
		member := "Tags.member." + strconv.Itoa(i)
		key := form.Get(member + ".Key")
		if key == "" {
			return tags
		}
		tags[key] = form.Get(member + ".Value")
	}
}

// sessionLife checks DurationSeconds: 15 minutes up to the role's maximum, and
// one hour at most for a role that is assumed with a role's keys.
func sessionLife(seconds string, role Role, chained bool) (time.Duration, *apiError) {
	longest := role.MaxSession
	if longest == 0 || chained {
		longest = time.Hour
	}
	if seconds == "" {
		return min(time.Hour, longest), nil
	}
	n, err := strconv.Atoi(seconds)
	life := time.Duration(n) * time.Second
	if err != nil || life < 15*time.Minute || life > 12*time.Hour {
		return 0, stsValidation("Value '%s' at 'durationSeconds' failed to satisfy constraint: Member must have value from 900 to 43200", seconds)
	}
	if life > longest {
		return 0, &apiError{
			status: http.StatusBadRequest, code: "ValidationError",
			message: "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
		}
	}
	return life, nil
}
