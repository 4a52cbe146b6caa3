package awssim

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sort"
	"strings"
)

// A call is one request whose caller is known.
type call struct {
	server    *Server
	request   *http.Request
	body      []byte
	protocol  protocol
	service   string // signing name: logs, sts, eks, account
	operation string
	target    string // what a REST path names, e.g. the cluster
	caller    *identity
	account   *Account
	region    *Region
	faults    []Fault // that hit this call
}

// runner carries out an operation.
type runner func(*call) (any, *apiError)

func (c *call) world() *World { return c.server.world }

// identify finds out what is asked and by whom. The call it returns is good
// for writing an error even if there is one.
func (s *Server) identify(r *http.Request, body []byte) (*call, *apiError) {
	c := &call{server: s, request: r, body: body}
	sig, ok := parseSignature(r.Header.Get("Authorization"))
	c.protocol, c.service = protocolOf(sig.service, r), sig.service
	if r.Header.Get("Authorization") == "" {
		return c, c.protocol.authError(missingToken, textNoHeaders)
	}
	if !ok {
		return c, c.protocol.authError(incomplete, "Authorization header requires 'Credential', 'Signature' and 'SignedHeaders' of host and x-amz-date.")
	}
	id, refusal := s.authenticate(r, body, sig, c.protocol)
	if refusal != nil {
		return c, refusal
	}
	c.caller, c.account = id, id.account
	// In a region that the account has not opted in to no key is known.
	if c.region = id.account.enabled(sig.region); c.region == nil {
		return c, c.protocol.authError(unknownKey, textUnknown)
	}
	c.operation, c.target = operationOf(c)
	return c, nil
}

func protocolOf(service string, r *http.Request) protocol {
	switch {
	case service == "sts" || service == "iam":
		return awsQuery
	case service == "logs" || r.Header.Get("X-Amz-Target") != "":
		return awsJSON
	}
	return restJSON
}

// operationOf reads the operation out of the request, as the service's
// protocol says it.
func operationOf(c *call) (operation, target string) {
	switch c.service {
	case "logs":
		op, _ := strings.CutPrefix(c.request.Header.Get("X-Amz-Target"), "Logs_20140328.")
		return op, ""
	case "sts", "iam":
		return c.form().Get("Action"), ""
	case "account":
		if c.request.Method == http.MethodPost && c.request.URL.Path == "/listRegions" {
			return "ListRegions", ""
		}
	case "eks":
		return eksOperation(c.request)
	}
	return c.request.Method + " " + c.request.URL.Path, ""
}

// operations are all that is served, by service and name.
func operations() map[string]runner {
	return map[string]runner{
		"account:ListRegions":              decoded(listRegions),
		"eks:DescribeAccessEntry":          describeAccessEntry,
		"eks:DescribeCluster":              describeCluster,
		"eks:ListAccessEntries":            listAccessEntries,
		"eks:ListAssociatedAccessPolicies": listAssociatedAccessPolicies,
		"eks:ListClusters":                 listClusters,
		"iam:GetRole":                      getRole,
		"iam:GetUser":                      getUser,
		"iam:ListRoles":                    listRoles,
		"logs:DescribeLogGroups":           decoded(describeLogGroups),
		"logs:DescribeLogStreams":          decoded(describeLogStreams),
		"logs:DescribeQueries":             decoded(describeQueries),
		"logs:FilterLogEvents":             decoded(filterLogEvents),
		"logs:GetLogEvents":                decoded(getLogEvents),
		"logs:GetQueryResults":             decoded(getQueryResults),
		"logs:StartQuery":                  decoded(startQuery),
		"logs:StopQuery":                   decoded(stopQuery),
		"sts:AssumeRole":                   assumeRole,
		"sts:GetCallerIdentity":            getCallerIdentity,
	}
}

// action is the operation's name as IAM policies spell it.
func (c *call) action() string { return c.service + ":" + c.operation }

func unknownOperation(c *call) *apiError {
	code := "UnknownOperationException"
	if c.protocol == awsQuery {
		code = "InvalidAction"
	}
	return &apiError{status: http.StatusBadRequest, code: code, message: "Could not find operation " + c.operation}
}

// decoded makes a runner of a function over the JSON body.
func decoded[In, Out any](run func(*call, *In) (*Out, *apiError)) runner {
	return func(c *call) (any, *apiError) {
		in := new(In)
		if len(c.body) > 0 {
			if err := json.Unmarshal(c.body, in); err != nil {
				return nil, &apiError{status: http.StatusBadRequest, code: "SerializationException", message: err.Error()}
			}
		}
		out, refusal := run(c, in)
		if refusal != nil {
			return nil, refusal
		}
		return out, nil
	}
}

// form reads the body of a query protocol request.
func (c *call) form() url.Values {
	v, err := url.ParseQuery(string(c.body))
	if err != nil {
		return nil
	}
	return v
}

// groupNames are the log groups that the request names, as it spells them.
func (c *call) groupNames() []string {
	if c.service != "logs" {
		return nil
	}
	var in struct {
		LogGroupName        string   `json:"logGroupName"`
		LogGroupNames       []string `json:"logGroupNames"`
		LogGroupIdentifier  string   `json:"logGroupIdentifier"`
		LogGroupIdentifiers []string `json:"logGroupIdentifiers"`
	}
	if json.Unmarshal(c.body, &in) != nil {
		return nil
	}
	all := slices.Concat([]string{in.LogGroupName}, in.LogGroupNames, []string{in.LogGroupIdentifier}, in.LogGroupIdentifiers)
	return slices.DeleteFunc(all, func(s string) bool { return s == "" })
}

// names reports whether the request names that log group, or a query over it.
func (c *call) names(group string) bool {
	var in queryIDInput
	if c.service == "logs" && json.Unmarshal(c.body, &in) == nil && in.QueryID != "" {
		q := c.region.query(in.QueryID)
		return q != nil && slices.ContainsFunc(q.groups, func(g *LogGroup) bool { return g.name == group })
	}
	return slices.ContainsFunc(c.groupNames(), func(s string) bool {
		return s == group || strings.HasSuffix(s, ":log-group:"+group)
	})
}

// paging is one page out of a list that is ordered by key.
type paging struct {
	token string // of the page before; "": the first page
	size  int    // 0: as many as most
	most  int
	desc  bool // the list is in descending order of its keys
}

// paginate cuts the page out of all. A token holds the key of the last item of
// its page, so that what comes and goes meanwhile moves no other item.
func paginate[T any](all []T, key func(T) string, p paging) (page []T, next string, refusal *apiError) {
	if p.size == 0 {
		p.size = p.most
	}
	if p.size < 1 || p.size > p.most {
		return nil, "", violation(p.size, "limit", fmt.Sprintf("Member must have value from 1 to %d", p.most))
	}
	from := 0
	if p.token != "" {
		last, err := base64.RawURLEncoding.DecodeString(p.token)
		if err != nil {
			return nil, "", invalidParameter("The specified nextToken is invalid.")
		}
		from = sort.Search(len(all), func(i int) bool {
			return key(all[i]) > string(last) != p.desc && key(all[i]) != string(last)
		})
	}
	to := min(from+p.size, len(all))
	if to < len(all) {
		next = base64.RawURLEncoding.EncodeToString([]byte(key(all[to-1])))
	}
	return all[from:to], next, nil
}
