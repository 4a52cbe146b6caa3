package api

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"reflect"
	"time"

	"github.com/elnormous/contenttype"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/rs/zerolog/hlog"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/feed"
)

const (
	eventStream = "text/event-stream"

	// beat is how often a quiet stream shows that it lives.
	beat = 15 * time.Second

	// patience is how long a reader may take in nothing. Then the connection is
	// cut, for nothing more can be told on it.
	patience = time.Minute

	// Readers that lost the stream come again after retryMin to twice that, or
	// all would come at once.
	retryMin = 2 * time.Second
)

// A streamer serves the stream.
type streamer struct {
	feed    *feed.Feed
	callers Callers
	store   Store
	now     func() time.Time
	readers prometheus.Gauge
	dropped *prometheus.CounterVec
}

func newStreamer(cfg *Config) *streamer {
	f := promauto.With(cfg.Registerer)
	s := &streamer{
		feed: cfg.Feed, callers: cfg.Callers, store: cfg.Store, now: cfg.Now,
		readers: f.NewGauge(prometheus.GaugeOpts{
			Name: "eks_authn_stream_readers", Help: "Readers of the stream of denials and diagnoses.",
		}),
		dropped: f.NewCounterVec(prometheus.CounterOpts{
			Name: "eks_authn_stream_readers_dropped_total",
			Help: "Readers of the stream that were dropped, by reason: slow, as they fell too far behind, or stuck, as they took in nothing.",
		}, []string{"reason"}),
	}
	for _, reason := range []string{"slow", "stuck"} {
		s.dropped.WithLabelValues(reason)
	}
	return s
}

func streamParams() []param {
	return []param{{name: "cluster"}, {name: "account"}, {name: "region"}, {name: "filter", repeatable: true}, {name: "last_event_id"}}
}

func (s *streamer) serve(w http.ResponseWriter, r *http.Request) {
	follower, err := s.follow(r)
	if err != nil {
		fail(w, r, err)
		return
	}
	defer follower.Close()
	s.readers.Inc()
	defer s.readers.Dec()
	h := w.Header()
	h.Set("Content-Type", eventStream)
	h.Set("X-Accel-Buffering", "no") // nginx would hold events back
	if r.Method == http.MethodHead {
		return
	}
	c := &connection{w, http.NewResponseController(w)}
	err = errors.Join(c.rc.SetReadDeadline(time.Time{}), s.pour(r, c, follower))
	if errors.Is(err, errStuck) {
		s.dropped.WithLabelValues("stuck").Inc()
	}
	if err != nil {
		hlog.FromRequest(r).Debug().Err(err).Msg("stream cut")
	}
}

// follow reads what a request asks for.
func (s *streamer) follow(r *http.Request) (*feed.Follower, error) {
	if err := acceptsStream(r); err != nil {
		return nil, err
	}
	q, err := parseQuery(r.URL.RawQuery, streamParams()...)
	if err != nil {
		return nil, err
	}
	if s.feed == nil {
		return nil, plain(http.StatusNotImplemented, "this service has no stream")
	}
	wants, err := q.changes()
	if err != nil {
		return nil, err
	}
	cluster := q.get("cluster")
	if cluster != "" {
		if err := mustKnow(r.Context(), s.store, cluster, s.now()); err != nil {
			return nil, err
		}
	}
	follower, err := s.from(r, q, feed.Interest{Cluster: cluster, Sees: q.sees(r.Context()), Wants: wants})
	switch {
	case errors.Is(err, feed.ErrFull):
		return nil, plain(http.StatusServiceUnavailable, "as many readers follow the stream as there may be; try again later")
	case errors.Is(err, feed.ErrStopped):
		return nil, plain(http.StatusServiceUnavailable, "the service stops")
	}
	return follower, err
}

// from follows from where the reader was cut off: the header is of one that
// comes again, to the URL it began with. A browser sends it by itself, whatever
// became of the store meanwhile, and would give up for good if it were refused.
func (s *streamer) from(r *http.Request, q query, in feed.Interest) (*feed.Follower, error) {
	after, again := q.get("last_event_id"), r.Header.Get("Last-Event-Id")
	if again != "" {
		after = again
	}
	follower, err := s.feed.Follow(r.Context(), after, in)
	if !errors.Is(err, feed.ErrUnknownID) {
		return follower, err
	}
	if again == "" {
		return nil, refuseParameter("last_event_id", "must be an id of this service's stream, not %q; leave it out to begin now", after)
	}
	if follower, err = s.feed.Follow(r.Context(), "", in); err == nil {
		follower.Lost = true
	}
	return follower, err
}

func acceptsStream(r *http.Request) error {
	accept := bareRanges(r)
	if accept == "" {
		return nil
	}
	offered := []contenttype.MediaType{contenttype.NewMediaType(eventStream)}
	if _, _, err := contenttype.GetAcceptableMediaTypeFromHeader(accept, offered); err != nil {
		return plain(http.StatusNotAcceptable, "Accept: "+accept+" does not ask for "+eventStream)
	}
	return nil
}

