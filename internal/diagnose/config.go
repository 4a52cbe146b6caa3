package diagnose

import "time"

// Config are the thresholds. Each is a proposal that was not measured on real
// fleets; Default gives it.
type Config struct {
	// Keep is how long a line speaks for or against a diagnosis.
	Keep time.Duration
	// Quiet is after how long without a line a lockout of a principal counts
	// as over, although nobody was granted.
	Quiet time.Duration
	// Calm is the same for what is no lockout of a known principal: loops,
	// bad tokens, STS trouble, probes.
	Calm time.Duration
	// STSCalm is the same for sts_outage and sts_throttled_cluster.
	STSCalm time.Duration
	// Flap is the longest time between two denials that a grant in between
	// does not end a lockout for: two API servers may disagree that long.
	Flap time.Duration

	// WipeWindow is within which time of each other principals must be locked
	// out for aws_auth_wiped.
	WipeWindow time.Duration
	// WipePrincipals is how many of them that takes; WipeShare of those
	// granted in the day before are enough too, but never fewer than two.
	WipePrincipals int
	WipeShare      float64
	// WipeCause is how long before it a change of aws-auth may lie.
	WipeCause time.Duration
	// DeleteHarm is within which time after aws-auth was deleted or broken the
	// denial of one who was granted before is surely its harm.
	DeleteHarm time.Duration
	// MarkerSlack is how far apart in the log the lines of one reading of
	// aws-auth may lie.
	MarkerSlack time.Duration
	// SSOUsers is how many people must be locked out by one rotated SSO role
	// for it to be critical.
	SSOUsers int
	// Sibling is how long before a denial the same person may have been
	// granted under another role for possible_wrong_profile.
	Sibling time.Duration

	// LoopWindow, LoopDenials and LoopSpan: a principal denied LoopDenials
	// times in every LoopWindow for LoopSpan is in a loop.
	LoopWindow  time.Duration
	LoopDenials int
	LoopSpan    time.Duration
	// PeriodicDenials in PeriodicWindow whose distances differ from their mean
	// by a standard deviation of at most PeriodicJitter times the mean are one
	// client in a loop.
	PeriodicDenials int
	PeriodicWindow  time.Duration
	PeriodicJitter  float64
	// StaleTokens is how often one token must be seen for stale_token_loop.
	StaleTokens int
	// SkewTokens different tokens whose ages when first seen have a standard
	// deviation below SkewJitter are clock_skew.
	SkewTokens int
	SkewJitter time.Duration
	// BrokenTokens is how many tokens of one fault make broken_token_client.
	BrokenTokens int

	// STSWindow, STSDenials, STSShare and STSClients: so many refusals by STS
	// in the window, or that share of all events, and from so many clients.
	STSWindow  time.Duration
	STSDenials int
	STSShare   float64
	STSClients int

	// ProbeWindow, ProbeDenials and ProbeReasons: so many denials without an
	// identity, of so many reasons.
	ProbeWindow  time.Duration
	ProbeDenials int
	ProbeReasons int
	// ProbeRate times the median of ProbeHistory, and at least ProbeFloor
	// denials without an identity in ProbeWindow, are a probe too, once the
	// log is known for a day.
	ProbeRate    float64
	ProbeFloor   int
	ProbeHistory time.Duration
	// ForeignPrincipals of one untrusted account, or ForeignDenials, are
	// foreign_account_probe.
	ForeignPrincipals int
	ForeignDenials    int

	// NodeInstances is how many EC2 instances with one role make it a node's
	// role rather than that of a bastion.
	NodeInstances int
	// Gap is how long an active cluster's log may be silent.
	Gap time.Duration

	// MaxPrincipals, MaxInstances and MaxPeople bound what is kept for one
	// cluster; who was not seen longest goes first, who was never granted
	// before who was.
	MaxPrincipals int
	MaxInstances  int
	MaxPeople     int
	// Excerpt says that the findings are cut out of a log, as when someone
	// pastes some lines: what they lack proves nothing.
	Excerpt bool

	// MaxListed bounds the affected and the children that one diagnosis names;
	// their number is always whole.
	MaxListed int
}

// Default gives the proposed thresholds.
func Default() Config {
	return Config{
		Keep:  30 * 24 * time.Hour,
		Quiet: 24 * time.Hour,
		Calm:  time.Hour,

		STSCalm: 15 * time.Minute,
		Flap:    10 * time.Minute,

		WipeWindow:     10 * time.Minute,
		WipePrincipals: 3,
		WipeShare:      0.5,
		WipeCause:      5 * time.Minute,
		DeleteHarm:     10 * time.Minute,
		MarkerSlack:    10 * time.Second,
		SSOUsers:       3,
		Sibling:        24 * time.Hour,

		LoopWindow:      10 * time.Minute,
		LoopDenials:     20,
		LoopSpan:        30 * time.Minute,
		PeriodicDenials: 10,
		PeriodicWindow:  10 * time.Minute,
		PeriodicJitter:  0.25,
		StaleTokens:     3,
		SkewTokens:      3,
		SkewJitter:      time.Minute,
		BrokenTokens:    3,

		STSWindow:  5 * time.Minute,
		STSDenials: 20,
		STSShare:   0.05,
		STSClients: 3,

		ProbeWindow:       10 * time.Minute,
		ProbeDenials:      50,
		ProbeReasons:      3,
		ProbeRate:         10,
		ProbeFloor:        120,
		ProbeHistory:      7 * 24 * time.Hour,
		ForeignPrincipals: 2,
		ForeignDenials:    5,

		NodeInstances: 3,
		Gap:           30 * time.Minute,

		MaxPrincipals: 10_000,
		MaxInstances:  10_000,
		MaxPeople:     5_000,
		MaxListed:     50,
	}
}

// calm is after how long without a line a diagnosis of that code is over, for
// what is no lockout of a known principal.
func (c *Config) calm(code string) time.Duration {
	if code == "sts_outage" || code == "sts_throttled_cluster" {
		return c.STSCalm
	}
	return c.Calm
}
