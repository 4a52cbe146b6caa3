package authlog_test

import (
	"testing"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

func TestNoCellIsTakenForAFormula(t *testing.T) {
	for cell, want := range map[string]string{
		"": "", "a=b;c": "a=b;c", "=1+1": "'=1+1", "a;=1": "a;'=1", ";;-1": ";;'-1", "＝1": "'＝1", "@SUM(A1)": "'@SUM(A1)", "\t=1": "'\t=1",
	} {
		if got := authlog.Defuse(cell); got != want {
			t.Errorf("%q became %q, want %q", cell, got, want)
		}
	}
}
