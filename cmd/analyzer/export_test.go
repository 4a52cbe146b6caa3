package main

import (
	"github.com/eks-authlog/eks-authlog/internal/config"
	"github.com/eks-authlog/eks-authlog/internal/diagnose"
)

// Thresholds are those that the daemon takes from a configuration.
func Thresholds(cfg *config.Config) diagnose.Config { return diagnoseConfig(&cfg.Diagnose) }
