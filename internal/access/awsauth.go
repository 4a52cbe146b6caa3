package access

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"sync"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/access/awsauth"
	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// authState is what is known of a cluster's aws-auth.
type authState struct {
	mu       sync.Mutex
	kube     *kube
	endpoint string // that kube was made for
	ca       []byte
	watching bool               // a watch keeps data current
	followed bool               // somebody keeps it current, or is about to
	cancel   context.CancelFunc // of who does
	ended    bool               // the cluster is gone

	report *awsauth.Report // on data, for what was known of the cluster then
	about  about

	known  bool // data and exists are those of at
	data   map[string]string
	exists bool
	seen   bool // there was one at some time
	source string
	at     time.Time
	err    error // of the last reading
	// refused is that the watch is not allowed, which a reading does not change.
	refused error
}

// end tells who watches that the cluster is gone.
func (s *authState) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cancel != nil {
		s.cancel()
	}
	s.ended = true
}

// set takes in what was read; cm is nil where there is no aws-auth. It tells
// whether that is news.
func (s *authState) set(cm *configMap, source string) (news bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	had, was := s.exists, s.data
	first := !s.known
	s.known, s.exists, s.data, s.source, s.at, s.err = true, cm != nil, nil, source, time.Now().UTC(), nil
	if cm != nil {
		s.seen, s.data = true, cm.data
	}
	news = first || had != s.exists || !maps.Equal(was, s.data)
	if news {
		s.report = nil
	}
	return news
}

// fail keeps the error; what was known before stays known with its time.
func (s *authState) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

// connect makes the client of a cluster's API server, or a new one where the
// endpoint has changed.
func (r *Reader) connect(c *cluster, endpoint string, ca []byte) {
	s := &c.auth
	s.mu.Lock()
	defer s.mu.Unlock()
	var k *kube
	var err error
	switch {
	case r.cfg.AWSAuthFiles[c.name] != "":
	case r.cfg.InCluster == c.name && r.cfg.InCluster != "":
		if s.kube == nil {
			k, err = inCluster(cmp.Or(r.cfg.ServiceAccount, serviceAccount))
		}
	case !r.cfg.Kubernetes || endpoint == "" || s.kube != nil && s.endpoint == endpoint && bytes.Equal(s.ca, ca):
		return
	default:
		k, err = newKube(endpoint, "kubernetes", ca, func(ctx context.Context) (string, error) { return r.tokens.token(ctx, c.name) })
	}
	if err != nil {
		s.err = err // who follows goes on with the client that was
	}
	if k != nil {
		s.kube, s.endpoint, s.ca = k, endpoint, ca
	}
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// readAWSAuth reads aws-auth once, unless a watch keeps it current.
func (r *Reader) readAWSAuth(ctx context.Context, c *cluster) {
	s := &c.auth
	if file := r.cfg.AWSAuthFiles[c.name]; file != "" {
		r.readFile(c, file)
		return
	}
	s.mu.Lock()
	k, current := s.kube, s.watching && s.known && s.err == nil
	s.mu.Unlock()
	if k == nil || current {
		return
	}
	_, _ = r.get(ctx, c, k) // its error is kept
}

// get reads aws-auth from the API server and gives its resource version.
func (r *Reader) get(ctx context.Context, c *cluster, k *kube) (version string, err error) {
	cm, err := k.get(ctx)
	if err != nil {
		if ctx.Err() == nil {
			c.auth.fail(err)
		}
		return "", err
	}
	r.took(c, cm, k.source)
	if cm == nil {
		return "", nil
	}
	return cm.version, nil
}

func (r *Reader) took(c *cluster, cm *configMap, source string) {
	if c.auth.set(cm, source) {
		r.log.Debug().Str("cluster", c.name).Bool("exists", cm != nil).Msg("aws-auth read")
		if r.cfg.OnChange != nil {
			r.cfg.OnChange(c.name)
		}
	}
}

func (r *Reader) readFile(c *cluster, file string) {
	src, err := os.ReadFile(file)
	if err != nil {
		c.auth.fail(fmt.Errorf("read aws-auth: %w", err))
		return
	}
	cm := &configMap{data: awsauth.Data(src)}
	r.took(c, cm, file)
}

// Run keeps the aws-auth of every cluster that Access was asked for current
// with a watch, until ctx is done. Without it aws-auth is read whenever EKS is.
func (r *Reader) Run(ctx context.Context) error {
	var watchers sync.WaitGroup
	defer watchers.Wait()
	for {
		for _, c := range r.unfollowed() {
			watchers.Go(func() {
				ctx, cancel := context.WithCancel(ctx)
				defer cancel()
				if c.auth.begin(cancel) {
					r.follow(ctx, c)
				}
			})
		}
		select {
		case <-ctx.Done():
			return nil
		case <-r.wake:
		}
	}
}

// unfollowed gives the clusters whose aws-auth can be read and that nobody
// follows yet, and marks them.
func (r *Reader) unfollowed() []*cluster {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []*cluster
	for _, c := range r.clusters {
		c.auth.mu.Lock()
		if (c.auth.kube != nil || r.cfg.AWSAuthFiles[c.name] != "") && !c.auth.followed {
			c.auth.followed = true
			out = append(out, c)
		}
		c.auth.mu.Unlock()
	}
	return out
}

// begin keeps what ends the following; false where the cluster is gone already.
func (s *authState) begin(cancel context.CancelFunc) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cancel = cancel
	return !s.ended
}

// The pauses before a watch is opened anew: short, so that an edit is seen
// within 10 s, and long where it is a matter of permission.
const (
	pauseFirst   = 500 * time.Millisecond
	pauseMost    = 5 * time.Second
	pauseRefused = time.Minute
	filePoll     = 2 * time.Second // between two looks at a file
)

// follow reads and watches the aws-auth of one cluster until ctx is done or
// the cluster is gone.
func (r *Reader) follow(ctx context.Context, c *cluster) {
	pause := pauseFirst
	for ctx.Err() == nil {
		began := time.Now()
		err := r.followOnce(ctx, c)
		if ctx.Err() != nil {
			return
		}
		switch _, refused := errors.AsType[*authlog.AccessError](err); {
		case refused:
			pause = pauseRefused
		case err == nil || errors.Is(err, errExpired) || time.Since(began) > pauseMost:
			pause = pauseFirst
		default:
			pause = min(2*pause, pauseMost)
		}
		if err != nil {
			r.log.Debug().Err(err).Str("cluster", c.name).Dur("pause", pause).Msg("watch of aws-auth ended")
		}
		wait(ctx, pause)
	}
}

// followOnce reads aws-auth and watches it from there.
func (r *Reader) followOnce(ctx context.Context, c *cluster) error {
	if file := r.cfg.AWSAuthFiles[c.name]; file != "" {
		wait(ctx, filePoll)
		r.readFile(c, file)
		return nil
	}
	c.auth.mu.Lock()
	k := c.auth.kube
	c.auth.mu.Unlock()
	version, err := r.get(ctx, c, k)
	if err != nil {
		return err
	}
	err = k.watch(ctx, version, func() { c.auth.watch(true, nil) }, func(cm *configMap) { r.took(c, cm, k.source) })
	refused, ok := errors.AsType[*authlog.AccessError](err)
	if ok {
		c.auth.watch(false, refused)
		return err
	}
	c.auth.watch(false, nil)
	if err != nil && ctx.Err() == nil && !errors.Is(err, errExpired) {
		c.auth.fail(err)
	}
	return err
}

// watch keeps whether a watch is open, and that it may not be.
func (s *authState) watch(open bool, refused error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watching, s.refused = open, refused
}

func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
