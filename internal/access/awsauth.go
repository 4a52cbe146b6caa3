package access

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"sync"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/access/awsauth"
)

// authState is what is known of a cluster's aws-auth.
type authState struct {
	mu       sync.Mutex
	kube     *kube
	endpoint string // that kube was made for
	ca       []byte
	answered bool               // by the last reading with kube
	settled  bool               // there was a first reading, or it failed
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
	s.answered, s.settled = true, true
	if cm != nil {
		s.seen, s.data = true, cm.data
	}
	news = first || had != s.exists || !maps.Equal(was, s.data)
	if news {
		s.report = nil
	}
	return news
}

// fail keeps the error; what was known before stays known with its time. It
// tells whether that is news.
func (s *authState) fail(err error) (news bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	news = !s.settled
	s.err, s.answered, s.settled = err, false, true
	return news
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
		s.kube, s.endpoint, s.ca, s.answered = k, endpoint, ca, false
	}
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// readAWSAuth reads aws-auth once, unless a watch keeps it current. While Run
// does, an API server that did not answer is left to it: the clusters behind
// this one would wait too.
func (r *Reader) readAWSAuth(ctx context.Context, c *cluster) {
	s := &c.auth
	if file := r.cfg.AWSAuthFiles[c.name]; file != "" {
		r.readFile(c, file)
		return
	}
	s.mu.Lock()
	k, current, answered := s.kube, s.watching && s.known && s.err == nil, s.answered
	s.mu.Unlock()
	if k == nil || current || !answered && r.running.Load() {
		return
	}
	_ = r.get(ctx, c, k) // its error is kept
}

// pending says whether the first reading of a cluster's aws-auth is under way.
func (r *Reader) pending(name string) bool {
	s := &r.cluster(name).auth
	s.mu.Lock()
	defer s.mu.Unlock()
	return r.running.Load() && s.kube != nil && !s.settled
}

// get reads aws-auth from the API server.
func (r *Reader) get(ctx context.Context, c *cluster, k *kube) error {
	cm, err := k.get(ctx)
	if err == nil {
		r.took(c, cm, k.source)
	} else if ctx.Err() == nil {
		r.lost(c, err)
	}
	return err
}

func (r *Reader) took(c *cluster, cm *configMap, source string) {
	if c.auth.set(cm, source) {
		r.log.Debug().Str("cluster", c.name).Bool("exists", cm != nil).Msg("aws-auth read")
		r.changed(c)
	}
}

func (r *Reader) lost(c *cluster, err error) {
	if c.auth.fail(err) {
		r.changed(c)
	}
}

func (r *Reader) changed(c *cluster) {
	if r.cfg.OnChange != nil {
		r.cfg.OnChange(c.name)
	}
}

func (r *Reader) readFile(c *cluster, file string) {
	src, err := os.ReadFile(file)
	if err != nil {
		r.lost(c, fmt.Errorf("read aws-auth: %w", err))
		return
	}
	r.took(c, &configMap{awsauth.Data(src)}, file)
}
