package awssim

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"

	"github.com/eks-authlog/eks-authlog/internal/awssim/insights"
)

const (
	maxGroups    = 50
	defaultLimit = 10_000
	// maxSeconds tells seconds from milliseconds since 1970. AWS takes
	// milliseconds too, but nothing documents it.
	maxSeconds = 100_000_000_000
)

type startQueryInput struct {
	StartTime           *int64   `json:"startTime"`
	EndTime             *int64   `json:"endTime"`
	QueryString         *string  `json:"queryString"`
	Limit               *int     `json:"limit"`
	LogGroupName        string   `json:"logGroupName"`
	LogGroupNames       []string `json:"logGroupNames"`
	LogGroupIdentifiers []string `json:"logGroupIdentifiers"`
	QueryLanguage       string   `json:"queryLanguage"`
}

type startQueryOutput struct {
	QueryID string `json:"queryId"`
}

// startQuery is logs:StartQuery.
func startQuery(c *call, in *startQueryInput) (*startQueryOutput, *apiError) {
	if refusal := in.check(); refusal != nil {
		return nil, refusal
	}
	parsed, refusal := parseQuery(*in.QueryString)
	if refusal != nil {
		return nil, refusal
	}
	groups, refusal := in.groups(c)
	if refusal != nil {
		return nil, refusal
	}
	q := &query{
		id: newID(), text: *in.QueryString, caller: c.caller, parsed: parsed, groups: groups,
		from: *in.StartTime * 1000, to: *in.EndTime*1000 + 999, limit: in.limit(parsed),
		at: c.world().nowMillis(), pace: c.world().Pace, seed: rand.Uint64(),
	}
	if refusal := q.checkReach(); refusal != nil {
		return nil, refusal
	}
	for _, f := range c.faults {
		q.polls = append(q.polls, f.Polls...)
		q.phantoms += f.Phantoms
		if f.NewPtrs {
			q.salt = q.seed
		}
	}
	if !c.region.add(q, c.world().Limits.queries()) {
		return nil, LimitExceeded.refusal(c)
	}
	q.load()
	return &startQueryOutput{q.id}, nil
}

// check refuses what no world could answer.
func (in *startQueryInput) check() *apiError {
	switch {
	case in.StartTime == nil || in.EndTime == nil || in.QueryString == nil:
		return invalidParameter("1 validation error detected: startTime, endTime and queryString must not be null")
	case *in.StartTime < 0 || *in.EndTime < 0:
		return violation(min(*in.StartTime, *in.EndTime), "startTime", "Member must have value greater than or equal to 0")
	case *in.StartTime >= maxSeconds || *in.EndTime >= maxSeconds:
		return invalidParameter("startTime and endTime are seconds since 1970, not milliseconds.")
	case *in.EndTime < *in.StartTime:
		return invalidParameter("End time should not be less than start time.")
	case in.Limit != nil && (*in.Limit < 1 || *in.Limit > insights.MaxRows):
		return violation(*in.Limit, "limit", fmt.Sprintf("Member must have value from 1 to %d", insights.MaxRows))
	case in.QueryLanguage != "" && in.QueryLanguage != "CWLI":
		return invalidParameter("Query language %s is not served here.", in.QueryLanguage)
	}
	return in.checkGroups()
}

func (in *startQueryInput) checkGroups() *apiError {
	given := 0
	for _, is := range []bool{in.LogGroupName != "", len(in.LogGroupNames) > 0, len(in.LogGroupIdentifiers) > 0} {
		if is {
			given++
		}
	}
	switch {
	case given == 0:
		return invalidParameter("Either a log group name, log group names or log group identifiers must be specified.")
	case given > 1:
		return invalidParameter("Exactly one of logGroupName, logGroupNames and logGroupIdentifiers must be specified.")
	case len(in.LogGroupNames) > maxGroups:
		return violation(in.LogGroupNames, "logGroupNames", "Member must have length less than or equal to 50")
	case len(in.LogGroupIdentifiers) > maxGroups:
		return violation(in.LogGroupIdentifiers, "logGroupIdentifiers", "Member must have length less than or equal to 50")
	}
	return nil
}

// groups finds each group that the query names. One that does not exist fails
// the whole query.
func (in *startQueryInput) groups(c *call) ([]*LogGroup, *apiError) {
	var groups []*LogGroup
	add := func(g *LogGroup, refusal *apiError) *apiError {
		if refusal != nil {
			return refusal
		}
		if g.opts.Class == Delivery {
			return invalidParameter("Log group %s is of class DELIVERY, which cannot be queried.", g.name)
		}
		if !slices.Contains(groups, g) {
			groups = append(groups, g)
		}
		return nil
	}
	names := in.LogGroupNames
	if in.LogGroupName != "" {
		names = []string{in.LogGroupName}
	}
	for _, name := range names {
		if refusal := add(c.groupByName(name)); refusal != nil {
			return nil, refusal
		}
	}
	for _, id := range in.LogGroupIdentifiers {
		if refusal := add(c.groupByIdentifier(id)); refusal != nil {
			return nil, refusal
		}
	}
	return groups, nil
}

// limit is the smaller of what the text and the request ask for: reports
// differ on which of them AWS obeys.
func (in *startQueryInput) limit(q *insights.Query) int {
	limit := defaultLimit
	switch {
	case in.Limit != nil && q.Limit > 0:
		limit = min(*in.Limit, q.Limit)
	case in.Limit != nil:
		limit = *in.Limit
	case q.Limit > 0:
		limit = q.Limit
	}
	return limit
}

func parseQuery(text string) (*insights.Query, *apiError) {
	parsed, err := insights.Parse(text)
	if err == nil {
		return parsed, nil
	}
	e := &apiError{status: http.StatusBadRequest, code: "MalformedQueryException", message: err.Error()}
	if syntax, ok := errors.AsType[*insights.SyntaxError](err); ok {
		e.members = compileError(syntax.Start, syntax.End, syntax.Message)
	}
	return nil, e
}

func compileError(start, end int, message string) map[string]any {
	return map[string]any{"queryCompileError": map[string]any{
		"location": map[string]int{"startCharOffset": start, "endCharOffset": end},
		"message":  message,
	}}
}

// checkReach refuses a window that lies wholly before what one of the groups
// can still or could ever show.
func (q *query) checkReach() *apiError {
	for _, g := range q.groups {
		if q.to < g.oldest(q.at) {
			const message = "Query's end date and time is either before the log groups creation time or exceeds the log groups log retention settings"
			n := len([]rune(q.text))
			return &apiError{
				status: http.StatusBadRequest, code: "MalformedQueryException",
				message: fmt.Sprintf("%s ([0,%d])", message, n), members: compileError(0, n, message),
			}
		}
	}
	return nil
}

type queryIDInput struct {
	QueryID string `json:"queryId"`
}

type stopQueryOutput struct {
	Success bool `json:"success"`
}

// stopQuery is logs:StopQuery.
func stopQuery(c *call, in *queryIDInput) (*stopQueryOutput, *apiError) {
	q := c.region.query(in.QueryID)
	if q == nil {
		return nil, notFound("The query with id %s does not exist.", in.QueryID)
	}
	if !q.stop(c.world().nowMillis()) {
		return nil, invalidParameter("Query with id %s is not running.", in.QueryID)
	}
	return &stopQueryOutput{true}, nil
}
