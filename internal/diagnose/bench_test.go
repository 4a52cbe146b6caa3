package diagnose_test

import (
	"fmt"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/diagnose"
	"github.com/eks-authlog/eks-authlog/internal/rules"
)

var benchCluster = authlog.Cluster{Name: "prod", Account: "111122223333", Region: "eu-central-1"}

// benchPages makes n events of so many principals, 70 % granted, 20 % not
// mapped, 10 % without an identity, four a second, in pages of so many.
func benchPages(n, principals, page int) []diagnose.Page {
	start := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	who := make([]authlog.Principal, principals)
	for i := range who {
		who[i] = rules.PrincipalOf(fmt.Sprintf("arn:aws:iam::111122223333:role/Role%d", i), fmt.Sprintf("user%d@example.com", i))
		who[i].UserID = fmt.Sprintf("AROA%016d", i)
	}
	const invalid = `sts getCallerIdentity failed: error from AWS (expected 200, got 403) on eu-central-1 endpoint. Body: {"Error":{"Code":"InvalidClientTokenId","Message":"The security token included in the request is invalid.","Type":"Sender"},"RequestId":"f364e4c0-6267-56e9-006e-c30f38139e1e"}`
	raw := `time="2026-11-23T08:00:00Z" level=warning msg="access denied" arn="arn:aws:iam::111122223333:role/Role000" client="127.0.0.1:40000" error="identity is not mapped" method=POST path=/authenticate`
	var pages []diagnose.Page
	for i := range n {
		at := start.Add(time.Duration(i) * 250 * time.Millisecond)
		if i%page == 0 {
			pages = append(pages, diagnose.Page{Clusters: []authlog.Cluster{benchCluster}, Through: at.Add(time.Duration(page) * 250 * time.Millisecond)})
		}
		p := &pages[len(pages)-1]
		id := authlog.NewID(at, authlog.Key{byte(i), byte(i >> 8), byte(i >> 16), 1})
		principal := who[(i*7919)%principals]
		switch {
		case i%10 < 7:
			p.Grants = append(p.Grants, authlog.Grant{
				ID: id, Cluster: benchCluster, Time: at, Principal: principal, Username: "user", Groups: "[]", Raw: raw, STSEndpoint: "eu-central-1",
			})
		case i%10 < 9:
			p.Denials = append(p.Denials, authlog.Denial{
				ID: id, Cluster: benchCluster, Time: at, Reason: "arn_not_mapped", Principal: &principal,
				Error: "identity is not mapped", Client: "127.0.0.1:40000", Raw: raw,
			})
		default:
			p.Denials = append(p.Denials, authlog.Denial{
				ID: id, Cluster: benchCluster, Time: at, Reason: "sts_invalid_client_token", Error: invalid, Client: "127.0.0.1:40001", Raw: raw,
			})
		}
	}
	return pages
}

// BenchmarkObserve measures what events cost the machine: CPU time and memory,
// for pages of a minute with 240 events and for pages of 10,000 as they come
// while catching up. The cost of a page has two parts, one for its events and
// one for the principals that were denied lately; see BenchmarkPrincipals.
func BenchmarkObserve(b *testing.B) {
	for _, c := range []struct{ events, principals, page int }{
		{20_000, 250, 240},
		{40_000, 250, 240},
		{80_000, 250, 240},
		{20_000, 1_000, 10_000},
		{40_000, 1_000, 10_000},
		{80_000, 1_000, 10_000},
	} {
		b.Run(fmt.Sprintf("events=%d/principals=%d/page=%d", c.events, c.principals, c.page), func(b *testing.B) {
			pages := benchPages(c.events, c.principals, c.page)
			b.ReportAllocs()
			var kept uint64
			before := cpuTime()
			for b.Loop() {
				empty := heap()
				m := diagnose.New(diagnose.Default())
				for _, p := range pages {
					m.Observe(p).Commit()
				}
				kept = heap() - empty
				runtime.KeepAlive(m)
			}
			used := cpuTime() - before
			b.ReportMetric(float64(c.events*b.N)/used.Seconds(), "events/cpu-s")
			b.ReportMetric(float64(kept)/float64(c.principals)*1000/(1<<20), "MB/1000principals")
		})
	}
}

// BenchmarkPrincipals measures a page with one event on a cluster where so
// many principals were denied in the last hours.
func BenchmarkPrincipals(b *testing.B) {
	for _, n := range []int{250, 1_000, 4_000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			m := diagnose.New(diagnose.Default())
			empty := heap()
			for _, p := range benchPages(20*n, n, 10_000) {
				m.Observe(p).Commit()
			}
			kept := heap() - empty
			one := benchPages(8, 1, 10_000)[0]
			one.Grants, one.Denials = nil, one.Denials[:1]
			before := cpuTime()
			for b.Loop() {
				change := m.Observe(one)
				change.Undo()
			}
			b.ReportMetric(float64((cpuTime()-before).Nanoseconds())/float64(b.N)/float64(n), "cpu-ns/principal")
			b.ReportMetric(float64(kept)/float64(n)*1000/(1<<20), "MB/1000principals")
		})
	}
}

// cpuTime is the CPU time of the process; unlike that of the clock it does not
// depend on what else runs on the machine.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func heap() uint64 {
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return s.HeapAlloc
}
