package rules

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// JoinWindow is how long before a denial or grant its STS response may have
// been written. Between the two stand at most the authenticator's wait of 5 s
// for an EC2 lookup and the retries of one.
const JoinWindow = 10 * time.Second

// maxWaiting limits how many STS responses a Joiner keeps between pages.
const maxWaiting = 50_000

// An Identity is what an STS response said of the caller. It is likely, not
// certain, to be that of the denial or grant it was joined to: the API server
// shares one connection among many requests.
type Identity struct {
	Found       bool
	Session     string // may be empty although found: users have none
	UserID      string // IAM's unique id
	AccessKeyID string // since v0.5.0
	Account     string // 12 digits
	Endpoint    string // of STS: a region, or "global"; since v0.6.28
}

// A Joiner finds the STS response of each denial and grant: of the same
// cluster, stream and client, of the same canonical ARN, written at or before
// it within JoinWindow. Each response leads to one denial or grant, so each is
// given to one, the latest first. A response is given again only when all that
// are in the window name the same identity.
//
// A Joiner follows one reader on its way forward in time and is not safe for
// concurrent use. The zero value is ready.
type Joiner struct {
	waiting map[origin][]*response
	seq     int64 // counts events without a delivery time
}

// An origin is where the two lines of one request agree.
type origin struct {
	cluster             authlog.Cluster
	stream, client, arn string
}

// A response is one STS response line.
type response struct {
	Identity
	stamp
	used bool
}

// A stamp is when a line was written. The line's own time is exact but has
// whole seconds only. The order within one is that of the delivery times,
// which have milliseconds, or for lines without that of reading.
type stamp struct{ second, order int64 }

// Page joins the events of one page and returns what it found for each, in
// their order. The responses of the last JoinWindow before the page's end are
// kept for the next page.
//
// The order of the events within one second of their own time does not matter
// where they have delivery times, nor does where pages are cut as long as no
// second is.
func (j *Joiner) Page(events []authlog.Event) []Identity {
	found := make([]Identity, len(events))
	stamps, order := j.sorted(events)
	for len(order) > 0 {
		second := stamps[order[0]].second
		n := slices.IndexFunc(order, func(i int) bool { return stamps[i].second != second })
		if n < 0 {
			n = len(order)
		}
		// Within a second an outcome may have been delivered before its
		// response, so all the responses come first.
		for _, i := range order[:n] {
			if events[i].Kind == authlog.KindSTSResponse {
				j.add(&events[i], stamps[i])
			}
		}
		for _, i := range order[:n] {
			if k := events[i].Kind; k == authlog.KindDenied || k == authlog.KindGranted {
				found[i] = j.take(&events[i], stamps[i])
			}
		}
		if order = order[n:]; len(order) == 0 {
			j.forget(second)
		}
	}
	return found
}

// sorted stamps the events and lists those that matter in the order in which
// they were written; where that is not known, in one that does not depend on
// the order of the page.
func (j *Joiner) sorted(events []authlog.Event) (stamps []stamp, order []int) {
	stamps = make([]stamp, len(events))
	for i := range events {
		ev := &events[i]
		switch ev.Kind {
		case authlog.KindSTSResponse, authlog.KindDenied, authlog.KindGranted:
			order = append(order, i)
		default:
			continue
		}
		stamps[i] = stamp{second: ev.At().Unix(), order: ev.Time.UnixMilli()}
		if ev.Time.IsZero() {
			j.seq++
			stamps[i].order = j.seq
		}
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Or(stamps[a].compare(stamps[b]), strings.Compare(events[a].Text, events[b].Text))
	})
	return stamps, order
}

func (s stamp) compare(t stamp) int {
	return cmp.Or(cmp.Compare(s.second, t.second), cmp.Compare(s.order, t.order))
}

