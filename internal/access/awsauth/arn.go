package awsauth

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A fault is the first thing in an ARN that keeps it from ever matching.
type fault struct {
	code     string
	message  string
	from, to int    // the wrong bytes
	fixed    string // the ARN without this fault; empty where it cannot be known
}

var (
	placeholder = regexp.MustCompile(`[<>$]|\{\{|\}\}`) // IAM allows none of them
	ssoRole     = regexp.MustCompile(`(?i)^AWSReservedSSO_(.+)_([0-9a-f]{16})$`)
	badName     = regexp.MustCompile(`[^\w+=,.@-]`)
)

// arnFault finds the first fault, or nil. Case is never one.
func arnFault(arn string, o *Options) *fault {
	for _, check := range [...]func(string, *Options) *fault{leftPlaceholder, unseen, wildcard, unusual, structure} {
		if f := check(arn, o); f != nil {
			return f
		}
	}
	return nil
}

// correct mends fault after fault; it gives "" where one cannot be mended.
func correct(arn string, o *Options) string {
	for range 8 {
		f := arnFault(arn, o)
		if f == nil {
			return arn
		}
		if f.fixed == "" {
			return ""
		}
		arn = f.fixed
	}
	return ""
}

func hidden(r rune) bool {
	return unicode.IsSpace(r) || unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Zs, r) || r == utf8.RuneError
}

func unseen(arn string, _ *Options) *fault {
	from := strings.IndexFunc(arn, hidden)
	if from < 0 {
		return nil
	}
	end := strings.IndexFunc(arn[from:], func(r rune) bool { return !hidden(r) })
	to := len(arn)
	if end >= 0 {
		to = from + end
	}
	fixed := strings.Map(func(r rune) rune {
		if hidden(r) {
			return -1
		}
		return r
	}, arn)
	if strings.ContainsRune(arn, utf8.RuneError) { // nobody knows what it was
		return &fault{CodeInvisible, "the ARN has U+FFFD, which stands for what is no character", from, to, ""}
	}
	return &fault{CodeInvisible, "the ARN has a character that cannot be seen", from, to, fixed}
}

func leftPlaceholder(arn string, _ *Options) *fault {
	m := placeholder.FindStringIndex(arn)
	if m == nil {
		return nil
	}
	return &fault{CodePlaceholder, "a placeholder was left in the ARN", m[0], m[1], ""}
}

func wildcard(arn string, _ *Options) *fault {
	i := strings.IndexAny(arn, "*?")
	if i < 0 {
		return nil
	}
	return &fault{CodeBadARN, "no character stands for others: the ARN is compared as it is written", i, i + 1, ""}
}

func unusual(arn string, _ *Options) *fault {
	for i, r := range arn {
		if r >= utf8.RuneSelf {
			return &fault{CodeBadARN, fmt.Sprintf("%q (U+%04X) never stands in an ARN, though it may look like a letter that does", r, r), i, i + utf8.RuneLen(r), ""}
		}
	}
	return nil
}

// structure checks the six parts.
func structure(arn string, o *Options) *fault {
	p := strings.SplitN(arn, ":", 6)
	if !strings.EqualFold(p[0], "arn") {
		return &fault{CodeBadARN, "this is no ARN", 0, len(arn), bareName(arn, o)}
	}
	if len(p) < 6 {
		return &fault{CodeBadARN, "an ARN has six parts; here are " + strconv.Itoa(len(p)), 0, len(arn), addColon(p)}
	}
	at := func(i int) int { return len(strings.Join(p[:i], ":")) + 1 }
	bad := func(i int, message, instead string) *fault {
		q := slices.Clone(p)
		q[i] = instead
		fixed := strings.Join(q, ":")
		if instead == "" && i != 3 {
			fixed = ""
		}
		return &fault{CodeBadARN, message, at(i), at(i) + len(p[i]), fixed}
	}
	if f := partitionFault(p[1], o, bad); f != nil {
		return f
	}
	if p[3] != "" {
		return bad(3, "an IAM ARN has no region", "")
	}
	if !accountID.MatchString(p[4]) {
		f := bad(4, accountMessage(p[4]), "")
		if strings.ContainsFunc(p[4], unicode.IsLetter) {
			f.code, f.message = CodePlaceholder, "a placeholder was left in the place of the account"
		}
		return f
	}
	if f := serviceFault(p, bad); f != nil {
		return f
	}
	return resourceFault(p, at(5))
}

// bareName makes an ARN of a role's name that stands alone, where partition
// and account are known.
func bareName(name string, o *Options) string {
	name = strings.TrimPrefix(name, "role/")
	if o.Account == "" || badName.MatchString(name) || name == "" {
		return ""
	}
	partition := o.Partition
	if partition == "" {
		partition = "aws"
	}
	return "arn:" + partition + ":iam::" + o.Account + ":role/" + name
}

