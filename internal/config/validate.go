package config

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"
)

var (
	regionForm  = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-[0-9]{1,2}$`)
	roleARNForm = regexp.MustCompile(`^arn:aws[a-z-]*:iam::[0-9]{12}:role/[\w+=,.@/-]+$`)
)

// validate adds a fault for each value that has the right type and cannot be.
func validate(cfg *Config, d *decoder) {
	if len(cfg.Sources) == 0 {
		d.wrong("sources", "must name at least one source; leave the key out for the AWS chain's own")
	}
	for i := range cfg.Sources {
		validateSource(&cfg.Sources[i], fmt.Sprintf("sources[%d]", i), d)
	}
	validateTail(&cfg.Tail, d)
	validateLimits(&cfg.Limits, d)
	validateAccess(&cfg.Access, d)
	validateDiagnose(&cfg.Diagnose, d)
	d.atLeast("storage.retention", cfg.Storage.Retention, 24*time.Hour)
}

func validateSource(s *Source, key string, d *decoder) {
	for i, r := range s.Regions {
		if !s.Regions.All() && !regionForm.MatchString(r) {
			d.wrong(fmt.Sprintf("%s.regions[%d]", key, i), fmt.Sprintf("%q is no region name such as eu-central-1", r))
		}
	}
	if s.RoleARN != "" && !roleARNForm.MatchString(s.RoleARN) {
		d.wrong(key+".role_arn", fmt.Sprintf("%q is no IAM role ARN such as arn:aws:iam::111122223333:role/eks-authlog", s.RoleARN))
	}
	if s.RoleARN == "" && s.ExternalID != "" {
		d.wrong(key+".external_id", "is sent with AssumeRole only: set role_arn too")
	}
	if s.RoleARN == "" && len(s.SessionTags) > 0 {
		d.wrong(key+".session_tags", "are sent with AssumeRole only: set role_arn too")
	}
	if s.LogGroup != "" {
		d.pattern(key+".log_group", s.LogGroup)
	}
	d.oneOf(key+".mode", s.Mode, "insights", "filter-log-events")
	d.oneOf(key+".index", s.Index, "auto", "stream", "data_source", "none")
	for i, p := range s.Clusters.Include {
		d.clusterPattern(fmt.Sprintf("%s.clusters.include[%d]", key, i), p)
	}
	for i, p := range s.Clusters.Exclude {
		d.clusterPattern(fmt.Sprintf("%s.clusters.exclude[%d]", key, i), p)
	}
}

func validateTail(t *Tail, d *decoder) {
	d.atLeast("tail.interval", t.Interval, time.Second)
	d.atLeast("tail.settle.min", t.Settle.Min, time.Second)
	d.atLeast("tail.settle.max", t.Settle.Max, time.Duration(t.Settle.Min))
	d.atLeast("tail.discovery", t.Discovery, time.Second)
	d.atLeast("tail.lookback", t.Lookback, time.Minute)
	d.atLeast("tail.step", t.Step, time.Minute)
	d.atLeast("tail.sweep.interval", t.Sweep.Interval, time.Second)
	for i, age := range t.Sweep.After {
		d.atLeast(fmt.Sprintf("tail.sweep.after[%d]", i), age, time.Duration(t.Settle.Max))
	}
}

func validateLimits(l *Limits, d *decoder) {
	if l.ConcurrentQueries < 1 || l.ConcurrentQueries > 100 {
		d.wrong("limits.concurrent_queries", fmt.Sprintf("%d is not within 1 and 100, AWS's quota", l.ConcurrentQueries))
	}
	d.rate("limits.start_query_rate", l.StartQueryRate, 10)
	d.rate("limits.get_results_rate", l.GetResultsRate, 10)
	d.rate("limits.describe_rate", l.DescribeRate, 10)
	if l.PricePerGB < 0 {
		d.wrong("limits.price_per_gb", fmt.Sprintf("%g is below 0", l.PricePerGB))
	}
	d.atLeast("limits.query_timeout", l.QueryTimeout, time.Second)
	if time.Duration(l.QueryTimeout) > time.Hour {
		d.wrong("limits.query_timeout", "must not be above 1h, after which CloudWatch itself gives up")
	}
}

// wrong adds a fault for the key unless it already has one. The place of a key
// that is not there is that of the mapping it should stand in.
func (d *decoder) wrong(key, text string) {
	if d.bad[key] {
		return
	}
	at, in := d.at[key], key
	for at == nil && strings.Contains(in, ".") {
		in = in[:strings.LastIndexByte(in, '.')]
		at = d.at[in]
	}
	d.faultAt(at, key, text)
}

func (d *decoder) atLeast(key string, v Duration, least time.Duration) {
	if time.Duration(v) < least {
		d.wrong(key, fmt.Sprintf("%s is below %s", v, Duration(least)))
	}
}

func (d *decoder) rate(key string, v, most float64) {
	if v <= 0 || v > most {
		d.wrong(key, fmt.Sprintf("%g a second is not above 0 and at most %g, AWS's quota", v, most))
	}
}

// oneOf accepts the empty text too, which stands for the default.
func (d *decoder) oneOf(key, v string, known ...string) {
	if v != "" && !slices.Contains(known, v) {
		d.wrong(key, fmt.Sprintf("%q is none of %s", v, strings.Join(known, ", ")))
	}
}

func (d *decoder) pattern(key, p string) {
	if _, err := path.Match(p, ""); err != nil {
		d.wrong(key, fmt.Sprintf("%q is no pattern: %v", p, err))
	}
}

// noClusterName is what neither the names of clusters have nor patterns mean
// something by; !prod and [!a] would be taken for what they are not.
var noClusterName = regexp.MustCompile(`[^][\w*?^\\-]|(?:^|[^[])\^`)

func (d *decoder) clusterPattern(key, p string) {
	d.pattern(key, p)
	if noClusterName.MatchString(p) {
		d.wrong(key, fmt.Sprintf("%q matches no cluster: a name has letters, digits, - and _ alone, and beside them only *, ?, [a-z] and [^a-z] mean something", p))
	}
}
