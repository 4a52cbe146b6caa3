package api_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/rs/zerolog"

	"github.com/eks-authlog/eks-authlog/internal/api"
	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// Whatever the query and the header Accept are, the answer is documented, is no
// failure of ours, asks the store for a bounded page of that cluster alone, and
// a refusal says what is wrong.
func FuzzEveryQueryIsAnsweredOrRefused(f *testing.F) {
	for _, q := range []string{
		"", "limit=5&since=7d&order=asc", "start=1795514400.5&end=2026-11-24T12:00:00%2B01:00",
		"reason=arn_not_mapped&reason=x", "filter=principal%3D~%22.*deploy.*%22&fields=time,principal",
		"next=AaINaMYgkC_1zgNzpW__VnX1UKc", "a;b=%zz&%ff", "filter=%7Bkind=%22role%22,layer!~sts%7D", "filter=%00=%22\\",
	} {
		f.Add(q, "*/*")
	}
	f.Add("fields=principal,docs,id", "text/csv;q=0.3, application/x-ndjson")
	store := &fake{clusters: []authlog.ClusterSummary{summaryOf(prod)}, denials: mixed()}
	mux := api.New(api.Config{Store: store, Health: store, Log: zerolog.Nop()})
	f.Fuzz(func(t *testing.T, query, accept string) {
		store.asked = nil
		req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/clusters/prod/denials", nil)
		req.URL = &url.URL{Path: req.URL.Path, RawQuery: query}
		req.Header.Set("Accept", accept)
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, req)
		r := reply{w.Code, w.Header(), w.Body.Bytes()}
		checkDocumented(t, mux, req, r)
		switch r.status {
		case http.StatusOK:
		case http.StatusBadRequest, http.StatusNotAcceptable:
			if p := decodeProblem(t, r, r.status); p.Detail == "" {
				t.Errorf("%s: %+v", query, p)
			}
		default:
			t.Errorf("%s: status %d", query, r.status)
		}
		for _, q := range store.asked {
			if q.Cluster != "prod" || q.Limit < 1 || q.Limit > 1001 {
				t.Errorf("%s asks for %+v", query, q)
			}
		}
	})
}
