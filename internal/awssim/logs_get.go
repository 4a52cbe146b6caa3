package awssim

import (
	"cmp"
	"fmt"
	"slices"
)

type getLogEventsInput struct {
	EndTime            *int64 `json:"endTime"`
	Limit              int    `json:"limit"`
	LogGroupIdentifier string `json:"logGroupIdentifier"`
	LogGroupName       string `json:"logGroupName"`
	LogStreamName      string `json:"logStreamName"`
	NextToken          string `json:"nextToken"`
	StartFromHead      bool   `json:"startFromHead"`
	StartTime          *int64 `json:"startTime"`
}

type outputEvent struct {
	IngestionTime int64  `json:"ingestionTime"`
	Message       string `json:"message"`
	Timestamp     int64  `json:"timestamp"`
}

type getLogEventsOutput struct {
	Events            []outputEvent `json:"events"`
	NextBackwardToken string        `json:"nextBackwardToken"`
	NextForwardToken  string        `json:"nextForwardToken"`
}

// getLogEvents is logs:GetLogEvents. A token is f/ or b/ with the place after
// or before which the page lies.
func getLogEvents(c *call, in *getLogEventsInput) (*getLogEventsOutput, *apiError) {
	if in.Limit < 0 || in.Limit > maxPageRows {
		return nil, violation(in.Limit, "limit", "Member must have value from 1 to 10000")
	}
	g, refusal := c.oneGroup(in.LogGroupName, in.LogGroupIdentifier)
	if refusal != nil {
		return nil, refusal
	}
	st := g.Stream(in.LogStreamName)
	if st == nil {
		return nil, notFound("The specified log stream does not exist.")
	}
	forward, at, seq := in.StartFromHead, int64(0), uint64(0)
	events := st.readable(in, c.world().nowMillis())
	if in.NextToken != "" {
		var way string
		if n, err := fmt.Sscanf(in.NextToken, "%1s/%d/%d", &way, &at, &seq); n != 3 || err != nil || way != "f" && way != "b" {
			return nil, invalidParameter("The specified nextToken is invalid.")
		}
		forward = way == "f"
		events = slices.DeleteFunc(events, func(ev event) bool {
			side := cmp.Or(cmp.Compare(ev.at, at), cmp.Compare(ev.seq, seq))
			return side == 0 || side < 0 == forward
		})
	}
	events = onePage(events, forward, cmp.Or(in.Limit, maxPageRows))
	return showPage(events, in.NextToken, at, seq), nil
}

// readable copies what the request's times and retention leave of the stream.
// The end is exclusive.
func (st *Stream) readable(in *getLogEventsInput, now int64) []event {
	from, to := st.group.oldest(now), now
	if in.StartTime != nil {
		from = max(from, *in.StartTime)
	}
	if in.EndTime != nil {
		to = min(to, *in.EndTime-1)
	}
	st.group.mu.RLock()
	defer st.group.mu.RUnlock()
	events := slices.Clone(st.between(from, to))
	return slices.DeleteFunc(events, func(ev event) bool { return ev.ingested > now })
}

// onePage keeps the first or last events that fit into an answer.
func onePage(events []event, forward bool, limit int) []event {
	n, size := 0, 0
	for n < min(len(events), limit) {
		ev := events[n]
		if !forward {
			ev = events[len(events)-1-n]
		}
		if size += len(ev.text) + 26; size > maxPageBytes && n > 0 {
			break
		}
		n++
	}
	if forward {
		return events[:n]
	}
	return events[len(events)-n:]
}

func showPage(events []event, token string, at int64, seq uint64) *getLogEventsOutput {
	out := &getLogEventsOutput{Events: []outputEvent{}}
	if len(events) == 0 {
		out.NextForwardToken = fmt.Sprintf("f/%d/%d", at, seq)
		out.NextBackwardToken = fmt.Sprintf("b/%d/%d", at, seq)
		if token != "" && token[0] == 'b' {
			out.NextBackwardToken = token
		}
		return out
	}
	for _, ev := range events {
		out.Events = append(out.Events, outputEvent{ev.ingested, ev.text, ev.at})
	}
	first, last := events[0], events[len(events)-1]
	out.NextBackwardToken = fmt.Sprintf("b/%d/%d", first.at, first.seq)
	out.NextForwardToken = fmt.Sprintf("f/%d/%d", last.at, last.seq)
	return out
}
