package awssim

import (
	"fmt"
	"slices"
	"strings"
)

type describeQueriesInput struct {
	LogGroupName string `json:"logGroupName"`
	MaxResults   int    `json:"maxResults"`
	NextToken    string `json:"nextToken"`
	Status       string `json:"status"`
}

type queryInfo struct {
	BytesScanned  float64 `json:"bytesScanned"`
	CreateTime    int64   `json:"createTime"`
	LogGroupName  string  `json:"logGroupName"`
	QueryDuration int64   `json:"queryDuration"`
	QueryID       string  `json:"queryId"`
	QueryLanguage string  `json:"queryLanguage"`
	QueryString   string  `json:"queryString"`
	Status        string  `json:"status"`
	UserIdentity  string  `json:"userIdentity"`
	key           string
}

type describeQueriesOutput struct {
	Queries   []queryInfo `json:"queries"`
	NextToken string      `json:"nextToken,omitempty"`
}

// describeQueries is logs:DescribeQueries, newest first.
func describeQueries(c *call, in *describeQueriesInput) (*describeQueriesOutput, *apiError) {
	now := c.world().nowMillis()
	all := []queryInfo{}
	for i, q := range slices.Backward(c.region.allQueries()) {
		info := q.info(now)
		info.key = fmt.Sprintf("%020d %08d", info.CreateTime, i)
		if (in.Status == "" || in.Status == info.Status) && (in.LogGroupName == "" || in.LogGroupName == info.LogGroupName) {
			all = append(all, info)
		}
	}
	slices.SortFunc(all, func(a, b queryInfo) int { return strings.Compare(b.key, a.key) })
	page, next, refusal := paginate(all, func(i queryInfo) string { return i.key },
		paging{token: in.NextToken, size: in.MaxResults, most: 1000, desc: true})
	if refusal != nil {
		return nil, refusal
	}
	return &describeQueriesOutput{Queries: page, NextToken: next}, nil
}

func (q *query) info(now int64) queryInfo {
	q.mu.Lock()
	defer q.mu.Unlock()
	status, until := q.status(now), min(now, q.at+q.total())
	if q.final != "" {
		until = q.ended
	}
	return queryInfo{
		BytesScanned: q.stats.BytesScanned, CreateTime: q.at, LogGroupName: q.groups[0].name,
		QueryDuration: max(0, until-q.at), QueryID: q.id, QueryLanguage: "CWLI", QueryString: q.text,
		Status: status, UserIdentity: q.caller.arn,
	}
}
