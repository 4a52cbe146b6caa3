package api

import (
	"net/http"

	"github.com/eks-authlog/eks-authlog/internal/rules"
)

func listReasons() ask {
	all := rules.All()
	list := reasonList{Reasons: make([]reason, 0, len(all))}
	for i := range all {
		list.Reasons = append(list.Reasons, wireReason(&all[i]))
	}
	doc := jsonDocument(list)
	return func(*http.Request, query) (document, error) { return doc, nil }
}

func showReason(r *http.Request, _ query) (document, error) {
	code := pathParam(r, "code")
	known, ok := rules.ByCode(code)
	if !ok {
		return document{}, refuse(unknownReason, "no reason has the code %q; GET /reasons lists all codes", code)
	}
	return jsonDocument(wireReason(&known)), nil
}
