package access

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// kube reads one ConfigMap from one API server, and nothing else. It speaks the
// two requests itself: client-go's typed client for them would make a binary of
// 17 MB one of 42 MB.
type kube struct {
	base   string // https://host[:port]
	source string // for authlog.AWSAuth
	http   *http.Client
	bearer func(context.Context) (string, error)
}

// newKube makes a client that trusts the given certificate authority alone.
func newKube(base, source string, ca []byte, bearer func(context.Context) (string, error)) (*kube, error) {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("the API server's endpoint %q is no https address", base)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(ca) {
		return nil, errors.New("the API server's certificate authority is no PEM certificate")
	}
	transport := &http.Transport{
		Proxy:           http.ProxyFromEnvironment,
		TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true,
		TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: callTimeout, IdleConnTimeout: time.Minute,
	}
	// A redirect could carry the token elsewhere.
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return &kube{base: strings.TrimSuffix(base, "/"), source: source, http: client, bearer: bearer}, nil
}

// serviceAccount is where Kubernetes mounts the pod's own credentials.
const serviceAccount = "/var/run/secrets/kubernetes.io/serviceaccount"

// inCluster makes a client of the pod's own service account, whose token and
// certificate authority are in dir.
func inCluster(dir string) (*kube, error) {
	host, port := os.Getenv("KUBERNETES_SERVICE_HOST"), os.Getenv("KUBERNETES_SERVICE_PORT")
	if host == "" || port == "" {
		return nil, errors.New("not in a cluster: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set")
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	ca, err := os.ReadFile(filepath.Join(dir, "ca.crt"))
	if err != nil {
		return nil, fmt.Errorf("read service account: %w", err)
	}
	return newKube("https://"+host+":"+port, "in-cluster", ca, func(context.Context) (string, error) {
		token, err := os.ReadFile(filepath.Join(dir, "token")) // Kubernetes renews it
		return strings.TrimSpace(string(token)), err
	})
}

// configMap is what is read of aws-auth.
type configMap struct {
	Metadata struct {
		Name            string `json:"name"`
		ResourceVersion string `json:"resourceVersion"`
	} `json:"metadata"`
	Data map[string]string `json:"data"`
}

// status is how Kubernetes words a refusal.
type status struct {
	Message string `json:"message"`
	Reason  string `json:"reason"`
	Code    int    `json:"code"`
}

const awsAuthPath = "/api/v1/namespaces/kube-system/configmaps"

// maxObject is the largest ConfigMap that is read: twice what etcd takes.
const maxObject = 3 << 20

// errExpired says that a watch cannot go on from where it was.
var errExpired = errors.New("the resource version is too old")

// get reads aws-auth. It gives nil where there is none.
func (k *kube) get(ctx context.Context) (*configMap, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	resp, err := k.request(ctx, awsAuthPath+"/aws-auth")
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		err := refusal(resp, actionGetAWSAuth)
		if errors.Is(err, authlog.ErrNotFound) {
			return nil, nil //nolint:nilnil // there is none
		}
		return nil, err
	}
	var cm configMap
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxObject)).Decode(&cm); err != nil {
		return nil, fmt.Errorf("read aws-auth: %w", err)
	}
	return &cm, nil
}

func (k *kube) request(ctx context.Context, path string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, k.base+path, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", k.base, err)
	}
	token, err := k.bearer(ctx)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Accept", "application/json")
	resp, err := k.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask the API server: %w", err)
	}
	return resp, nil
}

// refusal words what the API server answers instead.
func refusal(resp *http.Response, action string) error {
	var s status
	_ = json.NewDecoder(io.LimitReader(resp.Body, 1<<16)).Decode(&s) // a proxy's answer is no Status
	s.Code = resp.StatusCode
	return s.err(action)
}

func (s status) err(action string) error {
	why := fmt.Errorf("HTTP status %d %s", s.Code, printable(s.Message))
	switch s.Code {
	case http.StatusUnauthorized:
		return &authlog.AccessError{Action: "sign in to Kubernetes", Resource: "the API server", Err: fmt.Errorf("%w: give the reader's role an access entry", why)}
	case http.StatusForbidden:
		return &authlog.AccessError{Action: action, Resource: "namespace kube-system", Err: why}
	case http.StatusNotFound:
		return fmt.Errorf("%w: %w", why, authlog.ErrNotFound)
	case http.StatusGone:
		return fmt.Errorf("%w: %w", why, errExpired)
	}
	return fmt.Errorf("%s: %w", action, why)
}

// watchFor is how long one watch lasts before it is opened anew.
const watchFor = 5 * time.Minute

// watch calls open once the API server has taken the request, and seen for each
// change of aws-auth after a resource version, with nil when it was deleted,
// until the API server ends the watch (nil), it fails, or ctx is done.
func (k *kube) watch(ctx context.Context, version string, open func(), seen func(*configMap)) error {
	ctx, cancel := context.WithTimeout(ctx, watchFor+callTimeout)
	defer cancel()
	q := url.Values{
		"watch": {"true"}, "allowWatchBookmarks": {"true"}, "fieldSelector": {"metadata.name=aws-auth"},
		"timeoutSeconds": {strconv.Itoa(int(watchFor.Seconds()))},
	}
	if version != "" {
		q.Set("resourceVersion", version)
	}
	resp, err := k.request(ctx, awsAuthPath+"?"+q.Encode())
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return refusal(resp, actionWatchAWSAuth)
	}
	open()
	events := json.NewDecoder(resp.Body)
	for {
		var ev struct {
			Type   string          `json:"type"`
			Object json.RawMessage `json:"object"`
		}
		if err := events.Decode(&ev); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return fmt.Errorf("watch aws-auth: %w", err)
		}
		if err := dispatch(ev.Type, ev.Object, seen); err != nil {
			return err
		}
	}
}

// dispatch hands one event on.
func dispatch(kind string, object json.RawMessage, seen func(*configMap)) error {
	switch kind {
	case "ADDED", "MODIFIED", "DELETED":
		var cm configMap
		if err := json.Unmarshal(object, &cm); err != nil {
			return fmt.Errorf("watch aws-auth: %w", err)
		}
		if cm.Metadata.Name != "aws-auth" {
			return nil
		}
		if kind == "DELETED" {
			seen(nil)
			return nil
		}
		seen(&cm)
	case "ERROR":
		var s status
		_ = json.Unmarshal(object, &s) // whatever it is, the watch is over
		return s.err(actionWatchAWSAuth)
	}
	return nil
}
