package api

import (
	"net/http"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// silence is how long a cluster may log nothing before we say so. EKS's own
// controllers authenticate every few minutes, so an idle cluster does not.
const silence = 30 * time.Minute

// The states of a cluster in the order in which they win: what we cannot see
// stands before what we saw.
const (
	statusPending = "pending" // the last 30 minutes have not been read (yet): nothing is known of now
	statusSilent  = "silent"  // read, but no event in the last 30 minutes: is logging on?
	statusDenials = "denials" // at least one denial in the last 24 hours
	statusOK      = "ok"      // events, and no denial in the last 24 hours
)

func status(c authlog.ClusterSummary, now time.Time) string {
	recent := now.Add(-silence)
	switch {
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

func listClusters(store Store, now func() time.Time) ask {
	return func(r *http.Request, _ query) (document, error) {
		at := now()
		found, err := store.Clusters(r.Context(), at)
		if err != nil {
			return document{}, err
		}
		return jsonDocument(clusterList{Clusters: wireClusters(found, at)}), nil
	}
}
