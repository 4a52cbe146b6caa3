package api

import (
	"net/http"

	"github.com/eks-authlog/eks-authlog/internal/rules"
)

func listReasons() ask {
	all := rules.All()
	doc := reasonList{Reasons: make([]reason, 0, len(all))}
	for i := range all {
		doc.Reasons = append(doc.Reasons, wireReason(&all[i]))
	}
	return func(*http.Request, query) (any, error) { return doc, nil }
}

func showReason(r *http.Request, _ query) (any, error) {
	code := pathParam(r, "code")
	known, ok := rules.ByCode(code)
	if !ok {
		return nil, refuse(unknownReason, "no reason has the code %q; GET /reasons lists all codes", code)
	}
	return wireReason(&known), nil
}
