package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// buildVersion is the module's version and the commit it was built from, as
// the Go command recorded them in the binary.
func buildVersion() (version, revision string) {
	version, revision = "unknown", "unknown"
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return version, revision
	}
	version = info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			revision = s.Value
		}
	}
	return version, revision
}

func versionText() string {
	version, revision := buildVersion()
	return fmt.Sprintf("analyzer, version %s (revision: %s, go version: %s, platform: %s/%s)",
		version, revision, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
