package config

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Diagnose are the thresholds of the diagnoses. Each default is a proposal that
// was not measured on real fleets; docs/diagnoses says which diagnosis goes by
// which.
type Diagnose struct {
	Keep    Duration `yaml:"keep"`     // how long a line speaks for or against a diagnosis
	Quiet   Duration `yaml:"quiet"`    // silence after which a lockout of a principal is over
	Calm    Duration `yaml:"calm"`     // the same for loops, bad tokens, STS trouble and probes
	STSCalm Duration `yaml:"sts_calm"` // the same for sts_outage and sts_throttled_cluster
	// Flap is the longest time between two denials that a grant in between does
	// not end a lockout for: two API servers may disagree that long.
	Flap Duration `yaml:"flap"`

	// aws_auth_wiped: so many principals that were let in, or that share of
	// those let in in the day before, locked out within the window of each
	// other; a change of aws-auth so long before may be the cause.
	WipeWindow     Duration `yaml:"wipe_window"`
	WipePrincipals int      `yaml:"wipe_principals"`
	WipeShare      float64  `yaml:"wipe_share"`
	WipeCause      Duration `yaml:"wipe_cause"`
	// DeleteHarm is within which time after aws-auth was deleted or broken a
	// denial is surely its harm.
	DeleteHarm Duration `yaml:"delete_harm"`
	// MarkerSlack is how far apart the lines of one reading of aws-auth may lie.
	MarkerSlack Duration `yaml:"marker_slack"`
	// SSOUsers locked out by one rotated SSO role make it critical.
	SSOUsers int `yaml:"sso_users"`
	// Sibling is how long before a denial the same person may have been let in
	// under another role, for possible_wrong_profile.
	Sibling Duration `yaml:"sibling"`

	// denied_principal_loop: so many denials in every window for the span.
	LoopWindow  Duration `yaml:"loop_window"`
	LoopDenials int      `yaml:"loop_denials"`
	LoopSpan    Duration `yaml:"loop_span"`
	// So many denials in the window, whose distances differ from their mean by
	// a standard deviation of at most jitter times the mean, are one client in
	// a loop: stale_credentials_loop, non_iam_token_loop.
	PeriodicDenials int      `yaml:"periodic_denials"`
	PeriodicWindow  Duration `yaml:"periodic_window"`
	PeriodicJitter  float64  `yaml:"periodic_jitter"`
	// StaleTokens is how often one token must come, for stale_token_loop.
	StaleTokens int `yaml:"stale_tokens"`
	// clock_skew: so many tokens whose ages have a standard deviation below.
	SkewTokens int      `yaml:"skew_tokens"`
	SkewJitter Duration `yaml:"skew_jitter"`
	// BrokenTokens of one fault make broken_token_client.
	BrokenTokens int `yaml:"broken_tokens"`

	// sts_outage, sts_throttled_cluster: so many refusals by STS in the window,
	// or that share of all events, and from so many clients.
	STSWindow  Duration `yaml:"sts_window"`
	STSDenials int      `yaml:"sts_denials"`
	STSShare   float64  `yaml:"sts_share"`
	STSClients int      `yaml:"sts_clients"`

	// credential_probe: so many denials without an identity in the window, of
	// so many reasons; or rate times the median of the history, and at least
	// floor.
	ProbeWindow  Duration `yaml:"probe_window"`
	ProbeDenials int      `yaml:"probe_denials"`
	ProbeReasons int      `yaml:"probe_reasons"`
	ProbeRate    float64  `yaml:"probe_rate"`
	ProbeFloor   int      `yaml:"probe_floor"`
	ProbeHistory Duration `yaml:"probe_history"`
	// foreign_account_probe: so many principals of one account that is not
	// trusted, or so many denials.
	ForeignPrincipals int `yaml:"foreign_principals"`
	ForeignDenials    int `yaml:"foreign_denials"`

	// NodeInstances with one role make it a node's, rather than a bastion's.
	NodeInstances int `yaml:"node_instances"`
	// Gap is how long an active cluster's log may be silent, for log_gap.
	Gap Duration `yaml:"gap"`

	// What is kept of one cluster at most, in memory.
	MaxPrincipals int `yaml:"max_principals"`
	MaxInstances  int `yaml:"max_instances"`
	MaxPeople     int `yaml:"max_people"`
	// MaxListed is how many principals and parts one diagnosis names.
	MaxListed int `yaml:"max_listed"`
}

