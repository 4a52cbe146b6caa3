package access

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/rs/zerolog"
	"golang.org/x/time/rate"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// A Reader reads what the clusters of one account and region allow, and keeps
// it for a while. Its methods are safe for concurrent use.
type Reader struct {
	cfg    Config
	log    zerolog.Logger
	eks    *eks.Client
	iam    *people
	tokens *tokens
	limit  *rate.Limiter
	wake   chan struct{} // a cluster became watchable

	running atomic.Bool // Run keeps aws-auth current

	mu       sync.Mutex
	clusters map[string]*cluster
}

// New builds a Reader; it calls nothing.
func New(cfg Config, log zerolog.Logger) *Reader {
	r := &Reader{
		cfg: cfg, log: log, limit: rate.NewLimiter(rate.Limit(cfg.rate()), max(1, int(2*cfg.rate()))),
		wake: make(chan struct{}, 1), clusters: map[string]*cluster{},
	}
	tell := telling(cfg.onCall())
	r.eks = eks.NewFromConfig(cfg.AWS, func(o *eks.Options) {
		o.Retryer, o.APIOptions = retryer(), append(slices.Clone(o.APIOptions), tell)
	})
	r.iam = newPeople(iam.NewFromConfig(cfg.AWS, func(o *iam.Options) {
		o.Retryer, o.APIOptions = retryer(), append(slices.Clone(o.APIOptions), tell)
	}), r.limit, cfg)
	r.tokens = newTokens(cfg.AWS)
	return r
}

// retryer slows the calls down while AWS throttles them.
func retryer() aws.Retryer {
	return retry.NewAdaptiveMode(func(o *retry.AdaptiveModeOptions) {
		o.StandardOptions = append(o.StandardOptions, func(s *retry.StandardOptions) { s.MaxAttempts = 5 })
	})
}

// cluster is what is kept of one cluster.
type cluster struct {
	name string
	auth authState

	mu      sync.Mutex // one reading at a time
	read    *authlog.Access
	due     time.Time          // when to read again
	created time.Time          // of the cluster that is known
	ca      []byte             // PEM, of its API server
	details map[string]entryAt // by ARN with its path

	reported reports
}

// reports are the principals that were denied lately.
type reports struct {
	mu    sync.Mutex
	at    map[string]time.Time // by canonical ARN
	fresh []string             // those that no reading has looked at yet
}

// add takes in a denied principal, once within the span.
func (p *reports) add(arn string, within time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if now.Sub(p.at[arn]) < within {
		return
	}
	maps.DeleteFunc(p.at, func(_ string, at time.Time) bool { return now.Sub(at) >= within })
	p.at[arn] = now
	p.fresh = append(p.fresh, arn)
}

// take gives the new ones, once.
func (p *reports) take() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	fresh := p.fresh
	p.fresh = nil
	return fresh
}

// entryAt is an access entry with the time when its details were read; zero:
// they are to be read.
type entryAt struct {
	entry authlog.AccessEntry
	at    time.Time
}

func (r *Reader) cluster(name string) *cluster {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.clusters[name]
	if c == nil {
		c = &cluster{name: name, details: map[string]entryAt{}, reported: reports{at: map[string]time.Time{}}}
		r.clusters[name] = c
	}
	return c
}

// letGo forgets a cluster, and nobody watches it any more.
func (r *Reader) letGo(name string) {
	r.mu.Lock()
	c := r.clusters[name]
	delete(r.clusters, name)
	r.mu.Unlock()
	if c != nil {
		c.auth.end()
	}
}

// Clusters lists the names of all clusters of the account and region, in
// order. A missing permission is an *authlog.AccessError.
func (r *Reader) Clusters(ctx context.Context) ([]string, error) {
	var names []string
	pages := eks.NewListClustersPaginator(r.eks, &eks.ListClustersInput{})
	for pages.HasMorePages() {
		page, err := call(ctx, r.limit, func(ctx context.Context) (*eks.ListClustersOutput, error) { return pages.NextPage(ctx) })
		if err != nil {
			if refused(err) {
				return nil, accessError(actionListClusters, err)
			}
			return nil, fmt.Errorf("list clusters in %s: %w", r.cfg.AWS.Region, err)
		}
		names = append(names, page.Clusters...)
	}
	slices.Sort(names)
	return names, nil
}

// call waits for its turn and bounds the time of one call.
func call[T any](ctx context.Context, limit *rate.Limiter, do func(context.Context) (T, error)) (T, error) {
	if err := limit.Wait(ctx); err != nil {
		var none T
		return none, err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return do(ctx)
}

// Access gives what is known of a cluster, read anew where that is older than
// the TTL, or a call failed a while ago, or a new principal was denied. The
// details of access entries are used for six TTLs; for one where they let nobody
// do anything, or their principal was denied anew. While Run keeps aws-auth
// current nobody waits for it here. Refused and failed calls are named in it;
// the only errors are authlog.ErrNotFound, for a cluster that EKS does not have,
// and the context's. The caller must not change what it gets.
func (r *Reader) Access(ctx context.Context, name string) (*authlog.Access, error) {
	a, _, err := r.current(ctx, name)
	return a, err
}

// current is Access, and when the cluster is to be read again.
func (r *Reader) current(ctx context.Context, name string) (a *authlog.Access, due time.Time, err error) {
	c := r.cluster(name)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := r.refresh(ctx, c); err != nil {
		return nil, time.Time{}, err
	}
	return r.compose(ctx, c), c.due, nil
}

// refresh reads the cluster if that is due. c.mu is held.
func (r *Reader) refresh(ctx context.Context, c *cluster) error {
	denied := c.reported.take()
	if c.read != nil && len(denied) == 0 && time.Now().Before(c.due) {
		return nil
	}
	for _, arn := range denied {
		for entry, e := range c.details {
			if sameName(entry, arn) {
				e.at = time.Time{}
				c.details[entry] = e
			}
		}
	}
	if err := r.read(ctx, c); err != nil {
		if errors.Is(err, authlog.ErrNotFound) {
			r.letGo(c.name)
		}
		return err
	}
	r.log.Debug().Str("cluster", c.name).Int("entries", len(c.read.Entries)).Msg("access configuration read")
	return nil
}

// Denied tells that a principal (its canonical ARN) was denied on a cluster.
// The first time within the TTL the cluster is read anew by the next call of
// Access or Explain, and so are the details of the entries of that name. It
// never blocks.
func (r *Reader) Denied(name, arn string) {
	r.cluster(name).reported.add(arn, r.cfg.ttl())
}
