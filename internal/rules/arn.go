package rules

import (
	"strings"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// An ARN is an IAM or STS principal of the strict grammar that ParseARN
// accepts.
type ARN struct {
	Partition string // aws, aws-cn, …
	Service   string // iam or sts
	Account   string // 12 digits
	Type      string // role, user, root, assumed-role or federated-user
	Path      string // of a role or user: "/" or "/team/x/"; "" for the other types
	Name      string // of the role, user or federated user; "" for root
	Session   string // of an assumed role
}

// ParseARN reads the ARN of a principal and accepts nothing but what IAM and
// STS give out: one of eight partitions, an account of 12 digits, a role, user,
// root, assumed role or federated user, with names of the characters that IAM
// allows there. Paths are held to the same characters and "/", although IAM
// allows more.
//
// What it accepts consists of ASCII letters, digits and _+=,.@:/- alone, so
// that it can stand in a command as it is.
func ParseARN(s string) (ARN, bool) {
	a, resource, ok := cutARN(s)
	if !ok || a.Region != "" || !IsPartition(a.Partition) || !authlog.IsAccount(a.Account) {
		return ARN{}, false
	}
	arn := ARN{Partition: a.Partition, Service: a.Service, Account: a.Account}
	arn.Type, resource, _ = strings.Cut(resource, "/")
	switch arn.Service + ":" + arn.Type {
	case "iam:root":
		return arn, s == arn.String()
	case "iam:role", "iam:user":
		i := strings.LastIndexByte(resource, '/') + 1
		arn.Path, arn.Name = "/"+resource[:i], resource[i:]
		ok = isPath(arn.Path) && isName(arn.Name, 1, 64)
	case "sts:assumed-role":
		arn.Name, arn.Session, ok = strings.Cut(resource, "/")
		ok = ok && isName(arn.Name, 1, 64) && isName(arn.Session, 2, 64)
	case "sts:federated-user":
		arn.Name = resource
		ok = isName(arn.Name, 2, 32)
	default:
		ok = false
	}
	if !ok {
		return ARN{}, false
	}
	return arn, true
}

// String is the inverse of ParseARN.
func (a ARN) String() string {
	s := "arn:" + a.Partition + ":" + a.Service + "::" + a.Account + ":" + a.Type
	switch a.Type {
	case "role", "user":
		s += a.Path + a.Name
	case "assumed-role":
		s += "/" + a.Name + "/" + a.Session
	case "federated-user":
		s += "/" + a.Name
	}
	return s
}

// Canonical gives the ARN that the authenticator maps and prints: an assumed
// role becomes its role, without the session, and all others stay as they are.
// It reports false for what the authenticator does not take for a principal.
//
// It is as lenient as the authenticator: the account and the names are not
// looked at. Nothing may go into a command that did not pass ParseARN.
func Canonical(arn string) (string, bool) {
	a, resource, ok := cutARN(arn)
	if !ok || !IsPartition(a.Partition) {
		return "", false
	}
	kind, rest, _ := strings.Cut(resource, "/")
	switch a.Service + ":" + kind {
	case "iam:role", "iam:user", "iam:root", "sts:federated-user":
		return arn, true
	case "sts:assumed-role":
		i := strings.LastIndexByte(rest, '/')
		if i < 0 {
			return "", false
		}
		return "arn:" + a.Partition + ":iam::" + a.Account + ":role/" + rest[:i], true
	}
	return "", false
}

// arnHead is what stands before an ARN's resource.
type arnHead struct{ Partition, Service, Region, Account string }

// cutARN splits arn:partition:service:region:account:resource.
func cutARN(s string) (h arnHead, resource string, ok bool) {
	s, ok = strings.CutPrefix(s, "arn:")
	for _, part := range [...]*string{&h.Partition, &h.Service, &h.Region, &h.Account} {
		if ok {
			*part, s, ok = strings.Cut(s, ":")
		}
	}
	return h, s, ok
}

// IsPartition knows the partitions that authenticator v0.7.18 accepts.
func IsPartition(s string) bool {
	switch s {
	case "aws", "aws-cn", "aws-us-gov", "aws-iso", "aws-iso-b", "aws-iso-e", "aws-iso-f", "aws-eusc":
		return true
	}
	return false
}

func isName(s string, least, most int) bool {
	for i := range len(s) {
		if !isNameByte(s[i]) {
			return false
		}
	}
	return least <= len(s) && len(s) <= most
}

func isPath(s string) bool {
	for i := range len(s) {
		if s[i] != '/' && !isNameByte(s[i]) {
			return false
		}
	}
	return len(s) <= 512 && !strings.Contains(s, "//")
}

func isNameByte(c byte) bool {
	return isLetter(c) || isDigit(c) || strings.IndexByte("_+=,.@-", c) >= 0
}