func defaultDiagnose() Diagnose {
	const minute = Duration(time.Minute)
	return Diagnose{
		Keep: 30 * 24 * 60 * minute, Quiet: 24 * 60 * minute, Calm: 60 * minute, STSCalm: 15 * minute, Flap: 10 * minute,
		WipeWindow: 10 * minute, WipePrincipals: 3, WipeShare: 0.5, WipeCause: 5 * minute,
		DeleteHarm: 10 * minute, MarkerSlack: minute / 6, SSOUsers: 3, Sibling: 24 * 60 * minute,
		LoopWindow: 10 * minute, LoopDenials: 20, LoopSpan: 30 * minute,
		PeriodicDenials: 10, PeriodicWindow: 10 * minute, PeriodicJitter: 0.25,
		StaleTokens: 3, SkewTokens: 3, SkewJitter: minute, BrokenTokens: 3,
		STSWindow: 5 * minute, STSDenials: 20, STSShare: 0.05, STSClients: 3,
		ProbeWindow: 10 * minute, ProbeDenials: 50, ProbeReasons: 3, ProbeRate: 10, ProbeFloor: 120, ProbeHistory: 7 * 24 * 60 * minute,
		ForeignPrincipals: 2, ForeignDenials: 5,
		NodeInstances: 3, Gap: 30 * minute,
		MaxPrincipals: 10_000, MaxInstances: 10_000, MaxPeople: 5_000, MaxListed: 50,
	}
}

// validateDiagnose holds the thresholds to what the diagnoses keep: counts by
// the minute for two hours, by ten minutes for two days.
func validateDiagnose(g *Diagnose, d *decoder) {
	const day = 24 * time.Hour
	in := func(key string, v Duration, least, most time.Duration) {
		d.atLeast("diagnose."+key, v, least)
		if time.Duration(v) > most {
			d.wrong("diagnose."+key, fmt.Sprintf("%s is above %s", v, Duration(most)))
		}
	}
	in("keep", g.Keep, max(day, time.Duration(g.Quiet)), 366*day)
	in("quiet", g.Quiet, time.Minute, 30*day)
	in("calm", g.Calm, time.Minute, day)
	in("sts_calm", g.STSCalm, time.Minute, day)
	in("flap", g.Flap, 0, day)
	in("wipe_window", g.WipeWindow, time.Minute, 2*time.Hour)
	in("wipe_cause", g.WipeCause, time.Second, 2*time.Hour)
	in("delete_harm", g.DeleteHarm, time.Second, day)
	in("marker_slack", g.MarkerSlack, 0, 10*time.Minute)
	in("sibling", g.Sibling, time.Minute, 30*day)
	in("loop_window", g.LoopWindow, 10*time.Minute, 12*time.Hour)
	in("loop_span", g.LoopSpan, time.Duration(g.LoopWindow), day)
	in("periodic_window", g.PeriodicWindow, time.Minute, 2*time.Hour)
	in("skew_jitter", g.SkewJitter, time.Second, time.Hour)
	in("sts_window", g.STSWindow, time.Minute, 2*time.Hour)
	in("probe_window", g.ProbeWindow, time.Minute, 2*time.Hour)
	in("probe_history", g.ProbeHistory, day, 30*day)
	in("gap", g.Gap, time.Minute, 30*day)
	within(d, "wipe_principals", g.WipePrincipals, 2, 1_000_000)
	within(d, "sso_users", g.SSOUsers, 1, 1_000_000)
	within(d, "loop_denials", g.LoopDenials, 1, 1_000_000)
	within(d, "periodic_denials", g.PeriodicDenials, 3, 64)
	within(d, "stale_tokens", g.StaleTokens, 2, 1_000_000)
	within(d, "skew_tokens", g.SkewTokens, 2, 128)
	within(d, "broken_tokens", g.BrokenTokens, 1, 1_000_000)
	within(d, "sts_denials", g.STSDenials, 1, 1_000_000)
	within(d, "sts_clients", g.STSClients, 1, 8)
	within(d, "probe_denials", g.ProbeDenials, 1, 1_000_000)
	within(d, "probe_reasons", g.ProbeReasons, 1, 64)
	within(d, "probe_floor", g.ProbeFloor, 1, 1_000_000)
	within(d, "foreign_principals", g.ForeignPrincipals, 1, 1_000_000)
	within(d, "foreign_denials", g.ForeignDenials, 1, 1_000_000)
	within(d, "node_instances", g.NodeInstances, 1, 1_000_000)
	within(d, "max_principals", g.MaxPrincipals, 100, 1_000_000)
	within(d, "max_instances", g.MaxInstances, 100, 1_000_000)
	within(d, "max_people", g.MaxPeople, 100, 1_000_000)
	within(d, "max_listed", g.MaxListed, 1, 1_000)
	within(d, "wipe_share", g.WipeShare, 0.01, 1)
	within(d, "sts_share", g.STSShare, 0.001, 1)
	within(d, "periodic_jitter", g.PeriodicJitter, 0.01, 1)
	within(d, "probe_rate", g.ProbeRate, 1, 1_000_000)
}

func within[N cmp.Ordered](d *decoder, key string, v, least, most N) {
	if v < least || v > most {
		d.wrong("diagnose."+key, fmt.Sprintf("%v is not within %v and %v", v, least, most))
	}
}

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }
