// Package accesstest is a Kubernetes API server on loopback that knows one
// ConfigMap, for the tests of those who read aws-auth. It is stricter than a
// real one: it takes only bearer tokens of EKS, whose signature it checks, and
// only the two requests that a reader needs.
package accesstest

import (
	"context"
	"crypto/hmac"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// An APIServer serves kube-system/aws-auth over TLS.
type APIServer struct {
	cluster string
	creds   aws.Credentials
	server  *httptest.Server

	mu       sync.Mutex
	version  int               // of the last change of anything
	wrote    int               // that of aws-auth
	oldest   int               // what was before it is forgotten
	expired  int               // how often running watches were told so
	bookmark int               // the version of the last bookmark
	data     map[string]string // nil: there is no aws-auth
	existed  map[int]bool      // by version: whether there was an aws-auth then
	sent     map[string]int    // events by type
	watches  int               // that run
	forbid   map[string]bool   // verbs
	unknown  bool              // no token is known
	static   string            // a service account's token, taken as it is
	changed  chan struct{}     // closed at each change
	requests map[string]int    // by verb, the refused ones too
	before   map[string]func() // by verb: called when a request comes
	refusals []string          // why tokens were not taken
}

// Start serves an aws-auth with that data (nil: none) for a cluster, to whoever
// signs with the credentials. Close ends it.
func Start(cluster string, creds aws.Credentials, data map[string]string) *APIServer {
	s := &APIServer{
		cluster: cluster, creds: creds, version: 100, wrote: 100, oldest: 100, data: data, existed: map[int]bool{100: data != nil},
		forbid: map[string]bool{}, changed: make(chan struct{}), requests: map[string]int{}, before: map[string]func(){}, sent: map[string]int{},
	}
	s.server = httptest.NewTLSServer(http.HandlerFunc(s.serve))
	return s
}

// URL is the endpoint, as eks:DescribeCluster gives it.
func (s *APIServer) URL() string { return s.server.URL }

// CA is the certificate authority, PEM.
func (s *APIServer) CA() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.server.Certificate().Raw})
}

// Close ends all requests.
func (s *APIServer) Close() {
	s.server.CloseClientConnections()
	s.server.Close()
}

// Set writes aws-auth; nil deletes it.
func (s *APIServer) Set(data map[string]string) {
	s.change(func() { s.write(data) })
}

// write is a change of aws-auth. s.mu is held.
func (s *APIServer) write(data map[string]string) {
	s.data, s.wrote = data, s.version
}

// Compact forgets what was before now: no watch begins there any more, not even
// at the version of an aws-auth that was written before.
func (s *APIServer) Compact() {
	s.change(func() { s.oldest = s.version })
}

// Expire writes aws-auth, and ends the running watches with the error that they
// were too slow to be told.
func (s *APIServer) Expire(data map[string]string) {
	s.change(func() {
		s.write(data)
		s.expired++
	})
}

// Bookmark sends one to the running watches that asked for them.
func (s *APIServer) Bookmark() {
	s.change(func() { s.bookmark = s.version })
}

// Forbid makes RBAC refuse a verb (get or watch), or no longer.
func (s *APIServer) Forbid(verb string, on bool) {
	s.change(func() { s.forbid[verb] = on })
}

// Unknown makes the server know no token, or all again.
func (s *APIServer) Unknown(on bool) {
	s.change(func() { s.unknown = on })
}

// Before calls do whenever a request of a verb has come, before it is answered.
func (s *APIServer) Before(verb string, do func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before[verb] = do
}

// Take makes the server take a service account's token too.
func (s *APIServer) Take(token string) {
	s.change(func() { s.static = token })
}

// Drop closes all connections, running watches among them.
func (s *APIServer) Drop() { s.server.CloseClientConnections() }

// Requests counts the requests of a verb.
func (s *APIServer) Requests(verb string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests[verb]
}

// Watches counts the running watches.
func (s *APIServer) Watches() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.watches
}

// Sent counts the events of a type, ADDED to ERROR, over all watches.
func (s *APIServer) Sent(kind string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sent[kind]
}

// Refusals are the reasons why tokens were not taken.
func (s *APIServer) Refusals() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.refusals)
}

func (s *APIServer) change(do func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.version++
	do()
	s.existed[s.version] = s.data != nil
	close(s.changed)
	s.changed = make(chan struct{})
}

const path = "/api/v1/namespaces/kube-system/configmaps"

func (s *APIServer) serve(w http.ResponseWriter, r *http.Request) {
	verb := ""
	switch q := r.URL.Query(); {
	case r.Method == http.MethodGet && r.URL.Path == path+"/aws-auth" && r.URL.RawQuery == "":
		verb = "get"
	case r.Method == http.MethodGet && r.URL.Path == path && q.Get("watch") == "true" && q.Get("fieldSelector") == "metadata.name=aws-auth":
		verb = "watch"
	}
	s.mu.Lock()
	s.requests[verb]++
	unknown, forbidden, static, before := s.unknown, s.forbid[verb], s.static, s.before[verb]
	s.mu.Unlock()
	if before != nil {
		before()
	}
	err := s.authenticate(r)
	if static != "" && r.Header.Get("Authorization") == "Bearer "+static {
		err = nil
	}
	if err != nil || unknown {
		if err != nil {
			s.mu.Lock()
			s.refusals = append(s.refusals, err.Error())
			s.mu.Unlock()
		}
		refuse(w, http.StatusUnauthorized, "Unauthorized", "Unauthorized")
		return
	}
	switch {
	case verb == "" || forbidden:
		refuse(w, http.StatusForbidden, "Forbidden", fmt.Sprintf(
			`configmaps "aws-auth" is forbidden: User "eks-authlog" cannot %s resource "configmaps" in API group "" in the namespace "kube-system"`, verb))
	case verb == "get":
		s.get(w)
	default:
		s.watch(w, r)
	}
}

func refuse(w http.ResponseWriter, code int, reason, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(statusOf(code, reason, message)) // a caller that left needs no answer
}

func statusOf(code int, reason, message string) map[string]any {
	return map[string]any{"kind": "Status", "apiVersion": "v1", "metadata": map[string]any{}, "status": "Failure", "message": message, "reason": reason, "code": code}
}

// object is aws-auth as it is now. s.mu is held.
func (s *APIServer) object() map[string]any {
	return map[string]any{
		"kind": "ConfigMap", "apiVersion": "v1", "data": s.data,
		"metadata": map[string]any{"name": "aws-auth", "namespace": "kube-system", "resourceVersion": strconv.Itoa(s.wrote)},
	}
}

func (s *APIServer) get(w http.ResponseWriter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.data == nil {
		refuse(w, http.StatusNotFound, "NotFound", `configmaps "aws-auth" not found`)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(s.object()) // a caller that left needs no answer
}

// watch writes an event for each change after the caller's version.
func (s *APIServer) watch(w http.ResponseWriter, r *http.Request) {
	from, exact := s.from(r)
	s.mu.Lock()
	v := &watcher{from: from, had: exact && s.existed[from], bookmark: s.bookmark, expired: s.expired, bookmarks: r.URL.Query().Get("allowWatchBookmarks") == "true"}
	gone := exact && from < s.oldest
	s.watches++
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.watches--
		s.mu.Unlock()
	}()
	if gone {
		refuse(w, http.StatusGone, "Expired", "too old resource version: "+strconv.Itoa(from))
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), time.Minute)
	defer cancel()
	w.Header().Set("Content-Type", "application/json")
	flush := http.NewResponseController(w)
	_ = flush.Flush()
	out := json.NewEncoder(w)
	for {
		s.mu.Lock()
		kind, object := s.event(v)
		next := s.changed
		s.mu.Unlock()
		if kind != "" {
			if out.Encode(map[string]any{"type": kind, "object": object}) != nil || flush.Flush() != nil || kind == "ERROR" {
				return
			}
		}
		select {
		case <-next:
		case <-ctx.Done():
			return
		}
	}
}

// watcher is what one watch was told.
type watcher struct {
	from, bookmark, expired int
	had                     bool // there was an aws-auth
	bookmarks               bool // it wants them
}

// event is what a watch is to be told next; kind is empty for nothing. s.mu is
// held.
func (s *APIServer) event(v *watcher) (kind string, object map[string]any) {
	object = s.object()
	switch {
	case s.expired > v.expired:
		kind, object = "ERROR", statusOf(http.StatusGone, "Expired", "the watch fell behind")
	case s.wrote > v.from && s.data != nil && v.had:
		kind = "MODIFIED"
	case s.wrote > v.from && s.data != nil:
		kind = "ADDED"
	case s.wrote > v.from && v.had:
		kind = "DELETED"
	case s.bookmark > v.bookmark && v.bookmarks:
		kind, object = "BOOKMARK", map[string]any{
			"kind": "ConfigMap", "apiVersion": "v1",
			"metadata": map[string]any{"resourceVersion": strconv.Itoa(s.version), "creationTimestamp": nil},
		}
	}
	v.had, v.from, v.bookmark = s.data != nil, s.version, s.bookmark
	s.sent[kind]++
	return kind, object
}

// from is the version that the caller has; without one it is told what there is.
func (s *APIServer) from(r *http.Request) (version int, exact bool) {
	version, err := strconv.Atoi(r.URL.Query().Get("resourceVersion"))
	return version, err == nil
}

// authenticate checks a bearer token as the authenticator of an EKS cluster
// does, and the signature as STS does.
func (s *APIServer) authenticate(r *http.Request) error {
	bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer k8s-aws-v1.")
	if !ok {
		return errors.New("no token of EKS")
	}
	raw, err := base64.RawURLEncoding.DecodeString(bearer)
	if err != nil {
		return fmt.Errorf("the token is no base64url without padding: %w", err)
	}
	u, err := url.Parse(string(raw))
	if err != nil {
		return fmt.Errorf("the token is no URL: %w", err)
	}
	q := u.Query()
	if u.Path != "/" || q.Get("Action") != "GetCallerIdentity" || q.Get("Version") != "2011-06-15" {
		return fmt.Errorf("the token is no GetCallerIdentity: %s", u.Redacted())
	}
	allowed := []string{"Action", "Version", "X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-Security-Token", "X-Amz-Signature", "X-Amz-SignedHeaders"}
	for key, values := range q {
		if !slices.Contains(allowed, key) || len(values) != 1 {
			return fmt.Errorf("the token has the parameter %q %d times", key, len(values))
		}
	}
	if !slices.Contains(strings.Split(q.Get("X-Amz-SignedHeaders"), ";"), "x-k8s-aws-id") {
		return errors.New("x-k8s-aws-id is not signed")
	}
	if n, err := strconv.Atoi(q.Get("X-Amz-Expires")); err != nil || n < 0 || n > 900 {
		return fmt.Errorf("X-Amz-Expires is %q", q.Get("X-Amz-Expires"))
	}
	at, err := time.Parse("20060102T150405Z", q.Get("X-Amz-Date"))
	if err != nil || time.Since(at) > 15*time.Minute {
		return fmt.Errorf("X-Amz-Date is %q", q.Get("X-Amz-Date"))
	}
	return s.verify(r.Context(), u, q, at)
}

// verify signs the same request and compares.
func (s *APIServer) verify(ctx context.Context, u *url.URL, q url.Values, at time.Time) error {
	want := url.Values{"Action": q["Action"], "Version": q["Version"], "X-Amz-Expires": q["X-Amz-Expires"]}
	again := *u
	again.RawQuery = want.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, again.String(), http.NoBody)
	if err != nil {
		return err
	}
	req.Header.Set("X-K8s-Aws-Id", s.cluster)
	scope := strings.Split(q.Get("X-Amz-Credential"), "/")
	if len(scope) != 5 || scope[3] != "sts" {
		return fmt.Errorf("X-Amz-Credential is %q", q.Get("X-Amz-Credential"))
	}
	const emptyBody = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	signed, _, err := v4.NewSigner().PresignHTTP(ctx, s.creds, req, emptyBody, "sts", scope[2], at)
	if err != nil {
		return err
	}
	v, err := url.Parse(signed)
	if err != nil {
		return err
	}
	if !hmac.Equal([]byte(v.Query().Get("X-Amz-Signature")), []byte(q.Get("X-Amz-Signature"))) {
		return fmt.Errorf("the signature is not that of cluster %s", s.cluster)
	}
	return nil
}
