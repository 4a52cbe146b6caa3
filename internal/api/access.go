package api

import (
	"context"
	"net/http"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/diagnose"
)

// Access tells what is known of clusters from elsewhere than their logs. Its
// methods are quick and safe to share; what they give is not changed.
type Access interface {
	// Facts is what the diagnoses take of a cluster; none where nothing is
	// known.
	Facts(c authlog.Cluster) authlog.ClusterFacts
	// Access is what a cluster allows, as it was last read; nil: it was not.
	Access(c authlog.Cluster) *authlog.Access
	// Clusters lists those that EKS has in a shard, of the zero Shard in all;
	// some may have no log.
	Clusters(s authlog.Shard) []authlog.Cluster
}

// withUnread is a store that knows of the clusters without a log too.
type withUnread struct {
	Store
	access Access
}

// Clusters lists them behind those that were read.
func (s withUnread) Clusters(ctx context.Context, now time.Time) ([]authlog.ClusterSummary, error) {
	found, err := s.Store.Clusters(ctx, now)
	if err != nil || s.access == nil {
		return found, err
	}
	read := map[authlog.Cluster]bool{}
	for i := range found {
		read[found[i].Cluster] = true
	}
	for _, c := range s.access.Clusters(authlog.Shard{}) {
		if !read[c] {
			found = append(found, authlog.ClusterSummary{Cluster: c})
		}
	}
	sortClusters(found)
	return found, nil
}

func (cfg *Config) facts(c authlog.Cluster) authlog.ClusterFacts {
	if cfg.Access == nil {
		return authlog.ClusterFacts{}
	}
	return cfg.Access.Facts(c)
}

// named finds the one cluster that a request is about.
func (cfg *Config) named(r *http.Request, q query, name string) (authlog.ClusterSummary, error) {
	if err := q.accountAndRegion(); err != nil {
		return authlog.ClusterSummary{}, err
	}
	want := authlog.Cluster{Name: name, Account: q.get("account"), Region: q.get("region")}
	return oneCluster(r.Context(), cfg.Store, cfg.Now(), want)
}

// ofCluster is a route about the cluster that the path names.
func ofCluster(cfg *Config, show func(context.Context, authlog.ClusterSummary) (document, error)) ask {
	return func(r *http.Request, q query) (document, error) {
		name, err := clusterName(r)
		if err != nil {
			return document{}, err
		}
		c, err := cfg.named(r, q, name)
		if err != nil {
			return document{}, err
		}
		return show(r.Context(), c)
	}
}

// showAccess tells what a cluster allows.
func showAccess(cfg *Config) ask {
	return ofCluster(cfg, func(_ context.Context, c authlog.ClusterSummary) (document, error) {
		a := (*authlog.Access)(nil)
		if cfg.Access != nil {
			a = cfg.Access.Access(c.Cluster)
		}
		if a == nil {
			facts := cfg.facts(c.Cluster)
			a = &authlog.Access{
				Cluster: c.Cluster, Status: facts.Status, Entries: []authlog.AccessEntry{}, Missing: []authlog.MissingPermission{},
				Problems: []string{notRead(facts.Status)}, Broken: []authlog.AccessFault{},
			}
		}
		return jsonDocument(a), nil
	})
}

// notRead says why nothing is known of what a cluster allows.
func notRead(status string) string {
	if status != "" {
		return "EKS does not have this cluster any more"
	}
	return "not read: not yet, or its account and region are not among the sources, or access.tier is 0"
}

// loggingCommand is what turns the authenticator log of a cluster on, where it
// is known to be off.
func loggingCommand(c authlog.Cluster, f *authlog.ClusterFacts) *string {
	if f.Logging != authlog.No {
		return nil
	}
	return new(diagnose.EnableLogging(c))
}

// maxCreatorLines is how many lines tell of a creator.
const maxCreatorLines = 50

// showCreator answers the question of AWS's article: who is let in as
// kubernetes-admin.
func showCreator(cfg *Config) ask {
	return ofCluster(cfg, func(ctx context.Context, c authlog.ClusterSummary) (document, error) {
		facts := cfg.facts(c.Cluster)
		who, err := creatorOf(ctx, cfg.Store, c.Cluster, &facts.Creator)
		if err != nil {
			return document{}, err
		}
		lines, err := cfg.Store.Samples(ctx, c.Cluster, authlog.SampleCreator, maxCreatorLines)
		if err != nil {
			return document{}, err
		}
		doc := creatorDoc{
			Cluster: c.Cluster, Creator: who, LogGroup: c.Cluster.LogGroup(), Query: diagnose.CreatorQuery, Lines: []rawLine{},
		}
		for i := range lines {
			doc.Lines = append(doc.Lines, wireLine(&lines[i]))
		}
		return jsonDocument(doc), nil
	})
}

type creatorDoc struct {
	Cluster  authlog.Cluster `json:"cluster"`
	Creator  *creator        `json:"creator"`
	LogGroup string          `json:"log_group"`
	Query    string          `json:"query"`
	Lines    []rawLine       `json:"lines"` // the newest first
}

// A rawLine is a line as the log has it.
type rawLine struct {
	ID     string    `json:"id"`
	Time   time.Time `json:"time"`
	Raw    string    `json:"raw"`                  // bytes that are no UTF-8 replaced
	Base64 []byte    `json:"raw_base64,omitempty"` // the very bytes, where raw has not all of them
}

func wireLine(s *authlog.Sample) rawLine {
	l := rawLine{ID: s.ID.String(), Time: s.Time.UTC(), Raw: authlog.Sanitize(s.Raw)}
	if l.Raw != s.Raw {
		l.Base64 = []byte(s.Raw)
	}
	return l
}
