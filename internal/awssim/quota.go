package awssim

import (
	"net/http"
	"sync"

	"golang.org/x/time/rate"
)

// Limits are the service quotas of each account and region.
type Limits struct {
	// PerSecond overrides AWS's request rate of an operation, by its name, e.g.
	// "StartQuery". Zero is no limit. Rates go by real time.
	PerSecond map[string]float64
	// Queries may be scheduled or running at once; zero: 100.
	Queries int
}

// defaultRate is the number of requests a second that AWS takes of an
// operation; zero where none is published (CloudWatch Logs quotas).
func defaultRate(operation, region string) float64 {
	switch operation {
	case "StartQuery", "GetQueryResults", "DescribeLogGroups", "StopQuery", "DescribeQueries":
		return 10
	case "DescribeLogStreams":
		return 25
	case "GetLogEvents":
		switch region {
		case "us-west-2", "eu-west-1", "eu-central-1", "ap-northeast-3", "ap-southeast-3", "ca-west-1", "il-central-1":
			return 10
		case "eu-west-3":
			return 30
		}
		return 25
	case "FilterLogEvents":
		switch region {
		case "us-east-1":
			return 25
		case "ap-northeast-3", "ap-southeast-3", "ca-west-1", "eu-central-1", "il-central-1":
			return 5
		}
		return 10
	}
	return 0
}

func (l Limits) queries() int {
	if l.Queries == 0 {
		return 100
	}
	return l.Queries
}

func (l Limits) rate(operation, region string) float64 {
	if r, ok := l.PerSecond[operation]; ok {
		return r
	}
	return defaultRate(operation, region)
}

// buckets holds one token bucket for each account, region and operation.
type buckets struct {
	mu  sync.Mutex
	all map[[3]string]*rate.Limiter
}

func (b *buckets) allow(c *call, perSecond float64) bool {
	if perSecond == 0 {
		return true
	}
	key := [3]string{c.account.id, c.region.name, c.operation}
	b.mu.Lock()
	defer b.mu.Unlock()
	l := b.all[key]
	if l == nil {
		l = rate.NewLimiter(rate.Limit(perSecond), max(1, int(perSecond)))
		b.all[key] = l
	}
	return l.Allow()
}

func (p protocol) throttled() *apiError {
	switch p {
	case awsQuery:
		return &apiError{status: http.StatusBadRequest, code: "Throttling", message: "Rate exceeded"}
	case restJSON:
		return &apiError{status: http.StatusTooManyRequests, code: "TooManyRequestsException", message: "Too Many Requests"}
	default:
		return &apiError{status: http.StatusBadRequest, code: "ThrottlingException", message: "Rate exceeded"}
	}
}
