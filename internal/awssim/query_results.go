package awssim

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/awssim/insights"
)

const (
	maxPageRows   = 10_000
	resultTokenIn = time.Hour // a token is good for
)

type getQueryResultsInput struct {
	QueryID   string `json:"queryId"`
	MaxItems  *int   `json:"maxItems"`
	NextToken string `json:"nextToken"`
}

type getQueryResultsOutput struct {
	Status        string          `json:"status"`
	Results       [][]resultField `json:"results"`
	Statistics    statistics      `json:"statistics"`
	NextToken     string          `json:"nextToken,omitempty"`
	QueryLanguage string          `json:"queryLanguage"`
}

// resultToken is the place of the next page.
type resultToken struct {
	Query string `json:"q"`
	Row   int    `json:"r"`
	Made  int64  `json:"m"` // ms
}

// getQueryResults is logs:GetQueryResults.
func getQueryResults(c *call, in *getQueryResultsInput) (*getQueryResultsOutput, *apiError) {
	size := maxPageRows
	if in.MaxItems != nil {
		if size = *in.MaxItems; size < 1 || size > maxPageRows {
			return nil, violation(size, "maxItems", fmt.Sprintf("Member must have value from 1 to %d", maxPageRows))
		}
	}
	q := c.region.query(in.QueryID)
	if q == nil {
		return nil, notFound("The query with id %s does not exist.", in.QueryID)
	}
	now := c.world().nowMillis()
	from, refusal := q.tokenRow(in.NextToken, now)
	if refusal != nil {
		return nil, refusal
	}
	rows := q.load()
	q.mu.Lock()
	status, stats := q.poll(now), q.stats
	q.mu.Unlock()
	q.settle(now)
	out := &getQueryResultsOutput{Status: status, Results: [][]resultField{}, QueryLanguage: "CWLI"}
	switch status {
	case complete:
		out.Statistics = stats
		to := min(from+size, rows.len())
		out.Results = q.show(rows, min(from, to), to)
		if to < rows.len() {
			out.NextToken = resultToken{q.id, to, now}.String()
		}
	case running:
		out.Results = q.partial(rows, size)
		out.Statistics = stats.half(len(out.Results))
	}
	return out, nil
}

func (t resultToken) String() string {
	text, _ := json.Marshal(t) // strings and numbers only
	return base64.StdEncoding.EncodeToString(text)
}

// tokenRow is the row that the token stands for; "" is the first.
func (q *query) tokenRow(token string, now int64) (int, *apiError) {
	if token == "" {
		return 0, nil
	}
	text, err := base64.StdEncoding.DecodeString(token)
	var t resultToken
	if err != nil || json.Unmarshal(text, &t) != nil || t.Query != q.id || t.Row < 0 {
		return 0, invalidParameter("The specified nextToken is invalid.")
	}
	if now-t.Made > resultTokenIn.Milliseconds() {
		return 0, invalidParameter("The specified nextToken is expired.")
	}
	return t.Row, nil
}

// show renders the rows [from, to).
func (q *query) show(rows *resultRows, from, to int) [][]resultField {
	if rows.table != nil {
		return rows.table[from:to]
	}
	out := make([][]resultField, 0, to-from)
	for i := from; i < to; i++ {
		out = append(out, q.row(&rows.hits[i]))
	}
	return out
}

// row shows the columns that the event has, and @ptr.
func (q *query) row(h *hit) []resultField {
	columns := q.parsed.Columns
	if len(columns) == 0 {
		columns = []insights.Column{{Value: insights.Field("@timestamp")}, {Value: insights.Field("@message")}}
	}
	rec := &record{h.st, &h.ev}
	row := make([]resultField, 0, len(columns)+1)
	for _, c := range columns {
		name := c.Name()
		if name == "@ptr" {
			continue
		}
		if v := c.Value.Eval(rec); !v.Absent() {
			row = append(row, resultField{name, v.String()})
		}
	}
	return append(row, resultField{"@ptr", h.ptr(q.salt)})
}

// partial is what a running query shows: every other row, rows that will fall
// behind the limit, and as many phantoms as a fault asks for.
func (q *query) partial(rows *resultRows, most int) [][]resultField {
	out := [][]resultField{}
	for i := 0; i < len(rows.hits); i += 2 {
		out = append(out, q.row(&rows.hits[i]))
	}
	for i := range rows.spill {
		out = append(out, q.row(&rows.spill[i]))
	}
	for i := range min(q.phantoms, len(rows.hits)) {
		ghost := rows.hits[i]
		ghost.ev.at++
		ghost.ev.seq = ^ghost.ev.seq
		out = append(out, q.row(&ghost))
	}
	return out[:min(len(out), most)]
}

// half is what a running query reports.
func (s statistics) half(rows int) statistics {
	return statistics{
		BytesScanned: s.BytesScanned / 2, RecordsScanned: s.RecordsScanned / 2, RecordsMatched: s.RecordsMatched / 2,
		EstimatedBytesSkipped: s.EstimatedBytesSkipped / 2, EstimatedRecordsSkipped: s.EstimatedRecordsSkipped / 2,
		LogGroupsScanned: s.LogGroupsScanned, ResultCount: float64(rows),
	}
}
