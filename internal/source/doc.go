// Package source reads the authenticator's lines out of CloudWatch Logs: it
// discovers the log groups and streams that one set of credentials sees in one
// region, plans and runs Logs Insights queries over them, and hands out pages
// of authlog lines. It is the only package that knows the log API; types of
// AWS never leave it.
//
// A page is a promise: it holds every line of its targets that CloudWatch
// showed for its span, each once. What Insights cuts off at its row cap is
// asked for again, narrower, until it fits. Windows that overlap, late lines
// and what was counted before are the caller's: this package keeps no state
// between two reads but the limits and the caller's account.
//
// It must never drop a line in silence, leave a query running that nobody
// waits for, or filter @logStream by pattern (`like` does not use the index,
// so that every byte of the audit log would be scanned and billed).
package source
