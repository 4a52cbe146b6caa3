package awsauth

import (
	"strings"
)

// A Lockout is a principal that a file denies.
type Lockout struct {
	Principal string   `json:"principal"`
	Nearest   *Nearest `json:"nearest,omitempty"`
}

// A Nearest is the item that was probably meant for a principal, and why it is
// not the one that lets it in.
type Nearest struct {
	Code      string `json:"code"` // of Rules, or sso_role_rotated
	Section   string `json:"section"`
	Item      int    `json:"item"`
	Line      int    `json:"line"`
	Column    int    `json:"column"`
	ARN       string `json:"arn"` // as the item spells it
	Message   string `json:"message"`
	Corrected string `json:"corrected"` // the item with the principal's ARN, as YAML
	// Have and Want are where ARN and principal differ, as bytes [from, to).
	Have Span `json:"have"`
	Want Span `json:"want"`
}

// A Span is a part of a text, in bytes.
type Span struct {
	From int `json:"from"`
	To   int `json:"to"`
}

// CodeSSORotated says that an item has the role of the same permission set
// with another suffix: it was provisioned anew.
const CodeSSORotated = "sso_role_rotated"

// lockedOut gives those of the principals that got in and that the mappings
// deny.
func (l *linter) lockedOut(m *Mappings, granted []string) []Lockout {
	var out []Lockout
	for _, arn := range granted {
		if _, ok := m.Map(arn); ok {
			continue
		}
		out = append(out, Lockout{Principal: printable(arn), Nearest: l.nearest(arn)})
	}
	return out
}

// NearestTo gives the item of a ConfigMap's data that was probably meant for a
// canonical ARN that it does not let in, or nil. Lines are those of LintData.
func NearestTo(data map[string]string, arn string, o Options) *Nearest {
	o.Granted = []string{arn}
	r := LintData(data, o)
	if len(r.LockedOut) == 0 {
		return nil
	}
	return r.LockedOut[0].Nearest
}

// Near says in what way an ARN that is written somewhere is nearly the
// principal that was denied: code and message as in Nearest, and where the two
// differ. The code is "" where they have nothing to do with one another.
func Near(have, want string) (code, message string, haveSpan, wantSpan Span) {
	e := &entry{arn: placed{s: have}}
	e.judge()
	for _, like := range [...]func(have, want string, e *entry) (code, message string){sameCorrected, samePath, sameName, samePermissionSet, nearlySpelt} {
		if code, message = like(have, want, e); code != "" {
			haveSpan, wantSpan = differ(have, want)
			return code, message, haveSpan, wantSpan
		}
	}
	return "", "", Span{}, Span{}
}

// nearest tries each way to be nearly right, the surest first.
func (l *linter) nearest(arn string) *Nearest {
	for i := range l.entries {
		l.entries[i].judge()
	}
	for _, like := range [...]func(have, want string, e *entry) (code, message string){lostItem, sameCorrected, samePath, sameName, samePermissionSet, nearlySpelt} {
		for i := range l.entries {
			e := &l.entries[i]
			if code, message := like(e.arn.s, arn, e); code != "" {
				return l.near(e, arn, code, message)
			}
		}
	}
	return nil
}

func (l *linter) near(e *entry, arn, code, message string) *Nearest {
	n := &Nearest{Code: code, Section: e.section, Item: e.item, ARN: printable(e.arn.s), Message: printable(message), Corrected: e.yaml(arn)}
	n.Have, n.Want = differ(n.ARN, arn)
	n.Line, n.Column = l.lines.position(e.arn.offset(0))
	n.Line -= l.d.firstLine[e.section]
	return n
}

// differ gives what is left of two texts without their common beginning and
// end, which are compared without regard to case.
func differ(have, want string) (Span, Span) {
	h, w := strings.ToLower(have), strings.ToLower(want)
	if len(h) != len(have) || len(w) != len(want) {
		h, w = have, want
	}
	head := commonPrefix(h, w)
	tail := commonPrefix(reverse(h[head:]), reverse(w[head:]))
	return Span{head, len(have) - tail}, Span{head, len(want) - tail}
}

func lostItem(have, want string, e *entry) (string, string) {
	if e.lost == nil || !strings.EqualFold(have, want) && !strings.EqualFold(e.fixed, want) {
		return "", ""
	}
	return e.lost.Code, "the item is there and is lost: " + e.lost.Message
}

func sameCorrected(_, want string, e *entry) (string, string) {
	if e.fault == nil || !strings.EqualFold(e.fixed, want) {
		return "", ""
	}
	return e.fault.code, e.fault.message
}

// judge finds once what is wrong with the ARN by itself, whatever the cluster.
func (e *entry) judge() {
	if e.judged {
		return
	}
	e.judged = true
	if e.fault = arnFault(e.arn.s, &Options{}); e.fault != nil {
		e.fixed = correct(e.arn.s, &Options{})
	}
}

// samePath finds a user that is written without its path, or with another.
func samePath(have, want string, _ *entry) (string, string) {
	const kind = ":user/"
	h, w := strings.Index(have, kind), strings.Index(want, kind)
	if h < 0 || w < 0 || !strings.EqualFold(have[:h], want[:w]) || !strings.EqualFold(lastPart(have), lastPart(want)) {
		return "", ""
	}
	return CodeUserPath, "the path of an IAM user is part of its ARN"
}

func lastPart(arn string) string { return arn[strings.LastIndexByte(arn, '/')+1:] }

// sameName finds the same role or user in another account or partition.
func sameName(have, want string, _ *entry) (string, string) {
	h, w := strings.SplitN(have, ":", 6), strings.SplitN(want, ":", 6)
	if len(h) < 6 || len(w) < 6 || !strings.EqualFold(kindOf(h[5]), kindOf(w[5])) || !strings.EqualFold(lastPart(h[5]), lastPart(w[5])) {
		return "", ""
	}
	if !strings.EqualFold(h[1], w[1]) {
		return CodeBadARN, "the partition is another"
	}
	if h[4] != w[4] {
		return CodeBadARN, "the account is another"
	}
	return CodeBadARN, "the same name is written otherwise"
}

func kindOf(resource string) string {
	kind, _, _ := strings.Cut(resource, "/")
	return kind
}

func samePermissionSet(have, want string, _ *entry) (string, string) {
	h, w := ssoRole.FindStringSubmatch(lastPart(have)), ssoRole.FindStringSubmatch(lastPart(want))
	if h == nil || w == nil || !strings.EqualFold(h[1], w[1]) || accountOf(have) != accountOf(want) {
		return "", ""
	}
	return CodeSSORotated, "the permission set is the same, its role was made anew: the suffix is another"
}

func nearlySpelt(have, want string, _ *entry) (string, string) {
	h, w := strings.ToLower(have), strings.ToLower(want)
	if len(h) > 4096 || distance(h, w, 2) > 2 {
		return "", ""
	}
	return CodeBadARN, "the ARN is spelt otherwise"
}
