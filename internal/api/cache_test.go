package api_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

func TestAnUnchangedAnswerIsNotSentTwice(t *testing.T) {
	f := &fake{denials: denialsBefore(prod, now, 3), clusters: []authlog.ClusterSummary{summaryOf(prod)}}
	s := serveFake(t, f)
	for _, path := range []string{"/clusters", "/clusters/prod/denials", "/reasons", "/reasons/token_expired", "/problems/bad-parameter"} {
		first := s.get(t, path)
		tag := first.header.Get("ETag")
		if tag == "" || first.header.Get("Cache-Control") != "private, no-cache" {
			t.Fatalf("%s: %v", path, first.header)
		}
		for _, have := range []string{tag, strings.TrimPrefix(tag, "W/"), `"x", ` + tag, "*"} {
			r := s.ask(t, path, "If-None-Match", have)
			if r.status != http.StatusNotModified || len(r.body) != 0 || r.header.Get("ETag") != tag {
				t.Errorf("%s, If-None-Match %s: %d %s", path, have, r.status, r.body)
			}
		}
		if r := s.ask(t, path, "If-None-Match", `W/"x"`); r.status != http.StatusOK || !bytes.Equal(r.body, first.body) {
			t.Errorf("%s: another's tag: %d %s", path, r.status, r.body)
		}
	}
	tag := s.get(t, "/clusters/prod/denials").header.Get("ETag")
	f.denials = denialsBefore(prod, now, 4)
	if r := s.ask(t, "/clusters/prod/denials", "If-None-Match", tag); r.status != http.StatusOK || r.header.Get("ETag") == tag {
		t.Errorf("one denial more: %d", r.status)
	}
}

func TestTheTagDependsOnTheForm(t *testing.T) {
	s := serveFake(t, &fake{denials: denialsBefore(prod, now, 3)})
	tag := s.get(t, "/clusters/prod/denials").header.Get("ETag")
	if r := s.ask(t, "/clusters/prod/denials", "If-None-Match", tag, "Accept", "text/csv"); r.status != http.StatusOK {
		t.Errorf("CSV for who has JSON: %d", r.status)
	}
}

func TestRefusalsAndHealthAreNotKept(t *testing.T) {
	s := serveFake(t, &fake{})
	for _, path := range []string{"/clusters?x=1", "/nowhere", "/-/ready", "/-/healthy"} {
		if h := s.get(t, path).header; h.Get("Cache-Control") != "no-store" || h.Get("ETag") != "" {
			t.Errorf("%s: %v", path, h)
		}
	}
}

func TestAnswersAreCompressedForWhoTakesIt(t *testing.T) {
	s := serveFake(t, &fake{denials: denialsBefore(prod, now, 100)})
	plain := s.ask(t, "/clusters/prod/denials", "Accept-Encoding", "identity")
	for accept, open := range map[string]func(io.Reader) (io.Reader, error){
		"gzip": func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) },
		"zstd": func(r io.Reader) (io.Reader, error) { return zstd.NewReader(r) },
	} {
		r := s.ask(t, "/clusters/prod/denials", "Accept-Encoding", accept)
		if r.header.Get("Content-Encoding") != accept || len(r.body)*5 > len(plain.body) {
			t.Errorf("%s: %q, %d bytes of %d", accept, r.header.Get("Content-Encoding"), len(r.body), len(plain.body))
		}
		if !strings.Contains(strings.Join(r.header.Values("Vary"), ","), "Accept-Encoding") {
			t.Errorf("%s: Vary %q", accept, r.header.Values("Vary"))
		}
		rd, err := open(bytes.NewReader(r.body))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(rd)
		if err != nil || !bytes.Equal(body, plain.body) {
			t.Errorf("%s: %v, %d bytes, want %d", accept, err, len(body), len(plain.body))
		}
		if tag := r.header.Get("ETag"); tag != plain.header.Get("ETag") {
			t.Errorf("%s: tag %s", accept, tag)
		}
		r = s.ask(t, "/clusters/prod/denials", "Accept-Encoding", accept, "If-None-Match", plain.header.Get("ETag"))
		if r.status != http.StatusNotModified || len(r.body) != 0 {
			t.Errorf("%s: then %d", accept, r.status)
		}
	}
}

func TestMetricsAreCompressedOnce(t *testing.T) {
	s := serveFake(t, &fake{})
	for range 3 {
		s.get(t, "/clusters")
	}
	r := s.ask(t, "/metrics", "Accept-Encoding", "gzip")
	rd, err := gzip.NewReader(bytes.NewReader(r.body))
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(rd)
	if err != nil || !strings.Contains(string(body), "eks_authn_http_requests_total") {
		t.Errorf("%v %s", err, body)
	}
}