// add keeps a response. The same line read again replaces itself.
func (j *Joiner) add(ev *authlog.Event, at stamp) {
	arn, ok := Canonical(ev.Get("arn"))
	if !ok {
		return
	}
	if j.waiting == nil {
		j.waiting = map[origin][]*response{}
	}
	r := &response{stamp: at, Identity: Identity{
		Found:       true,
		Session:     field(ev, "session"),
		UserID:      field(ev, "userid"),
		AccessKeyID: field(ev, "accesskeyid"),
		Account:     account(field(ev, "accountid")),
		Endpoint:    endpointOf(ev),
	}}
	from := originOf(ev, arn)
	list := fresh(j.waiting[from], at.second)
	j.waiting[from] = list
	for _, old := range list {
		if old.stamp == at && old.Identity == r.Identity && !ev.Time.IsZero() {
			old.used = false
			return
		}
	}
	j.waiting[from] = append(list, r)
}

// fresh drops what no line of that second or later can have come from.
func fresh(list []*response, second int64) []*response {
	oldest := second - int64(JoinWindow/time.Second)
	return slices.DeleteFunc(list, func(r *response) bool { return r.second < oldest })
}

func originOf(ev *authlog.Event, arn string) origin {
	return origin{cluster: ev.Cluster, stream: ev.Stream, client: ev.Get("client"), arn: arn}
}

// field copies a value, so that a page's text is not kept for its sake.
func field(ev *authlog.Event, key string) string {
	return strings.Clone(authlog.Sanitize(ev.Get(key)))
}

// take finds the response of a denial or grant and marks it used.
func (j *Joiner) take(ev *authlog.Event, at stamp) Identity {
	arn := ev.Get("arn")
	if arn == "" {
		return Identity{}
	}
	want := wantOf(ev)
	var best *response
	var all []*response
	for _, r := range j.waiting[originOf(ev, arn)] {
		age := at.second - r.second
		if age < 0 || age > int64(JoinWindow/time.Second) || !want.fits(r) {
			continue
		}
		all = append(all, r)
		if !r.used && (best == nil || r.nearer(best, at)) {
			best = r
		}
	}
	if best != nil {
		best.used = true
		return best.Identity
	}
	return unanimous(all)
}

// nearer reports whether r is the likelier response of a line written at that
// time: the latest before it, else the first of the same second after it.
func (r *response) nearer(than *response, at stamp) bool {
	before, thanBefore := r.order <= at.order, than.order <= at.order
	if before != thanBefore {
		return before
	}
	c := r.compare(than.stamp)
	if c == 0 {
		c = cmp.Or(
			strings.Compare(than.Session, r.Session),
			strings.Compare(than.UserID, r.UserID),
			strings.Compare(than.AccessKeyID, r.AccessKeyID),
		)
	}
	return before == (c > 0)
}

func unanimous(all []*response) Identity {
	for _, r := range all {
		if r.Identity != all[0].Identity {
			return Identity{}
		}
	}
	if len(all) == 0 {
		return Identity{}
	}
	return all[0].Identity
}

// A want is what a denial or grant itself says of its STS response.
type want struct{ userID, endpoint, instance string }

func wantOf(ev *authlog.Event) want {
	w := want{endpoint: endpointOf(ev)}
	if ev.Kind == authlog.KindGranted {
		_, w.userID = splitUID(ev.Get("uid"))
		return w
	}
	var r reading
	r.classify(ev)
	w.instance = r.mapped.instance
	return w
}

func (w want) fits(r *response) bool {
	fit := func(want, got string) bool { return want == "" || got == "" || want == got }
	return fit(w.userID, r.UserID) && fit(w.endpoint, r.Endpoint) && fit(w.instance, r.Session)
}

// forget drops what no line of that second or later can have come from, and
// all when that leaves too many.
func (j *Joiner) forget(second int64) {
	left := 0
	for from, list := range j.waiting {
		if list = fresh(list, second); len(list) == 0 {
			delete(j.waiting, from)
			continue
		}
		j.waiting[from] = list
		left += len(list)
	}
	if left > maxWaiting {
		clear(j.waiting)
	}
}
