package api

import (
	"time"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/rules"
)

// What goes over the wire. Names and meanings are the API: a field may be
// added, none changes. Times are RFC 3339 in UTC; null says "none yet".

type cluster struct {
	Name                string     `json:"name"`
	Account             string     `json:"account"`
	Region              string     `json:"region"`
	LogGroup            string     `json:"log_group"`
	LastEvent           *time.Time `json:"last_event"`
	LastDenial          *time.Time `json:"last_denial"`
	Denials24h          int64      `json:"denials_24h"`
	PrincipalsDenied24h int64      `json:"principals_denied_24h"`
	Status              string     `json:"status"` // see the status constants
}

type denial struct {
	ID          string     `json:"id"`
	Time        time.Time  `json:"time"`
	Cluster     string     `json:"cluster"`
	Account     string     `json:"account"` // of the cluster
	Region      string     `json:"region"`
	Reason      string     `json:"reason"`
	Layer       string     `json:"layer"`
	Error       string     `json:"error"` // the log's words; not to be trusted
	Principal   *principal `json:"principal"`
	Client      string     `json:"client"`
	STSEndpoint string     `json:"sts_endpoint"`
	WhoActs     string     `json:"who_acts"`
	Retryable   string     `json:"retryable"`
	Summary     string     `json:"summary"`
	Docs        []string   `json:"docs"`
}

type principal struct {
	ARN     string `json:"arn"`
	Kind    string `json:"kind"`
	Account string `json:"account"`
	Session string `json:"session"`
}

type reasonList struct {
	Reasons []reason `json:"reasons"`
}

type reason struct {
	Code          string   `json:"code"`
	Layer         string   `json:"layer"`
	Summary       string   `json:"summary"`
	Cause         string   `json:"cause"`
	Signature     string   `json:"signature"`
	Versions      string   `json:"versions"`
	IdentityKnown bool     `json:"identity_known"`
	WhoActs       string   `json:"who_acts"`
	Retryable     string   `json:"retryable"`
	RetryNote     string   `json:"retry_note"`
	Suspicion     string   `json:"suspicion"`
	SuspicionNote string   `json:"suspicion_note"`
	Remedy        []step   `json:"remedy"`
	Docs          []string `json:"docs"`
}

type step struct {
	Who     string `json:"who"`
	Do      string `json:"do"`
	Command string `json:"command"`
}

type healthyDoc struct {
	Healthy bool `json:"healthy"`
}

type reloadedDoc struct {
	Reloaded bool `json:"reloaded"`
}

type readyDoc struct {
	Ready  bool    `json:"ready"`
	Shards []shard `json:"shards"`
}

type shard struct {
	Shard       string     `json:"shard"`
	Ready       bool       `json:"ready"`
	Error       string     `json:"error"` // why the last attempt failed, or ""
	ReadThrough *time.Time `json:"read_through"`
}

// A streamNotice tells a reader of the stream about the stream itself.
type streamNotice struct {
	Reason      string `json:"reason"`
	Detail      string `json:"detail"`
	LastEventID string `json:"last_event_id,omitempty"` // to resume from
}

type problem struct {
	Type      string `json:"type"`
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Detail    string `json:"detail"`
	Instance  string `json:"instance"`
	Parameter string `json:"parameter,omitempty"`
}

type problemTypeDoc struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Help   string `json:"help"`
}

func wireCluster(c *authlog.ClusterSummary, logging authlog.Answer, now time.Time) cluster {
	return cluster{
		Name: c.Cluster.Name, Account: c.Cluster.Account, Region: c.Cluster.Region,
		LogGroup:  c.Cluster.LogGroup(),
		LastEvent: orNull(c.LastEvent), LastDenial: orNull(c.LastDenial),
		Denials24h: c.Denials24h, PrincipalsDenied24h: c.PrincipalsDenied24h,
		Status: status(c, logging, now),
	}
}

func wireDenials(found []authlog.Denial) []denial {
	out := make([]denial, 0, len(found))
	for i := range found {
		out = append(out, wireDenial(&found[i]))
	}
	return out
}

// wireDenial adds what the catalogue knows of the reason. A code that a later
// version stored and this one does not know is shown without.
func wireDenial(d *authlog.Denial) denial {
	known, _ := rules.ByCode(d.Reason)
	return denial{
		ID: d.ID.String(), Time: d.Time.UTC(),
		Cluster: d.Cluster.Name, Account: d.Cluster.Account, Region: d.Cluster.Region,
		Reason: d.Reason, Layer: string(known.Layer), Error: d.Error,
		Principal: wirePrincipal(d.Principal), Client: d.Client, STSEndpoint: d.STSEndpoint,
		WhoActs: string(known.WhoActs), Retryable: string(known.Retryable),
		Summary: known.Summary, Docs: orEmpty(known.Docs),
	}
}

func wirePrincipal(p *authlog.Principal) *principal {
	if p == nil {
		return nil
	}
	return &principal{ARN: p.ARN, Kind: string(p.Kind), Account: p.Account, Session: p.Session}
}

func wireReason(r *rules.Reason) reason {
	remedy := make([]step, 0, len(r.Remedy))
	for _, s := range r.Remedy {
		remedy = append(remedy, step{Who: string(s.Who), Do: s.Do, Command: s.Command})
	}
	return reason{
		Code: r.Code, Layer: string(r.Layer), Summary: r.Summary, Cause: r.Cause,
		Signature: r.Signature, Versions: r.Versions, IdentityKnown: r.IdentityKnown,
		WhoActs: string(r.WhoActs), Retryable: string(r.Retryable), RetryNote: r.RetryNote,
		Suspicion: string(r.Suspicion), SuspicionNote: r.SuspicionNote,
		Remedy: remedy, Docs: orEmpty(r.Docs),
	}
}

func wireShards(shards []authlog.ShardStatus) []shard {
	out := make([]shard, 0, len(shards))
	for _, s := range shards {
		out = append(out, shard{Shard: s.Shard, Ready: s.Ready, Error: s.Error, ReadThrough: orNull(s.ReadThrough)})
	}
	return out
}

func orNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// orEmpty makes a list that is written as [] and never as null.
func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}
