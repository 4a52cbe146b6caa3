package api_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/eks-authlog/eks-authlog/internal/rules"
)

type reason struct {
	Code, Layer, Summary, Cause, Retryable string
	WhoActs                                string `json:"who_acts"`
	Remedy                                 []struct{ Who, Do, Command string }
	Docs                                   []string
}

func TestReasonsIsTheWholeCatalogue(t *testing.T) {
	s := serveFake(t, &fake{})
	list := decode[struct{ Reasons []reason }](t, s.get(t, "/reasons"), http.StatusOK).Reasons
	if len(list) != len(rules.All()) {
		t.Fatalf("%d reasons, the catalogue has %d", len(list), len(rules.All()))
	}
	for _, listed := range list {
		one := decode[reason](t, s.get(t, "/reasons/"+listed.Code), http.StatusOK)
		known, _ := rules.ByCode(listed.Code)
		for _, got := range []reason{listed, one} {
			if got.Code != known.Code || got.Layer != string(known.Layer) || got.Summary != known.Summary ||
				got.Cause != known.Cause || got.WhoActs != string(known.WhoActs) || got.Retryable != string(known.Retryable) ||
				len(got.Remedy) != len(known.Remedy) || !slices.Equal(got.Docs, known.Docs) || got.Docs == nil || got.Remedy == nil {
				t.Errorf("%+v is not %+v", got, known)
			}
		}
	}
}

func TestUnknownReasonIsNamed(t *testing.T) {
	p := decodeProblem(t, serveFake(t, &fake{}).get(t, "/reasons/no%2Fsuch"), http.StatusNotFound)
	if p.Type != "/problems/unknown-reason" || !strings.Contains(p.Detail, `"no/such"`) {
		t.Errorf("%+v", p)
	}
}
