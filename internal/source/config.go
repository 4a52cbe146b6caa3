package source

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// A Mode is the API that lines are read with.
type Mode string

// The modes.
const (
	// ModeInsights reads with Logs Insights queries over many log groups at
	// once; billed by bytes scanned.
	ModeInsights Mode = "insights"
	// ModeFilter reads with FilterLogEvents, group by group; slower, without
	// charge, for credentials that may not run queries.
	ModeFilter Mode = "filter-log-events"
)

// An Index is how a query is told which lines are wanted, so that CloudWatch
// can leave out the rest unscanned.
type Index string

// The index strategies.
const (
	// IndexAuto begins with IndexStream and goes over to IndexDataSource for
	// a log group where that gave the same lines for fewer bytes.
	IndexAuto Index = "auto"
	// IndexStream names the streams: @logStream in [...]. CloudWatch indexes
	// @logStream in every Standard log group.
	IndexStream Index = "stream"
	// IndexDataSource asks for the data source type that CloudWatch gives to
	// authenticator lines: @data_source_type = "authenticator".
	IndexDataSource Index = "data_source"
	// IndexNone reads every line of the group and sorts them out here.
	IndexNone Index = "none"
)

// Limits of the API: CloudWatch Logs API reference, StartQuery and
// GetQueryResults.
const (
	maxGroups    = 50      // log groups of one query
	maxQueryText = 10_000  // characters of one query
	maxRows      = 100_000 // rows of one query
	maxPageRows  = 10_000  // rows of one GetQueryResults answer
)

// Config says what to read and how. Zero fields take the value of Default.
type Config struct {
	Region      string            // empty: that of the AWS configuration chain
	RoleARN     string            // assumed before reading; empty: the chain's own credentials
	ExternalID  string            // sent with AssumeRole when not empty
	SessionTags map[string]string // sent with AssumeRole

	Pattern        string   // of log group names, as path.Match has it
	Include        []string // patterns of cluster names; empty: all
	Exclude        []string // patterns of cluster names; win over Include
	LinkedAccounts bool     // also read the accounts that share with this one (OAM)

	Mode     Mode
	Index    Index
	RowLimit int // rows of one query before it is continued, at most 100,000

	MaxConcurrent int      // queries at once; counts against the account's quota of 100
	Rates         Rates    // calls a second
	Limits        *Limits  // shared with the other sources of the account and region; nil: own
	Answers       *Answers // shared with all other sources of the process; nil: four of its own

	QueryTimeout time.Duration // a query that takes longer is stopped and its window narrowed
	PollMin      time.Duration // first wait for a query's results; grows up to PollMax
	PollMax      time.Duration
	Retries      int           // after the SDK's own, of what was throttled or failed at AWS
	Backoff      time.Duration // before the first of them; doubles, with jitter

	PricePerGB float64 // USD for 10^9 bytes scanned

	Clock func() time.Time // ours, see Source.Now; nil: time.Now
}

// Rates are calls a second. They stay below the quotas of the account, which
// people and dashboards share.
type Rates struct {
	StartQuery float64 // AWS allows 10
	GetResults float64 // AWS allows 10
	Describe   float64 // DescribeLogGroups and the rare calls; AWS allows 10
	Streams    float64 // DescribeLogStreams; AWS allows 25
	Filter     float64 // FilterLogEvents; AWS allows 5, 10 or 25, by region
}

// Default is the configuration that reads all EKS clusters of the default
// region and credentials.
func Default() Config {
	return Config{
		Pattern:       "/aws/eks/*/cluster",
		Mode:          ModeInsights,
		Index:         IndexAuto,
		RowLimit:      10_000,
		MaxConcurrent: 5,
		Rates:         Rates{StartQuery: 2, GetResults: 5, Describe: 5, Streams: 12, Filter: 2.5},
		QueryTimeout:  5 * time.Minute,
		PollMin:       500 * time.Millisecond,
		PollMax:       5 * time.Second,
		Retries:       4,
		Backoff:       2 * time.Second,
		PricePerGB:    0.005,
	}
}

// Validate names everything that is wrong with c, nil when nothing is. Zero
// fields are right.
func (c Config) Validate() error {
	var errs []error
	for _, p := range append(append([]string{c.Pattern}, c.Include...), c.Exclude...) {
		if _, err := path.Match(p, ""); err != nil {
			errs = append(errs, fmt.Errorf("pattern %q: %w", p, err))
		}
	}
	switch c.Mode {
	case "", ModeInsights, ModeFilter:
	default:
		errs = append(errs, fmt.Errorf("mode %q: want %s or %s", c.Mode, ModeInsights, ModeFilter))
	}
	switch c.Index {
	case "", IndexAuto, IndexStream, IndexDataSource, IndexNone:
	default:
		errs = append(errs, fmt.Errorf("index %q: want %s, %s, %s or %s",
			c.Index, IndexAuto, IndexStream, IndexDataSource, IndexNone))
	}
	if c.RowLimit < 0 || c.RowLimit > maxRows {
		errs = append(errs, fmt.Errorf("row limit %d: want 1 to %d", c.RowLimit, maxRows))
	}
	return errors.Join(errs...)
}

// withDefaults fills the zero fields of c.
func (c Config) withDefaults() Config {
	d := Default()
	fill(&c.Pattern, d.Pattern)
	fill(&c.Mode, d.Mode)
	fill(&c.Index, d.Index)
	fill(&c.RowLimit, d.RowLimit)
	fill(&c.MaxConcurrent, d.MaxConcurrent)
	fill(&c.Rates.StartQuery, d.Rates.StartQuery)
	fill(&c.Rates.GetResults, d.Rates.GetResults)
	fill(&c.Rates.Describe, d.Rates.Describe)
	fill(&c.Rates.Streams, d.Rates.Streams)
	fill(&c.Rates.Filter, d.Rates.Filter)
	fill(&c.QueryTimeout, d.QueryTimeout)
	fill(&c.PollMin, d.PollMin)
	fill(&c.PollMax, d.PollMax)
	fill(&c.Retries, d.Retries)
	fill(&c.Backoff, d.Backoff)
	fill(&c.PricePerGB, d.PricePerGB)
	if c.Answers == nil {
		c.Answers = NewAnswers(4)
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	return c
}

func fill[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// prefix is the literal beginning of the pattern of log group names.
func (c Config) prefix() string {
	if i := strings.IndexAny(c.Pattern, `*?[\`); i >= 0 {
		return c.Pattern[:i]
	}
	return c.Pattern
}

// Wants reports whether the log of a cluster of that name is to be read.
func (c Config) Wants(cluster string) bool {
	return c.wants(authlog.Cluster{Name: cluster}.LogGroup(), cluster)
}

// wants reports whether the log group of that cluster is to be read.
func (c Config) wants(logGroup, cluster string) bool {
	return matches(logGroup, c.Pattern) &&
		(len(c.Include) == 0 || matches(cluster, c.Include...)) &&
		!matches(cluster, c.Exclude...)
}

func matches(name string, patterns ...string) bool {
	for _, p := range patterns {
		if ok, err := path.Match(p, name); ok && err == nil {
			return true
		}
	}
	return false
}
