package access

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// kube reads one ConfigMap from one API server, and nothing else. It is
// client-go's dynamic client: the typed one would bring every type of
// Kubernetes along, 16 MB of binary more.
type kube struct {
	source     string // for authlog.AWSAuth
	configMaps dynamic.ResourceInterface
}

// newKube makes a client for an endpoint, https://host[:port], that trusts the
// given certificate authority alone.
func newKube(endpoint, source string, ca []byte, bearer func(context.Context) (string, error)) (*kube, error) {
	if u, err := url.Parse(endpoint); err != nil || u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("the API server's endpoint %q is no https address", endpoint)
	}
	if len(ca) == 0 {
		return nil, errors.New("the API server's certificate authority is not known")
	}
	return connectKube(source, &rest.Config{
		Host: endpoint, TLSClientConfig: rest.TLSClientConfig{CAData: ca},
		WrapTransport: func(next http.RoundTripper) http.RoundTripper { return bearerTransport{next, bearer} },
	})
}

// serviceAccount is where Kubernetes mounts the pod's own credentials.
const serviceAccount = "/var/run/secrets/kubernetes.io/serviceaccount"

// inCluster makes a client of the pod's own service account as
// rest.InClusterConfig does, with the token and the certificate authority that
// are in dir. The token is read again when Kubernetes renews it.
func inCluster(dir string) (*kube, error) {
	host, port := os.Getenv("KUBERNETES_SERVICE_HOST"), os.Getenv("KUBERNETES_SERVICE_PORT")
	if host == "" || port == "" {
		return nil, rest.ErrNotInCluster
	}
	// An empty file could mean the authorities of the machine to client-go.
	file := filepath.Join(dir, "ca.crt")
	if ca, err := os.ReadFile(file); err != nil {
		return nil, fmt.Errorf("read service account: %w", err)
	} else if !x509.NewCertPool().AppendCertsFromPEM(ca) {
		return nil, fmt.Errorf("read service account: %s holds no PEM certificate", file)
	}
	return connectKube("in-cluster", &rest.Config{
		Host:            "https://" + net.JoinHostPort(host, port),
		TLSClientConfig: rest.TLSClientConfig{CAFile: file},
		BearerTokenFile: filepath.Join(dir, "token"),
	})
}

func connectKube(source string, cfg *rest.Config) (*kube, error) {
	cfg.UserAgent, cfg.WarningHandler = "eks-authlog", rest.NoWarnings{}
	cfg.Wrap(func(next http.RoundTripper) http.RoundTripper { return bounded{next} })
	client, err := rest.HTTPClientFor(cfg)
	if err != nil {
		return nil, fmt.Errorf("connect to the API server: %w", err)
	}
	// A redirect could carry the token elsewhere.
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	cfg = dynamic.ConfigFor(cfg)
	cfg.APIPath = "/api"
	api, err := rest.UnversionedRESTClientForConfigAndClient(cfg, client)
	if err != nil {
		return nil, fmt.Errorf("connect to the API server: %w", err)
	}
	configMaps := dynamic.New(once{api}).Resource(schema.GroupVersionResource{Version: "v1", Resource: "configmaps"})
	return &kube{source, configMaps.Namespace("kube-system")}, nil
}

// once does not ask again by itself, as client-go does ten times and for as
// long as the server likes: the follower has pauses of its own, and what went
// wrong is to be seen at once.
type once struct{ rest.Interface }

func (c once) Get() *rest.Request { return c.Interface.Get().MaxRetries(0) }

// bearerTransport signs each request with a token made for it.
type bearerTransport struct {
	next   http.RoundTripper
	bearer func(context.Context) (string, error)
}

func (t bearerTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	token, err := t.bearer(req.Context())
	if err != nil {
		return nil, err
	}
	req = req.Clone(req.Context())
	req.Header.Set("Authorization", "Bearer "+token)
	return t.next.RoundTrip(req)
}

const (
	// maxObject is the largest ConfigMap that is read: twice what etcd takes.
	maxObject = 3 << 20
	// maxWatch is how much one watch may bring before it is opened anew.
	maxWatch = 16 << 20
)

// bounded cuts answers: client-go itself reads them, and each event of a watch,
// as a whole.
type bounded struct{ next http.RoundTripper }

