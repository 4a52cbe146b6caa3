package awssim

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// statusLag is how far lastEventTimestamp and lastIngestionTime of a stream
// are behind: AWS updates them usually within an hour.
const statusLag = 30 * time.Minute

type describeLogStreamsInput struct {
	Descending          bool   `json:"descending"`
	Limit               int    `json:"limit"`
	LogGroupIdentifier  string `json:"logGroupIdentifier"`
	LogGroupName        string `json:"logGroupName"`
	LogStreamNamePrefix string `json:"logStreamNamePrefix"`
	NextToken           string `json:"nextToken"`
	OrderBy             string `json:"orderBy"`
}

type logStreamShape struct {
	Arn                 string `json:"arn"`
	LogStreamName       string `json:"logStreamName"`
	CreationTime        int64  `json:"creationTime"`
	FirstEventTimestamp int64  `json:"firstEventTimestamp,omitempty"`
	LastEventTimestamp  int64  `json:"lastEventTimestamp,omitempty"`
	LastIngestionTime   int64  `json:"lastIngestionTime,omitempty"`
	StoredBytes         int64  `json:"storedBytes"`
}

type describeLogStreamsOutput struct {
	LogStreams []logStreamShape `json:"logStreams"`
	NextToken  string           `json:"nextToken,omitempty"`
}

// describeLogStreams is logs:DescribeLogStreams.
func describeLogStreams(c *call, in *describeLogStreamsInput) (*describeLogStreamsOutput, *apiError) {
	byTime := in.OrderBy == "LastEventTime"
	switch {
	case in.OrderBy != "" && in.OrderBy != "LogStreamName" && !byTime:
		return nil, violation(in.OrderBy, "orderBy", "Member must satisfy enum value set: [LogStreamName, LastEventTime]")
	case byTime && in.LogStreamNamePrefix != "":
		return nil, invalidParameter("Cannot order by LastEventTime with a logStreamNamePrefix.")
	case strings.ContainsAny(in.LogStreamNamePrefix, ":*"):
		return nil, violation(in.LogStreamNamePrefix, "logStreamNamePrefix", "Member must satisfy regular expression pattern: [^:*]*")
	}
	g, refusal := c.oneGroup(in.LogGroupName, in.LogGroupIdentifier)
	if refusal != nil {
		return nil, refusal
	}
	shapes := g.streamShapes(in.LogStreamNamePrefix)
	key := func(s logStreamShape) string { return s.LogStreamName }
	if byTime {
		key = func(s logStreamShape) string { return fmt.Sprintf("%020d %s", s.LastEventTimestamp, s.LogStreamName) }
	}
	slices.SortFunc(shapes, func(a, b logStreamShape) int {
		if in.Descending {
			a, b = b, a
		}
		return cmp.Compare(key(a), key(b))
	})
	page, next, refusal := paginate(shapes, key, paging{token: in.NextToken, size: in.Limit, most: 50, desc: in.Descending})
	if refusal != nil {
		return nil, refusal
	}
	return &describeLogStreamsOutput{LogStreams: page, NextToken: next}, nil
}

func (g *LogGroup) streamShapes(prefix string) []logStreamShape {
	now := g.region.account.w.nowMillis()
	g.mu.RLock()
	defer g.mu.RUnlock()
	shapes := []logStreamShape{}
	for _, st := range g.streams {
		if st.created > now || !strings.HasPrefix(st.name, prefix) {
			continue
		}
		s := logStreamShape{Arn: g.ARN() + ":log-stream:" + st.name, LogStreamName: st.name, CreationTime: st.created}
		if last, ok := st.last(now - statusLag.Milliseconds()); ok {
			s.FirstEventTimestamp, s.LastEventTimestamp, s.LastIngestionTime = st.events[0].at, last.at, last.ingested
		}
		shapes = append(shapes, s)
	}
	return shapes
}