// pour writes until the reader leaves, falls behind, may not read any more, or
// the service stops. It returns an error if the connection broke.
func (s *streamer) pour(r *http.Request, c *connection, follower *feed.Follower) error {
	if err := c.write(greeting(follower)); err != nil {
		return err
	}
	for checked := time.Now(); ; {
		frames, err := follower.Next(r.Context(), beat)
		if time.Since(checked) >= beat {
			checked = time.Now()
			if !s.mayStill(r) {
				return nil
			}
		}
		if err != nil {
			return s.end(r, c, follower, err)
		}
		if len(frames) == 0 {
			frames = []byte(": still here\n\n")
		}
		if err := c.write(frames); err != nil {
			return err
		}
	}
}

// end says goodbye to a reader that is dropped. Whoever else finds the stream at
// its end comes again.
func (s *streamer) end(r *http.Request, c *connection, follower *feed.Follower, why error) error {
	if errors.Is(why, feed.ErrSlow) {
		s.dropped.WithLabelValues("slow").Inc()
		return c.write(farewell(follower.ID()))
	}
	if r.Context().Err() == nil && !errors.Is(why, feed.ErrStopped) {
		hlog.FromRequest(r).Error().Err(why).Msg("stream failed")
	}
	return nil
}

// mayStill reports whether the token of a reader is what it was when he came.
func (s *streamer) mayStill(r *http.Request) bool {
	return s.callers == nil || reflect.DeepEqual(findOut(r, s.callers).Caller, callerOf(r.Context()))
}

// A connection is where a stream is written to.
type connection struct {
	w  http.ResponseWriter
	rc *http.ResponseController
}

// errStuck says that a reader took in nothing for as long as patience lasts.
var errStuck = errors.New("the reader takes in nothing")

// write fails with errStuck, or with what broke the connection. Which it was the
// time alone tells: net/http ends the request's context with both, and those that
// wrap its writer keep the error of a flush to themselves.
func (c *connection) write(frames []byte) error {
	deadline := time.Now().Add(patience)
	if err := c.rc.SetWriteDeadline(deadline); err != nil {
		return err
	}
	_, err := c.w.Write(frames)
	if err == nil {
		err = c.rc.Flush()
	}
	if !time.Now().Before(deadline) {
		err = errors.Join(errStuck, err)
	}
	return err
}

// greeting gives a new reader an id to resume from, should nothing come before
// it is cut off: an event without data sets the id and is not shown.
func greeting(f *feed.Follower) []byte {
	retry := (retryMin + rand.N(retryMin)).Milliseconds() //nolint:gosec // spreads load, guards nothing
	text := fmt.Appendf(nil, "retry: %d\nid: %s\n\n", retry, f.ID())
	var gap streamNotice
	switch {
	case f.Lost:
		gap = streamNotice{
			Reason: "unknown_id",
			Detail: "The id to resume from is none of this service's, which may have another database now: the stream begins anew. The lists show what there is.",
		}
	case f.Missed:
		gap = streamNotice{
			Reason: "pruned",
			Detail: "Some of what came after the id to resume from is gone: it was older than what is kept. The lists show what is left.",
		}
	default:
		return text
	}
	return append(text, event("", "gap", gap)...)
}

func farewell(id string) []byte {
	return event(id, "dropped", streamNotice{
		Reason: "slow", LastEventID: id,
		Detail: "This reader fell too far behind. Come again with last_event_id: nothing is lost.",
	})
}

// Frame is how readers of the stream see a change: an event whose data is a
// denial, or a diagnosis as lists show it.
func Frame(id string, c *authlog.Change) []byte {
	if c.Denial != nil {
		return event(id, string(c.Kind), wireDenial(c.Denial))
	}
	return event(id, string(c.Kind), wireLockout(c.Diagnosis))
}

// event writes one event. Its data is JSON and so has no line ends.
func event(id, name string, data any) []byte {
	var b []byte
	if id != "" {
		b = fmt.Appendf(b, "id: %s\n", id)
	}
	b = fmt.Appendf(b, "event: %s\ndata: ", name)
	return append(append(b, jsonDocument(data).body...), '\n')
}

// sees is of which clusters the caller may learn, and asked to.
func (q query) sees(ctx context.Context) func(authlog.Cluster) bool {
	account, region := q.get("account"), q.get("region")
	return func(c authlog.Cluster) bool {
		return (account == "" || account == c.Account) && (region == "" || region == c.Region) && visible(ctx, c)
	}
}

// changes reads which changes of a cluster are asked for.
func (q query) changes() (func(*authlog.Change) bool, error) {
	if err := q.accountAndRegion(); err != nil {
		return nil, err
	}
	matchers, err := q.filters(streamLabels())
	return func(c *authlog.Change) bool { return holds(matchers, c, changeLabel) }, err
}

func streamLabels() []string {
	return append(denialLabels(), "event", "code", "severity")
}

// changeLabel is what a matcher of that name is compared with: "" for what the
// change does not have.
func changeLabel(c *authlog.Change, name string) string {
	d := c.Diagnosis
	switch {
	case name == "event":
		return string(c.Kind)
	case d == nil:
		return labelOf(c.Denial, name)
	}
	return diagnosisLabel(d, name)
}
