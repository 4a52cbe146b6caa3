package access

import (
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

// cutResource parts what stands behind the account from what stands before.
func cutResource(arn string) (prefix, resource string, ok bool) {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 {
		return "", "", false
	}
	return strings.Join(parts[:5], ":") + ":", parts[5], true
}

func accountOf(arn string) string {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 {
		return ""
	}
	return parts[4]
}

// kindAndName gives role or user, and the name without its path.
func kindAndName(arn string) (kind, name string) {
	_, resource, _ := cutResource(arn)
	kind, rest, ok := strings.Cut(resource, "/")
	if !ok {
		return resource, ""
	}
	return kind, rest[strings.LastIndexByte(rest, '/')+1:]
}

// sameName says whether two ARNs are of the same name, whatever the path and
// account.
func sameName(a, b string) bool {
	_, x := kindAndName(a)
	_, y := kindAndName(b)
	return strings.EqualFold(x, y)
}

// printable gives s with every character that cannot be seen as an escape.
func printable(s string) string {
	if strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0 && strings.ToValidUTF8(s, "") == s {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if unicode.IsPrint(r) {
			b.WriteRune(r)
			continue
		}
		q := strconv.QuoteRune(r)
		b.WriteString(q[1 : len(q)-1])
	}
	return b.String()
}

var ssoRole = regexp.MustCompile(`^AWSReservedSSO_(.+)_[0-9a-f]{16}$`)

// permissionSet is the permission set whose role an ARN names, or "".
func permissionSet(arn string) string {
	kind, name := kindAndName(arn)
	if m := ssoRole.FindStringSubmatch(name); kind == "role" && m != nil {
		return m[1]
	}
	return ""
}
