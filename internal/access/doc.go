// Package access reads what a cluster allows, so that a denial can be
// explained: authentication mode, access entries, the aws-auth ConfigMap and
// the IAM roles behind them.
//
// All of it is optional by permission. Tier 1 is EKS's own API, tier 2
// aws-auth through Kubernetes, tier 3 IAM. A call that is refused lowers the
// tier and is named in authlog.Access; nothing else breaks. The actions of each
// tier are those of Actions, and no others are ever called.
//
// The package must never change anything in a cluster or an account, and never
// log or return a token.
package access
