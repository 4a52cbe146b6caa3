package diagnose

import "github.com/eks-authlog/eks-authlog/internal/authlog"

// advise adds what would confirm a verdict and what puts it right.
func (v *verdict) advise(_ *cluster, _ *authlog.Diagnosis) {}
