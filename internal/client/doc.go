// Package client asks the API over HTTP, as any program outside would. All of
// it but Problem.Error is generated: oapi-codegen reads internal/api/openapi.yaml,
// and overlay.yaml, which says what differs for a caller; "make client" writes
// it anew. What was generated must never be edited.
//
// A null time or object is a nil pointer. Whatever is no success leaves a
// Problem in the response's ApplicationProblemJSONDefault. Text that it returns
// may have been chosen by whoever called a Kubernetes API server: show it as
// text, never as markup, and never raw on a terminal.
package client

// Error is the problem's detail, or its title where it has none: what is wrong
// and what is wanted.
func (p *Problem) Error() string {
	if p.Detail == "" {
		return p.Title
	}
	return p.Detail
}