func (t bounded) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.next.RoundTrip(req)
	if err != nil {
		if note, ok := req.Context().Value(noAnswer{}).(*error); ok {
			*note = err
		}
		return nil, err
	}
	most := int64(maxObject)
	if resp.StatusCode == http.StatusOK && req.URL.Query().Has("watch") {
		most = maxWatch
	}
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(resp.Body, most), resp.Body}
	return resp, nil
}

// noAnswer is the key of a context's *error, which becomes why there is none:
// client-go takes that for a watch that has ended.
type noAnswer struct{}

// configMap is what is read of aws-auth.
type configMap struct{ data map[string]string }

func configMapOf(u *unstructured.Unstructured) (*configMap, error) {
	data, _, err := unstructured.NestedStringMap(u.Object, "data")
	if err != nil {
		return nil, fmt.Errorf("read aws-auth: %w", err)
	}
	return &configMap{data}, nil
}

// errExpired says that a watch cannot go on from where it was.
var errExpired = errors.New("the resource version is too old")

// get reads aws-auth. It gives nil where there is none.
func (k *kube) get(ctx context.Context) (*configMap, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	u, err := k.configMaps.Get(ctx, "aws-auth", metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil //nolint:nilnil // there is none
	case err != nil:
		return nil, kubeError(actionGetAWSAuth, err)
	}
	return configMapOf(u)
}

// kubeError words what the API server answers instead.
func kubeError(action string, err error) error {
	why := err
	status, ok := errors.AsType[*apierrors.StatusError](err)
	switch {
	case apierrors.HasStatusCause(err, "ClientWatchDecoding"): // no server said so
		why = errors.New(printable(status.Status().Message))
	case ok:
		why = fmt.Errorf("HTTP status %d %s", status.Status().Code, printable(status.Status().Message))
	}
	switch {
	case apierrors.IsUnauthorized(err):
		return &authlog.AccessError{Action: "sign in to Kubernetes", Resource: "the API server", Err: fmt.Errorf("%w: give the reader's role an access entry", why)}
	case apierrors.IsForbidden(err):
		return &authlog.AccessError{Action: action, Resource: "namespace kube-system", Err: why}
	case apierrors.IsGone(err), apierrors.IsResourceExpired(err):
		return fmt.Errorf("%w: %w", why, errExpired)
	}
	return fmt.Errorf("%s: %w", action, why)
}

// watchFor is how long one watch lasts before it is opened anew.
const watchFor = 5 * time.Minute

// watch calls open once the API server has taken the request, and seen for the
// aws-auth that there is then and for each change after it, with nil when it was
// deleted, until the watch ends (nil), open or the watch fails, or ctx is done.
// It begins at no resource version: that of an object which nobody has changed
// for long is older than what the API server remembers.
func (k *kube) watch(ctx context.Context, open func() error, seen func(*configMap)) error {
	ctx, cancel := context.WithTimeout(ctx, watchFor+callTimeout)
	defer cancel()
	late := time.AfterFunc(callTimeout, cancel) // an answer must begin by then
	var unanswered error
	ctx = context.WithValue(ctx, noAnswer{}, &unanswered)
	seconds := int64(watchFor.Seconds())
	w, err := k.configMaps.Watch(ctx, metav1.ListOptions{
		FieldSelector: "metadata.name=aws-auth", AllowWatchBookmarks: true, TimeoutSeconds: &seconds,
	})
	if err = cmp.Or(err, unanswered); err != nil {
		return kubeError(actionWatchAWSAuth, err)
	}
	defer w.Stop()
	late.Stop()
	if err := open(); err != nil {
		return err
	}
	for ev := range w.ResultChan() {
		if err := dispatch(ev.Type, ev.Object, seen); err != nil {
			return err
		}
	}
	return nil
}

// dispatch hands one event on.
func dispatch(kind watch.EventType, object runtime.Object, seen func(*configMap)) error {
	if kind == watch.Error {
		return kubeError(actionWatchAWSAuth, apierrors.FromObject(object))
	}
	u, ok := object.(*unstructured.Unstructured)
	if !ok || kind == watch.Bookmark || u.GetName() != "aws-auth" {
		return nil
	}
	if kind == watch.Deleted {
		seen(nil)
		return nil
	}
	cm, err := configMapOf(u)
	if err != nil {
		return err
	}
	seen(cm)
	return nil
}
