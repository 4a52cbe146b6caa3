package api

import (
	"time"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// A principalSummary is one principal on one cluster.
type principalSummary struct {
	ARN         string          `json:"arn"`
	Kind        string          `json:"kind"`
	Account     string          `json:"account"`
	AWSOwned    bool            `json:"aws_owned"` // one of EKS's own, no lockout
	Cluster     authlog.Cluster `json:"cluster"`
	FirstGrant  *time.Time      `json:"first_grant"`
	LastGrant   *time.Time      `json:"last_grant"`
	FirstDenial *time.Time      `json:"first_denial"`
	LastDenial  *time.Time      `json:"last_denial"`
	Grants      int64           `json:"grants"`
	Denials     int64           `json:"denials"`
	Reasons     []reasonTime    `json:"reasons"`
	UserIDs     []string        `json:"user_ids"`
	Sessions    []string        `json:"sessions"`
}

type reasonTime struct {
	Reason string    `json:"reason"`
	Last   time.Time `json:"last"`
}

type principalDetail struct {
	ARN      string             `json:"arn"`
	Kind     string             `json:"kind"`
	Account  string             `json:"account"`
	AWSOwned bool               `json:"aws_owned"`
	Clusters []principalSummary `json:"clusters"`
	Timeline []spell            `json:"timeline"`
	// MoreSpells is how many older ones the timeline leaves out.
	MoreSpells int       `json:"timeline_left_out"`
	Diagnoses  []lockout `json:"diagnoses"`
}

// A spell is from when to when a principal came to a cluster under one unique
// id and session, and what came of it.
type spell struct {
	Cluster authlog.Cluster `json:"cluster"`
	Outcome string          `json:"outcome"` // granted or denied
	UserID  string          `json:"user_id"`
	Session string          `json:"session"`
	Count   int64           `json:"count"`
	First   time.Time       `json:"first"`
	Last    time.Time       `json:"last"`
}

// A clusterDetail is all that is known of one cluster. null is not known.
type clusterDetail struct {
	cluster
	ReadThrough *time.Time `json:"read_through"`
	LagSeconds  *int64     `json:"lag_seconds"`
	EKSStatus   *string    `json:"eks_status"`
	Mode        *string    `json:"authentication_mode"`
	Logging     *string    `json:"authenticator_logging"`
	// EnableLogging is the command that turns the authenticator log on, where
	// it is off.
	EnableLogging *string `json:"enable_logging"`
	// AccessTier is how much of /clusters/{name}/access is known.
	AccessTier   *int      `json:"access_tier"`
	Creator      *creator  `json:"creator"`
	Insights     insights  `json:"insights"`
	OpenLockouts []lockout `json:"open_lockouts"`
}

type creator struct {
	ARN        string  `json:"arn"`
	Confidence string  `json:"confidence"`
	Source     string  `json:"source"`
	Exists     *string `json:"exists"`
	Diagnosis  string  `json:"diagnosis,omitempty"` // that found it
}

type insights struct {
	URL      string `json:"url"`
	LogGroup string `json:"log_group"`
	Query    string `json:"query"`
}