// addColon mends arn:aws:iam:111122223333:role/x.
func addColon(p []string) string {
	if len(p) == 5 && accountID.MatchString(p[3]) {
		return strings.Join(p[:3], ":") + "::" + strings.Join(p[3:], ":")
	}
	return ""
}

func partitionFault(partition string, o *Options, bad func(int, string, string) *fault) *fault {
	p := strings.ToLower(partition)
	switch {
	case o.Partition != "" && p != o.Partition:
		return bad(1, "the cluster's partition is "+o.Partition, o.Partition)
	case !slices.Contains(partitions, p):
		return bad(1, "there is no such partition", "")
	}
	return nil
}

func accountMessage(account string) string {
	digits := strings.IndexFunc(account, func(r rune) bool { return r < '0' || r > '9' }) < 0
	switch {
	case account == "":
		return "the account is missing"
	case digits:
		return fmt.Sprintf("an account has 12 digits; this one has %d", len(account))
	}
	return "an account has 12 digits and nothing else"
}

func serviceFault(p []string, bad func(int, string, string) *fault) *fault {
	service, kind, _ := strings.Cut(strings.ToLower(p[2]+"\x00"+p[5]), "\x00")
	kind, _, _ = strings.Cut(kind, "/")
	want := "iam"
	if kind == "assumed-role" || kind == "federated-user" {
		want = "sts"
	}
	if service != want {
		return bad(2, "the service of such an ARN is "+want, want)
	}
	return nil
}

// resourceFault checks what stands behind the account; base is its offset.
func resourceFault(p []string, base int) *fault {
	prefix := strings.Join(p[:5], ":") + ":"
	kind, name, slash := strings.Cut(p[5], "/")
	bad := func(message string, from, to int, fixed string) *fault {
		return &fault{CodeBadARN, message, base + from, base + to, fixed}
	}
	switch strings.ToLower(kind) {
	case "root":
		return nil
	case "user", "federated-user":
		if name == "" || strings.HasSuffix(name, "/") {
			return bad("the user's name is missing", 0, len(p[5]), "")
		}
		return nil
	case "role":
		if !slash || strings.Trim(name, "/") == "" {
			return bad("the role's name is missing", 0, len(p[5]), "")
		}
		return roleFault(prefix, name, base+len("role/"))
	case "assumed-role":
		role, _, _ := strings.Cut(name, "/")
		fixed := ""
		if role != "" {
			fixed = "arn:" + p[1] + ":iam::" + p[4] + ":role/" + role
		}
		return &fault{CodeAssumedRole, "this is the ARN of a session; it is the role's that is compared", base, base + len(p[5]), fixed}
	case "instance-profile":
		return bad("this is an instance profile; write the ARN of the role in it", 0, len(kind), "")
	case "group":
		return bad("an IAM group cannot be mapped; map a role or the users", 0, len(kind), "")
	}
	if rest, ok := cutKind(p[5]); ok {
		return bad("a slash separates role or user from the name", 4, 5, prefix+p[5][:4]+"/"+rest)
	}
	return bad("only role/, user/, root and federated-user/ can be mapped", 0, len(kind), "")
}

// cutKind takes "role:" or "user:" off.
func cutKind(resource string) (string, bool) {
	if len(resource) > 5 && (strings.EqualFold(resource[:5], "role:") || strings.EqualFold(resource[:5], "user:")) {
		return resource[5:], true
	}
	return "", false
}

// roleFault checks the name of a role, which may have a path before it.
func roleFault(prefix, name string, base int) *fault {
	if trimmed := strings.Trim(name, "/"); trimmed != name {
		return &fault{CodeBadARN, "there is a slash too many", base, base + len(name), prefix + "role/" + trimmed}
	}
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		code, message := CodeRolePath, "the role is written with its path"
		if strings.HasPrefix(strings.ToLower(name), "aws-reserved/sso.amazonaws.com/") {
			code, message = CodeSSOPath, "the role of IAM Identity Center is written with its path"
		}
		return &fault{code, message, base, base + i + 1, prefix + "role/" + name[i+1:]}
	}
	if m := badName.FindStringIndex(name); m != nil {
		return &fault{CodeBadARN, "this character never stands in the name of a role", base + m[0], base + m[1], ""}
	}
	if strings.HasPrefix(strings.ToLower(name), "awsreservedsso_") && !ssoRole.MatchString(name) {
		return &fault{CodeBadARN, "the role of a permission set ends in an underscore and 16 hexadecimal digits", base, base + len(name), ""}
	}
	return nil
}
