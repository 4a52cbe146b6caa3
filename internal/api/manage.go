package api

import (
	"context"
	"net/http"
	"net/http/pprof"
	runtimepprof "runtime/pprof"
	"strconv"

	"github.com/go-chi/chi/v5"
)

// A Manager changes how the service runs.
type Manager interface {
	// Reload reads the configuration anew and takes over all of it or nothing;
	// the error says what is wrong with it and is for admins.
	Reload(ctx context.Context) error
}

// manage adds the routes that are for admins, and refuses those that are
// switched off.
func manage(r chi.Router, cfg *Config) {
	r.Use(sameOrigin, forAdmins)
	r.Post("/-/reload", reload(cfg.Manager))
	r.Put("/-/reload", reload(cfg.Manager))
	get(r, "/debug/pprof/{profile}", profile(cfg.Profile))
}

// sameOrigin refuses what a page of another origin has a browser send: it would
// go with the password that the browser keeps, or to an address that only this
// machine reaches.
func sameOrigin(next http.Handler) http.Handler {
	guard := http.NewCrossOriginProtection()
	guard.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fail(w, r, plain(http.StatusForbidden, "pages of other origins may not change how the service runs"))
	}))
	return guard.Handler(next)
}

// reload answers when what was read is in force.
func reload(m Manager) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if m == nil {
			fail(w, r, plain(http.StatusForbidden, "reloading is switched off; start with --web.enable-lifecycle, or send SIGHUP"))
			return
		}
		if err := m.Reload(r.Context()); err != nil {
			fail(w, r, plain(http.StatusInternalServerError, "nothing was changed: "+err.Error()))
			return
		}
		reply(w, r, http.StatusOK, jsonDocument(reloadedDoc{Reloaded: true}))
	}
}

const (
	defaultSeconds = 10
	maxSeconds     = 25 // less than the server's write timeout
)

func profileParams() []param { return []param{{name: "seconds"}, {name: "debug"}, {name: "gc"}} }

// profile serves one of the running process, for go tool pprof.
func profile(on bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !on {
			fail(w, r, plain(http.StatusForbidden, "profiling is switched off; start with --web.enable-pprof"))
			return
		}
		q, err := parseQuery(r.URL.RawQuery, profileParams()...)
		var seconds int
		if err == nil {
			seconds, err = q.count("seconds", defaultSeconds, maxSeconds)
		}
		if err != nil {
			fail(w, r, err)
			return
		}
		oneProfile(w, r, seconds)
	}
}

// oneProfile serves those that have a handler of their own by it, all others
// by their name.
func oneProfile(w http.ResponseWriter, r *http.Request, seconds int) {
	switch name := pathParam(r, "profile"); name {
	case "cmdline":
		pprof.Cmdline(w, r)
	case "profile", "trace":
		r = r.Clone(r.Context()) // the form is not yet parsed
		v := r.URL.Query()
		v.Set("seconds", strconv.Itoa(seconds))
		r.URL.RawQuery = v.Encode()
		if name == "trace" {
			pprof.Trace(w, r)
			return
		}
		pprof.Profile(w, r)
	default:
		if runtimepprof.Lookup(name) == nil {
			fail(w, r, plain(http.StatusNotFound, "there is no profile of that name; heap, goroutine and profile are some"))
			return
		}
		pprof.Handler(name).ServeHTTP(w, r)
	}
}
