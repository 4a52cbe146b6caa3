package api

import (
	"cmp"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// silence is how long a cluster may log nothing before we say so. EKS's own
// controllers authenticate every few minutes, so an idle cluster does not.
const silence = 30 * time.Minute

// The states of a cluster in the order in which they win: what we cannot see
// stands before what we saw.
const (
	statusOff     = "logging_off" // EKS says that the authenticator log is off: nothing can be known
	statusPending = "pending"     // the last 30 minutes have not been read (yet): nothing is known of now
	statusSilent  = "silent"      // read, but no event in the last 30 minutes: is logging on?
	statusDenials = "denials"     // at least one denial in the last 24 hours
	statusOK      = "ok"          // events, and no denial in the last 24 hours
)

func status(c *authlog.ClusterSummary, logging authlog.Answer, now time.Time) string {
	recent := now.Add(-silence)
	switch {
	case logging == authlog.No && c.LastEvent.Before(recent):
		return statusOff
	case c.ReadThrough.Before(recent):
		return statusPending
	case c.LastEvent.Before(recent):
		return statusSilent
	case c.Denials24h > 0:
		return statusDenials
	default:
		return statusOK
	}
}

const maxClusters = 10_000

func clusterParams() []param {
	return append([]param{{name: "filter", repeatable: true}}, listedBy()...)
}

// clusterSheet is how clusters are listed.
func clusterSheet() *sheet[cluster] {
	return &sheet[cluster]{"clusters", []column[cluster]{
		{"name", nil, func(c *cluster) any { return c.Name }},
		{"account", nil, func(c *cluster) any { return c.Account }},
		{"region", nil, func(c *cluster) any { return c.Region }},
		{"log_group", nil, func(c *cluster) any { return c.LogGroup }},
		{"last_event", nil, func(c *cluster) any { return c.LastEvent }},
		{"last_denial", nil, func(c *cluster) any { return c.LastDenial }},
		{"denials_24h", nil, func(c *cluster) any { return c.Denials24h }},
		{"principals_denied_24h", nil, func(c *cluster) any { return c.PrincipalsDenied24h }},
		{"status", nil, func(c *cluster) any { return c.Status }},
	}}
}

func listClusters(cfg *Config) ask {
	sheet := clusterSheet()
	return func(r *http.Request, q query) (document, error) {
		layout, err := sheet.layout(r, q)
		if err != nil {
			return document{}, err
		}
		part, err := q.clusters()
		if err != nil {
			return document{}, err
		}
		at := cfg.Now()
		found, err := cfg.Store.Clusters(r.Context(), at)
		if err != nil {
			return document{}, err
		}
		list := make([]cluster, 0, len(found))
		for i := range found {
			list = append(list, wireCluster(&found[i], cfg.facts(found[i].Cluster).Logging, at))
		}
		list, next := part.of(list)
		return layout.page(r, q, list, next, time.Time{}), nil
	}
}

// A clusterPart is which of all clusters a request asks for.
type clusterPart struct {
	keep    func(*cluster) bool // nil: all
	limit   int
	reverse bool
	behind  *cluster // by its key; nil: from the first
}

// clusters reads which ones a request asks for.
func (q query) clusters() (p clusterPart, err error) {
	matchers, err := q.filters([]string{"cluster", "account", "region", "status"})
	if err != nil {
		return p, err
	}
	p.keep = tried(matchers, func(c *cluster, name string) string {
		if name == "status" {
			return c.Status
		}
		return clusterLabel(c.key(), name)
	})
	ascending, err := q.order(true, "asc (by name, account and region) or desc")
	if err != nil {
		return p, err
	}
	p.reverse = !ascending
	if p.limit, err = q.count("limit", math.MaxInt, maxClusters); err != nil {
		return p, err
	}
	if token := q.get("next"); token != "" {
		parts, ok := unseal(placeOfCluster, token, 3)
		if !ok {
			return p, refuseToken()
		}
		p.behind = &cluster{Name: parts[0], Account: parts[1], Region: parts[2]}
	}
	return p, nil
}

// of takes the part out of all clusters, which are sorted.
func (p *clusterPart) of(all []cluster) (page []cluster, next string) {
	order := compareClusters
	if p.reverse {
		slices.Reverse(all)
		order = func(a, b authlog.Cluster) int { return compareClusters(b, a) }
	}
	all = slices.DeleteFunc(all, func(c cluster) bool {
		return p.behind != nil && order(c.key(), p.behind.key()) <= 0 || p.keep != nil && !p.keep(&c)
	})
	if len(all) > p.limit {
		all = all[:p.limit]
		last := all[p.limit-1].key()
		next = seal(placeOfCluster, last.Name, last.Account, last.Region)
	}
	return all, next
}

// key is which cluster it is.
func (c *cluster) key() authlog.Cluster {
	return authlog.Cluster{Name: c.Name, Account: c.Account, Region: c.Region}
}

// sortClusters puts them into the order of the store.
func sortClusters(list []authlog.ClusterSummary) {
	slices.SortFunc(list, func(a, b authlog.ClusterSummary) int { return compareClusters(a.Cluster, b.Cluster) })
}

// compareClusters is the order of the store: by name, account and region.
func compareClusters(a, b authlog.Cluster) int {
	return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Account, b.Account), strings.Compare(a.Region, b.Region))
}
