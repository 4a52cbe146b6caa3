package diagnose_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/eks-authlog/eks-authlog/internal/diagnose"
)

// TestEveryCodeHasIncidentAndNearMiss wants for each code of the catalogue at
// least one incident that leads to it, and a near miss that does not.
func TestEveryCodeHasIncidentAndNearMiss(t *testing.T) {
	seen := map[string]bool{}
	for _, in := range incidents(t) {
		m, _ := replay(in, inOrder(in, find(in.lines)))
		for _, d := range all(in, m) {
			seen[d.Code] = true
			if _, ok := diagnose.ByCode(d.Code); !ok {
				t.Errorf("%s: %s is not in the catalogue", in.name, d.Code)
			}
			if strings.HasPrefix(in.name, "near_"+d.Code) {
				t.Errorf("%s is no near miss: it leads to %s", in.name, d.Code)
			}
		}
	}
	for _, e := range diagnose.All() {
		if !seen[e.Code] {
			t.Errorf("no incident leads to %s", e.Code)
		}
		if _, err := os.Stat(filepath.Join(incidentsDir, "near_"+e.Code+".txtar")); err != nil {
			t.Errorf("%s has no near miss", e.Code)
		}
	}
}

func TestByCodeFindsEveryEntryAndNoOther(t *testing.T) {
	for _, e := range diagnose.All() {
		if got, ok := diagnose.ByCode(e.Code); !ok || got.Code != e.Code {
			t.Errorf("ByCode(%q) = %v, %v", e.Code, got.Code, ok)
		}
	}
	if e, ok := diagnose.ByCode("no_such"); ok {
		t.Errorf("found %v", e)
	}
}
