package api

import (
	"cmp"
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

func listClusters(cfg *Config) ask {
	return func(r *http.Request, _ query) (document, error) {
		at := cfg.Now()
		found, err := cfg.Store.Clusters(r.Context(), at)
		if err != nil {
			return document{}, err
		}
		list := clusterList{Clusters: make([]cluster, 0, len(found))}
		for i := range found {
			list.Clusters = append(list.Clusters, wireCluster(&found[i], cfg.facts(found[i].Cluster).Logging, at))
		}
		return jsonDocument(list), nil
	}
}

// sortClusters puts them into the order of the store: by name, account and
// region.
func sortClusters(list []authlog.ClusterSummary) {
	slices.SortFunc(list, func(a, b authlog.ClusterSummary) int {
		return cmp.Or(strings.Compare(a.Cluster.Name, b.Cluster.Name), strings.Compare(a.Cluster.Account, b.Cluster.Account),
			strings.Compare(a.Cluster.Region, b.Cluster.Region))
	})
}
