package source

import (
	"context"
	"sync"
	"time"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go/middleware"
	"github.com/rs/zerolog"
)

const (
	// clockGrain is how far AWS's clock may seem off although it is not: its
	// answers tell whole seconds and are on their way for a while.
	clockGrain = 3 * time.Second
	// clockWrong is from where on a person should know.
	clockWrong = time.Minute
)

// A clock is AWS's. Event times, what a query may see and the age of a line all
// go by it; our own clock may be minutes off or be set while we read. It begins
// with our clock and is set by the Date of AWS's answers; between them it goes
// on by our monotonic clock, which nobody can set.
type clock struct {
	own func() time.Time
	log zerolog.Logger

	mu   sync.Mutex
	aws  time.Time // AWS's time
	ours time.Time // when ours showed that
}

func newClock(own func() time.Time, log zerolog.Logger) *clock {
	now := own()
	return &clock{own: own, log: log, aws: now.Round(0).UTC(), ours: now}
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.read(c.own())
}

func (c *clock) read(own time.Time) time.Time { return c.aws.Add(own.Sub(c.ours)) }

// saw takes in what AWS's clock showed a moment ago.
func (c *clock) saw(date time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	own := c.own()
	if date.Sub(c.read(own)).Abs() <= clockGrain {
		return
	}
	c.aws, c.ours = date.UTC(), own
	if off := own.Round(0).Sub(date); off.Abs() > clockWrong {
		c.log.Warn().Stringer("ahead_of_aws", off.Round(time.Second)).
			Msg("the clock of this machine is wrong: going by AWS's; set up time synchronisation")
	}
}

// watch adds the clock to a client's calls.
func (c *clock) watch(stack *middleware.Stack) error {
	return stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("eks-authlog clock", func(
		ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler,
	) (middleware.DeserializeOutput, middleware.Metadata, error) {
		out, metadata, err := next.HandleDeserialize(ctx, in)
		if date, ok := awsmiddleware.GetServerTime(metadata); ok {
			c.saw(date)
		}
		return out, metadata, err
	}), middleware.Before)
}
