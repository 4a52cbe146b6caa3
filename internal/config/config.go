// Package config reads the files that a person writes: the configuration into
// one struct (Default, Load, and the checks), who may ask (LoadTokens), and how
// it is served (LoadWeb). A file is refused whole, with every fault named at
// once by file, line and key. It holds no secrets: AWS's own credential chain
// finds its, and tokens stand there as their hash. It must never open anything
// but the files it is given and those they name.
package config

import (
	"time"

	"github.com/dustin/go-humanize"
	"github.com/prometheus/common/model"
)

// Duration is a span of time in Prometheus's spelling: 30s, 5m, 12h, 90d.
type Duration = model.Duration

// Config is the whole configuration file.
type Config struct {
	Sources  []Source `yaml:"sources"`
	Tail     Tail     `yaml:"tail"`
	Limits   Limits   `yaml:"limits"`
	Access   Access   `yaml:"access"`
	Diagnose Diagnose `yaml:"diagnose"`
	Storage  Storage  `yaml:"storage"`
}

// A Source is one set of credentials and the regions to read with it.
type Source struct {
	// Regions to read, one reader each. Empty: the region of the AWS
	// configuration chain. all: every region that is enabled in the account.
	Regions Regions `yaml:"regions"`
	// RoleARN is assumed before reading. Empty: the chain's own credentials.
	RoleARN string `yaml:"role_arn"`
	// ExternalID and SessionTags are sent with AssumeRole.
	ExternalID  string            `yaml:"external_id"`
	SessionTags map[string]string `yaml:"session_tags"`
	// LogGroup is the pattern of the log groups' names, as path.Match has it.
	LogGroup string `yaml:"log_group"`
	// Clusters chooses among the clusters that are found.
	Clusters Clusters `yaml:"clusters"`
	// LinkedAccounts reads the accounts that share their log groups with
	// this one through CloudWatch cross-account observability.
	LinkedAccounts bool `yaml:"linked_accounts"`
	// Mode is insights, or filter-log-events for credentials that may not
	// run queries.
	Mode string `yaml:"mode"`
	// Index is how queries are kept from scanning other logs of the group:
	// auto, stream, data_source or none.
	Index string `yaml:"index"`
}

// Regions are names of regions, or all.
type Regions []string

// All reports whether every enabled region is meant.
func (r Regions) All() bool { return len(r) == 1 && r[0] == allRegions }

const allRegions = "all"

// Clusters chooses clusters by name; the patterns are those of path.Match.
type Clusters struct {
	Include []string `yaml:"include"` // empty: all
	Exclude []string `yaml:"exclude"` // wins over include
}

// Tail says how the log is followed; docs/architecture.md draws it.
type Tail struct {
	Interval  Duration `yaml:"interval"` // between two windows of one log group
	Settle    Settle   `yaml:"settle"`
	Discovery Duration `yaml:"discovery"` // between two listings of log groups
	Lookback  Duration `yaml:"lookback"`  // how much history a newly found cluster is read with
	Step      Duration `yaml:"step"`      // the longest window while catching up
	Sweep     Sweep    `yaml:"sweep"`
}

// Settle bounds how long a second is read again with every window, for lines
// that come late. Within the bounds it follows how late they were.
type Settle struct {
	Min Duration `yaml:"min"`
	Max Duration `yaml:"max"`
}

// Sweep reads every second once more for lines that came even later.
type Sweep struct {
	After    []Duration `yaml:"after"`    // the ages at which a second is read again
	Interval Duration   `yaml:"interval"` // how much is swept at a time
}

// Limits keep the reader below the quotas of the account, which dashboards and
// people use too. They hold per account and region.
type Limits struct {
	ConcurrentQueries int      `yaml:"concurrent_queries"` // of 100 (AWS quota)
	StartQueryRate    float64  `yaml:"start_query_rate"`   // a second, of 10
	GetResultsRate    float64  `yaml:"get_results_rate"`   // a second, of 10
	DescribeRate      float64  `yaml:"describe_rate"`      // a second, of 10
	QueryTimeout      Duration `yaml:"query_timeout"`      // then it is stopped and its window narrowed
	// DailyBudget is how much an account may scan a day, e.g. 20GB; windows
	// grow longer when it would be passed, and none is left out. Empty: no
	// limit.
	DailyBudget Bytes   `yaml:"daily_budget"`
	PricePerGB  float64 `yaml:"price_per_gb"` // USD for 10^9 bytes scanned, for the cost metric
}

// Bytes is an amount of data in the spelling of people: 500MB, 20GB.
type Bytes uint64

// UnmarshalText reads the spelling; decimal and binary units are known.
func (b *Bytes) UnmarshalText(text []byte) error {
	n, err := humanize.ParseBytes(string(text))
	*b = Bytes(n)
	return err
}

// Storage says where findings are kept and for how long.
type Storage struct {
	Path      string   `yaml:"path"` // of the SQLite file; empty: analyzer.db in the state directory
	Retention Duration `yaml:"retention"`
}

// Default is the configuration of a daemon without a file: the region and
// credentials of the AWS chain, every cluster in it.
func Default() *Config {
	return &Config{
		Sources: []Source{{}},
		Tail: Tail{
			Interval:  Duration(time.Minute),
			Settle:    Settle{Min: Duration(time.Minute), Max: Duration(5 * time.Minute)},
			Discovery: Duration(10 * time.Minute),
			Lookback:  Duration(24 * time.Hour),
			Step:      Duration(time.Hour),
			Sweep: Sweep{
				After:    []Duration{Duration(15 * time.Minute), Duration(2 * time.Hour)},
				Interval: Duration(10 * time.Minute),
			},
		},
		Limits: Limits{
			ConcurrentQueries: 5,
			StartQueryRate:    2,
			GetResultsRate:    5,
			DescribeRate:      5,
			QueryTimeout:      Duration(5 * time.Minute),
			PricePerGB:        0.005,
		},
		Access:   defaultAccess(),
		Diagnose: defaultDiagnose(),
		Storage:  Storage{Retention: Duration(90 * 24 * time.Hour)},
	}
}
