package api

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

type loopbackKey struct{}

// withListener notes whether the listener is reached from this machine alone.
func withListener(ln net.Listener) context.Context {
	addr, ok := ln.Addr().(*net.TCPAddr)
	return context.WithValue(context.Background(), loopbackKey{}, ok && addr.IP.IsLoopback())
}

// checkHost refuses a request that came over loopback for a host of another
// name. A page from elsewhere whose name was made to stand for 127.0.0.1 (DNS
// rebinding) would read the answers else, in the browser of whoever opens it.
// What a proxy on this machine may ask for is in names, as in such a header.
func checkHost(names []string) func(http.Handler) http.Handler {
	allowed := map[string]bool{}
	for _, name := range names {
		allowed[hostOf(name)] = true
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if loopback, _ := r.Context().Value(loopbackKey{}).(bool); loopback && !isLocal(r.Host) && !allowed[hostOf(r.Host)] {
				fail(w, r, plain(http.StatusMisdirectedRequest,
					"the header Host names another host than this machine; for a proxy in front, start with --web.allowed-host"))
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

// hostOf is the name in a header Host, in lower case and without the port.
func hostOf(header string) string {
	host, _, err := net.SplitHostPort(header)
	if err != nil {
		host = strings.Trim(header, "[]")
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

func isLocal(header string) bool {
	host := hostOf(header)
	if host == "localhost" || strings.HasSuffix(host, ".localhost") { // RFC 6761 6.3
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}
