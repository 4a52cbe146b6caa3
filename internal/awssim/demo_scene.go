package awssim

import (
	"container/heap"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"time"
)

// scene is one cluster of the demo with all that happens in it.
type scene struct {
	demoCluster

	start  time.Time
	rng    *rand.Rand
	group  *LogGroup
	apis   []*apiServer
	queue  actors
	mapped []*principal // whom aws-auth maps
	broken []span       // when aws-auth was unreadable
}

// apiServer is one control plane instance with its authenticator.
type apiServer struct {
	stream *Stream
	ports  []int // of the connections it keeps to its authenticator
	events []Event
}

// span is a stretch of time, the end excluded.
type span struct{ from, to time.Time }

func (s span) has(t time.Time) bool { return !t.Before(s.from) && t.Before(s.to) }

// actor does something, once or again and again.
type actor struct {
	next time.Time
	gap  func(*rand.Rand) time.Duration // until the next time; nil: there is none
	act  func(t time.Time) error
}

// actors is a heap by next.
type actors []*actor

func (a *actors) Len() int           { return len(*a) }
func (a *actors) Less(i, j int) bool { return (*a)[i].next.Before((*a)[j].next) }
func (a *actors) Swap(i, j int)      { (*a)[i], (*a)[j] = (*a)[j], (*a)[i] }
func (a *actors) Push(x any)         { *a = append(*a, x.(*actor)) }
func (a *actors) Pop() any {
	old := *a
	last := old[len(old)-1]
	*a = old[:len(old)-1]
	return last
}

func newScene(w *World, c demoCluster, start time.Time, rng *rand.Rand) (*scene, error) {
	s := &scene{demoCluster: c, start: start, rng: rng}
	r := w.Account(c.account).Region(c.region)
	created := start.AddDate(0, -3, 0)
	r.AddCluster(Cluster{
		Name: c.name, Created: created, Logging: c.logging, AuthenticationMode: c.mode,
		RoleARN: "arn:aws:iam::" + c.account + ":role/eks-cluster-" + c.name, BootstrapCreatorAdmin: true,
		AccessEntries: s.entries(created),
	})
	s.hire(w.Account(c.account), created)
	if len(c.logging) == 0 {
		return s, nil
	}
	var err error
	s.group, err = r.CreateLogGroup("/aws/eks/"+c.name+"/cluster", GroupOptions{
		Class: c.class, Created: created, RetentionDays: 90,
	})
	if err != nil {
		return nil, err
	}
	for range c.apiServers {
		if err := s.addAPIServer(created); err != nil {
			return nil, err
		}
	}
	if err := s.addNoise(created); err != nil {
		return nil, err
	}
	s.cast()
	return s, nil
}

// addAPIServer adds an instance with an authenticator stream of its own.
func (s *scene) addAPIServer(created time.Time) error {
	st, err := s.group.CreateStream("authenticator-"+s.hex(32), created)
	if err != nil {
		return err
	}
	api := &apiServer{stream: st}
	for range 3 {
		api.ports = append(api.ports, 32768+s.rng.IntN(28000))
	}
	s.apis = append(s.apis, api)
	return nil
}

// addNoise adds the streams beside the authenticator's: most of all bytes.
func (s *scene) addNoise(created time.Time) error {
	for name, bytes := range map[string]float64{
		"kube-apiserver-audit": 90_000, "kube-apiserver": 1_500, "kube-controller-manager": 800, "kube-scheduler": 200,
	} {
		for i := range s.apiServers {
			st, err := s.group.CreateStream(fmt.Sprintf("%s-%032x", name, i+1), created)
			if err != nil {
				return err
			}
			st.SetNoise(bytes/2_000/float64(s.apiServers), bytes/float64(s.apiServers))
		}
	}
	return nil
}

// rotate replaces one instance: a new stream begins, the old one gets no more.
func (s *scene) rotate(t time.Time) error {
	old := s.apis[0]
	if err := s.addAPIServer(t); err != nil {
		return err
	}
	old.flush()
	s.apis = s.apis[1:]
	s.startup(s.apis[len(s.apis)-1], t)
	return nil
}

// every lets act happen again and again, each time after about the given gap.
func (s *scene) every(gap time.Duration, act func(t time.Time)) {
	s.schedule(s.start.Add(time.Duration(s.rng.Float64()*float64(gap))), around(gap), act)
}

// exactly is every without chance, as a loop in a program does it.
func (s *scene) exactly(gap time.Duration, act func(t time.Time)) {
	s.schedule(s.start.Add(gap), func(*rand.Rand) time.Duration { return gap }, act)
}

// once lets act happen at one time after the start.
func (s *scene) once(after time.Duration, act func(t time.Time) error) {
	heap.Push(&s.queue, &actor{s.start.Add(after), nil, act})
}

func (s *scene) schedule(first time.Time, gap func(*rand.Rand) time.Duration, act func(t time.Time)) {
	heap.Push(&s.queue, &actor{first, gap, func(t time.Time) error { act(t); return nil }})
}

// around is half to one and a half of the gap.
func around(gap time.Duration) func(*rand.Rand) time.Duration {
	return func(rng *rand.Rand) time.Duration { return time.Duration((0.5 + rng.Float64()) * float64(gap)) }
}

// play lets everything happen that is due before until, and stores its lines.
func (s *scene) play(until time.Time) error {
	for len(s.queue) > 0 && s.queue[0].next.Before(until) {
		a := s.queue[0]
		if err := a.act(a.next); err != nil {
			return err
		}
		if a.gap == nil {
			heap.Pop(&s.queue)
			continue
		}
		a.next = a.next.Add(a.gap(s.rng))
		heap.Fix(&s.queue, 0)
	}
	for _, api := range s.apis {
		api.flush()
	}
	return nil
}

func (a *apiServer) flush() {
	a.stream.Put(a.events...)
	a.events = a.events[:0]
}

// write logs a line that the authenticator wrote at t. CloudWatch stamps it a
// moment later, takes it in some seconds later, and Insights shows it later
// still: one line in twenty a minute or two later.
func (s *scene) write(api *apiServer, t time.Time, line string) {
	stamped := t.Add(100*time.Millisecond + time.Duration(s.rng.IntN(900))*time.Millisecond)
	ingested := stamped.Add(time.Second + time.Duration(s.rng.IntN(4000))*time.Millisecond)
	visible := ingested.Add(time.Duration(s.rng.IntN(3000)) * time.Millisecond)
	if s.rng.IntN(20) == 0 {
		visible = ingested.Add(time.Duration(s.rng.IntN(110)) * time.Second)
	}
	api.events = append(api.events, Event{Time: stamped, Ingested: ingested, Visible: visible, Message: line})
}

// anyAPI is the instance that takes a request, and the connection used.
func (s *scene) anyAPI() (api *apiServer, client string) {
	api = s.apis[s.rng.IntN(len(s.apis))]
	return api, fmt.Sprintf("127.0.0.1:%d", api.ports[s.rng.IntN(len(api.ports))])
}

func (s *scene) hex(n int) string {
	b := make([]byte, n/2)
	for i := range b {
		b[i] = byte(s.rng.Uint32())
	}
	return hex.EncodeToString(b)
}

func (s *scene) uuid() string {
	h := s.hex(32)
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
