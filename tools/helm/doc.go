// Package helm checks the chart in ../../deploy/helm with helm, kubectl-validate
// and kube-score, each pinned as a Go tool. It holds tests only, and asks no
// cluster.
//
// Helm 3.15 is the newest that shares its Kubernetes libraries (1.30) with
// kubectl-validate, so that they are built once; kube-score has a module of its
// own.
package helm
