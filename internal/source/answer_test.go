package source_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"github.com/eks-authlog/eks-authlog/internal/awssim"
	"github.com/eks-authlog/eks-authlog/internal/source"
)

func TestReadIgnoresRowsOfARunningQuery(t *testing.T) {
	c := busy(t)
	c.Inject(awssim.Fault{Operation: "StartQuery", Polls: []string{"Scheduled", "Running", "Running"}, Phantoms: 5})
	s := c.source(t, config())
	c.wantAll(t, read(t.Context(), t, s, c.window(t, s, time.Minute)))
	c.meter.wantQueries(t, map[string]int{"complete": 1})
	// The SDK may ask once more when the machine is slow.
	if n := c.Calls("GetQueryResults"); n < 4 {
		t.Errorf("polled %d times, want 4 at least", n)
	}
}

func TestReadWaitsWhileAWSDoesNotKnow(t *testing.T) {
	c := busy(t)
	c.Inject(awssim.Fault{Operation: "StartQuery", Polls: []string{"Unknown", "Running", "Unknown"}})
	s := c.source(t, config())
	c.wantAll(t, read(t.Context(), t, s, c.window(t, s, time.Minute)))
	c.meter.wantQueries(t, map[string]int{"complete": 1})
}

func TestReadGoesOnWhereAWSMatchedMoreThanItGave(t *testing.T) {
	c := newCloud(t)
	g := c.group(t, "prod", 1, awssim.GroupOptions{})
	for second := range 55 {
		c.write(g, 0, 200, time.Duration(second)*time.Second)
	}
	cfg := config()
	cfg.RowLimit = 100_000
	token := regexp.MustCompile(`"nextToken":"[^"]*",`)
	s := source.New(c.behind(t, func(_ *http.Request, operation string, _, answer []byte) []byte {
		if operation == "GetQueryResults" {
			return token.ReplaceAll(answer, nil)
		}
		return answer
	}), cfg, c.meter, zerolog.Nop())
	c.wantAll(t, read(t.Context(), t, s, c.window(t, s, time.Minute)))
	// 10,000 lines of the first page, and the rest.
	c.meter.wantQueries(t, map[string]int{"complete": 2})
}

func TestReadGoesByRowsWhereAWSGivesNoStatistics(t *testing.T) {
	c := busy(t)
	cfg := config()
	cfg.RowLimit = 50
	stats := regexp.MustCompile(`"statistics":\{[^}]*\},`)
	s := source.New(c.behind(t, func(_ *http.Request, operation string, _, answer []byte) []byte {
		if operation == "GetQueryResults" {
			return stats.ReplaceAll(answer, nil)
		}
		return answer
	}), cfg, c.meter, zerolog.Nop())
	c.wantAll(t, read(t.Context(), t, s, c.window(t, s, time.Minute)))
	if c.meter.scanned != 0 {
		t.Error("the answers had statistics")
	}
}

func TestReadAsksForWholeSecondsWithBothEndsIncluded(t *testing.T) {
	c := busy(t)
	var asked struct {
		StartTime, EndTime  int64
		Limit               int
		LogGroupIdentifiers []string
	}
	s := source.New(c.behind(t, func(_ *http.Request, operation string, body, answer []byte) []byte {
		if operation == "StartQuery" {
			if err := json.Unmarshal(body, &asked); err != nil {
				t.Error(err)
			}
		}
		return answer
	}), config(), c.meter, zerolog.Nop())
	w := c.window(t, s, time.Minute)
	c.wantAll(t, read(t.Context(), t, s, w))
	if from, to := c.start.Unix(), c.start.Unix()+59; asked.StartTime != from || asked.EndTime != to || asked.Limit != 10_000 {
		t.Errorf("asked for %+v, want %d to %d, 10,000 rows", asked, from, to)
	}
	want := []string{w.Targets[0].Group.ARN, w.Targets[1].Group.ARN, w.Targets[2].Group.ARN}
	if diff := cmp.Diff(want, asked.LogGroupIdentifiers); diff != "" {
		t.Error(diff)
	}
}

func TestReadTakesARowThatIsGivenTwiceOnce(t *testing.T) {
	c := busy(t)
	s := source.New(c.behind(t, func(_ *http.Request, operation string, _, answer []byte) []byte {
		if operation != "GetQueryResults" {
			return answer
		}
		var whole map[string]json.RawMessage
		var rows []json.RawMessage
		err := errors.Join(json.Unmarshal(answer, &whole), json.Unmarshal(whole["results"], &rows))
		var twice []json.RawMessage
		for _, row := range rows {
			twice = append(twice, row, row)
		}
		doubled, e := json.Marshal(twice)
		whole["results"] = doubled
		answer, e2 := json.Marshal(whole)
		if err = errors.Join(err, e, e2); err != nil {
			t.Error(err)
		}
		return answer
	}), config(), c.meter, zerolog.Nop())
	c.wantAll(t, read(t.Context(), t, s, c.window(t, s, time.Minute)))
}
