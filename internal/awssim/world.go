package awssim

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// A World is what the endpoint knows: accounts, their regions, log groups,
// streams, events, clusters, roles and keys. It may be changed while it is
// served; all methods are safe for concurrent use.
//
// Set Limits and Pace before Start.
type World struct {
	Limits Limits
	Pace   Pace

	now    func() time.Time
	faults faults
	usage  usage
	kept   resultStore

	mu       sync.RWMutex
	home     *Account
	accounts map[string]*Account
	keys     map[string]*identity // by access key id
}

// Pace is how long a query takes, by the world's clock.
type Pace struct {
	Scheduled time.Duration // from StartQuery until it runs
	Running   time.Duration // from then until it is complete
}

// NewWorld makes an empty world with AWS's default limits and queries that
// take 150 ms. now is the world's clock: it decides what is visible, how old a
// query is and what retention has removed, and it dates the answers. Session
// tokens and request rates go by real time; a signature may go by either clock,
// since the SDK signs by that of the answers it had.
func NewWorld(now func() time.Time) *World {
	return &World{
		Pace:     Pace{Scheduled: 50 * time.Millisecond, Running: 100 * time.Millisecond},
		now:      now,
		accounts: map[string]*Account{},
		keys:     map[string]*identity{},
	}
}

// Now is the world's time.
func (w *World) Now() time.Time { return w.now().UTC() }

func (w *World) nowMillis() int64 { return w.now().UnixMilli() }

// Account returns the account with that 12-digit id and makes it if there is
// none. The first account made is the home account, whose keys
// Server.Credentials gives.
func (w *World) Account(id string) *Account {
	w.mu.Lock()
	defer w.mu.Unlock()
	if a := w.accounts[id]; a != nil {
		return a
	}
	a := &Account{id: id, w: w, regions: map[string]*Region{}, roles: map[string]Role{}, users: map[string]User{}}
	for _, name := range defaultRegions() {
		a.regions[name] = newRegion(a, name)
	}
	w.accounts[id] = a
	if w.home == nil {
		w.home = a
	}
	a.user = longTermIdentity(a, "analyzer")
	w.keys[a.user.key] = a.user
	return a
}

func (w *World) homeAccount() *Account {
	w.mu.RLock()
	defer w.mu.RUnlock()
	return w.home
}

// lookup returns the account, or nil.
func (w *World) lookup(id string) *Account {
	w.mu.RLock()
	defer w.mu.RUnlock()
	return w.accounts[id]
}

func (w *World) allRegions() []*Region {
	w.mu.RLock()
	accounts := slices.Collect(maps.Values(w.accounts))
	w.mu.RUnlock()
	var all []*Region
	for _, a := range accounts {
		all = append(all, a.allRegions()...)
	}
	return all
}

// An Account holds regions, roles and one IAM user.
type Account struct {
	id   string
	w    *World
	user *identity

	mu      sync.RWMutex
	regions map[string]*Region
	roles   map[string]Role
	users   map[string]User
}

// ID is the 12 digits of the account.
func (a *Account) ID() string { return a.id }

// Region returns the region of that name. A region that must be opted in to is
// enabled by asking for it here; until then AWS knows no keys in it.
func (a *Account) Region(name string) *Region {
	a.mu.Lock()
	defer a.mu.Unlock()
	r := a.regions[name]
	if r == nil {
		r = newRegion(a, name)
		a.regions[name] = r
	}
	return r
}

// enabled returns the region, or nil if it is not enabled in the account.
func (a *Account) enabled(region string) *Region {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.regions[region]
}

func (a *Account) allRegions() []*Region {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return slices.SortedFunc(maps.Values(a.regions), func(x, y *Region) int { return strings.Compare(x.name, y.name) })
}

// A Region of one account.
type Region struct {
	account *Account
	name    string

	mu       sync.RWMutex
	groups   map[string]*LogGroup
	clusters map[string]Cluster
	sources  []string // accounts whose groups this one monitors
	queries  map[string]*query
	order    []*query // the same, oldest first
}

func newRegion(a *Account, name string) *Region {
	return &Region{
		account: a, name: name,
		groups: map[string]*LogGroup{}, clusters: map[string]Cluster{}, queries: map[string]*query{},
	}
}

// Name is the region's name, e.g. eu-central-1.
func (r *Region) Name() string { return r.name }

// Monitor makes this account a monitoring account in this region for the given
// source accounts (CloudWatch cross-account observability): it sees and
// queries their log groups of the same region, by ARN.
func (r *Region) Monitor(sourceAccounts ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sources = append(r.sources, sourceAccounts...)
}

// linked returns the same region of each source account.
func (r *Region) linked() []*Region {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var out []*Region
	for _, id := range r.sources {
		if a := r.account.w.lookup(id); a != nil {
			if s := a.enabled(r.name); s != nil {
				out = append(out, s)
			}
		}
	}
	return out
}

// CreateLogGroup makes a log group. It fails if there is one of that name.
func (r *Region) CreateLogGroup(name string, opts GroupOptions) (*LogGroup, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.groups[name] != nil {
		return nil, fmt.Errorf("log group %s exists in %s/%s", name, r.account.id, r.name)
	}
	g := newLogGroup(r, name, opts)
	r.groups[name] = g
	return g, nil
}

// DeleteLogGroup removes a log group with all its streams. Queries that were
// started keep their results.
func (r *Region) DeleteLogGroup(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.groups, name)
}

// LogGroup returns the group of that name, or nil.
func (r *Region) LogGroup(name string) *LogGroup {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.groups[name]
}

// logGroups returns the groups by name.
func (r *Region) logGroups() []*LogGroup {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return slices.SortedFunc(maps.Values(r.groups), func(x, y *LogGroup) int { return strings.Compare(x.name, y.name) })
}
