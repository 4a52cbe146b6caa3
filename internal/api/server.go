package api

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/rs/zerolog"
)

const (
	maxHeader = 32 << 10  // bytes of request line and headers; room for every reason code and long ARNs
	maxBody   = 512 << 10 // bytes; more than any route reads, this bounds what net/http swallows
)

// NewServer builds a server for h, of New or NewTelemetry, that no slow or
// greedy caller can hold: every phase of a request has a time limit, and header
// and body a size limit. The caller serves and shuts it down.
func NewServer(h http.Handler, log zerolog.Logger) *http.Server {
	return &http.Server{
		Handler:           http.MaxBytesHandler(h, maxBody),
		BaseContext:       withListener,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      requestTimeout + 10*time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(zerolog.NewSlogHandler(log), slog.LevelWarn),
	}
}
