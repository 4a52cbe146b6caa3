package access

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// A Meter shows what is known of the clusters. Its methods are quick and safe
// to share.
type Meter interface {
	// Read tells that a cluster was read, at which tier, and whether its
	// authenticator log is on: yes, no, or "" where that is not known.
	Read(name, account, region string, tier int, logging string)
	// Gone tells that EKS does not have a cluster any more.
	Gone(name, account, region string)
	// Missing tells whether calls of an action are refused.
	Missing(account, region, action string, missing bool)
}

// A Keeper keeps what the readers of any number of accounts and regions learn,
// so that others can have it without waiting: what each cluster allows, and
// what that says of the principals that somebody asks about. Its methods are
// safe for concurrent use.
type Keeper struct {
	meter   Meter
	trusted []string
	log     zerolog.Logger

	mu       sync.RWMutex
	shards   map[authlog.Shard]*follower
	left     map[authlog.Shard]time.Time // when nobody followed them any more
	clusters map[authlog.Cluster]*kept
}

// kept is what a Keeper has of one cluster. What the pointers lead to is never
// changed.
type kept struct {
	access *authlog.Access // nil: not read yet
	facts  authlog.ClusterFacts
	listed bool // by EKS
	gone   bool // EKS did not have it when it was asked

	asked   map[string]authlog.Asked // by canonical ARN
	askedAt time.Time                // zero: never
	waits   bool                     // somebody does, for what is asked
	looked  time.Time                // zero: never
	hasty   time.Time                // when it was last looked at for what was asked
	due     time.Time                // when to look again
}

// NewKeeper builds a Keeper of nothing. Trusted are accounts whose principals
// may be let in, besides each cluster's own.
func NewKeeper(trusted []string, m Meter, log zerolog.Logger) *Keeper {
	return &Keeper{
		meter: m, trusted: slices.Clone(trusted), log: log,
		shards: map[authlog.Shard]*follower{}, left: map[authlog.Shard]time.Time{}, clusters: map[authlog.Cluster]*kept{},
	}
}

// Trust changes the accounts whose principals may be let in, from the next
// reading of each cluster on.
func (k *Keeper) Trust(accounts []string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.trusted = slices.Clone(accounts)
}

// Facts is what the diagnoses take of a cluster. The caller must not change
// what it gets.
func (k *Keeper) Facts(c authlog.Cluster) authlog.ClusterFacts {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if known := k.clusters[c]; known != nil && known.looked != (time.Time{}) && k.holds(shardOf(c)) {
		return known.facts
	}
	return authlog.ClusterFacts{Trusted: k.trusted}
}

// grace is how long what was read of a shard holds when nobody follows it any
// more: as long as it takes to begin anew with another configuration.
const grace = time.Minute

// holds reports whether a shard is followed, or will be again. k.mu is held.
func (k *Keeper) holds(s authlog.Shard) bool {
	left, ok := k.left[s]
	return !ok || time.Since(left) < grace
}

// Access is what was last read of a cluster, or nil. The caller must not change
// it.
func (k *Keeper) Access(c authlog.Cluster) *authlog.Access {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if known := k.clusters[c]; known != nil && k.holds(shardOf(c)) {
		return known.access
	}
	return nil
}

// Clusters lists the clusters that EKS has in a shard, those without a log
// among them; of the zero Shard it lists all.
func (k *Keeper) Clusters(s authlog.Shard) []authlog.Cluster {
	k.mu.RLock()
	defer k.mu.RUnlock()
	var list []authlog.Cluster
	for c, known := range k.clusters {
		if known.listed && k.holds(shardOf(c)) && (s == (authlog.Shard{}) || s == shardOf(c)) {
			list = append(list, c)
		}
	}
	return list
}

func shardOf(c authlog.Cluster) authlog.Shard {
	return authlog.Shard{Account: c.Account, Region: c.Region}
}

// maxAsked is about how many principals of one cluster one may ask: each may
// take a call to IAM.
const maxAsked = 200

// Ask says that somebody follows a cluster and which principals it keeps out
// now; they replace those of before. A new one makes the cluster be read anew.
// A cluster that EKS does not list is kept for six TTLs after that. It never
// blocks; Facts has the answers when they are there.
func (k *Keeper) Ask(c authlog.Cluster, who []authlog.Asked) {
	k.mu.Lock()
	defer k.mu.Unlock()
	known, old := k.clusters[c]
	if !old {
		known = k.cluster(c)
	}
	known.askedAt = time.Now()
	asked := make(map[string]authlog.Asked, len(who))
	for _, a := range who[:min(len(who), maxAsked)] {
		asked[a.Principal.ARN] = a
	}
	news := !old
	for arn, a := range asked {
		was, ok := known.asked[arn]
		// Who is let in by what was read is not to be denied again.
		news = news || !ok || !was.Denied.Equal(a.Denied) && known.facts.Principals[arn].Mapped != ""
	}
	if known.asked = asked; news {
		k.soon(c, known)
	}
}

// gap is the least time between two looks at one cluster because of what its log
// says: whoever has AWS credentials can make it deny new principals.
const gap = 15 * time.Second

// soon makes a cluster be looked at as soon as may be; one that is gone has no
// answers. k.mu is held.
func (k *Keeper) soon(c authlog.Cluster, known *kept) {
	if known.gone {
		return
	}
	known.waits = len(known.asked) > 0
	known.due = authlog.Earliest(known.due, authlog.Latest(time.Now(), known.hasty.Add(gap)))
	if f := k.shards[shardOf(c)]; f != nil {
		f.nudge()
	}
}

// cluster is that of the name, made where there is none. k.mu is held.
func (k *Keeper) cluster(c authlog.Cluster) *kept {
	known := k.clusters[c]
	if known == nil {
		known = &kept{due: time.Now()}
		k.clusters[c] = known
	}
	return known
}

// Follow keeps the clusters of one account and region current until ctx is
// done: those that EKS lists and want chooses by name, and those that were
// asked about. Config.TTL is how often each is read, and six times that how
// often one is asked for again that EKS neither has nor lists. It returns at once
// when the account and region are followed already.
func (k *Keeper) Follow(ctx context.Context, cfg Config, want func(cluster string) bool) error {
	f := &follower{
		k: k, shard: authlog.Shard{Account: cfg.Account, Region: cfg.AWS.Region}, cfg: cfg, want: want,
		wake: make(chan struct{}, 1), missing: map[string]bool{},
	}
	cfg.OnChange = f.changed
	f.log = k.log.With().Str("shard", f.shard.String()).Logger()
	f.r = New(cfg, f.log)
	f.r.running.Store(true) // so that the first look waits for no API server either
	if !k.begin(f) {
		return nil
	}
	defer k.end(f)
	var watch sync.WaitGroup
	defer watch.Wait()
	watch.Go(func() { _ = f.r.Run(ctx) }) // it returns nil when ctx is done, and nothing else
	f.run(ctx)
	return nil
}

func (k *Keeper) begin(f *follower) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.shards[f.shard] != nil {
		return false
	}
	k.shards[f.shard] = f
	delete(k.left, f.shard)
	for _, known := range f.own() { // by another configuration, perhaps
		known.due, known.gone = time.Now(), false
	}
	return true
}

func (k *Keeper) end(f *follower) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.shards, f.shard)
	k.left[f.shard] = time.Now()
	for c := range f.own() {
		k.meter.Gone(c.Name, c.Account, c.Region)
	}
	for action := range f.missing {
		k.meter.Missing(f.shard.Account, f.shard.Region, action, false)
	}
}
