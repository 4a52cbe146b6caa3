package awsauth

import "strings"

// A Lockout is a principal that a file denies.
type Lockout struct {
	Principal string   `json:"principal"`
	Nearest   *Nearest `json:"nearest,omitempty"`
}

// A Nearest is the item that is most like one for a principal, and why it is
// not the one that lets it in.
type Nearest struct {
	Code    string `json:"code"` // of Rules, or sso_role_rotated
	Section string `json:"section"`
	Item    int    `json:"item"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	ARN     string `json:"arn"` // as the item spells it
	Message string `json:"message"`
	// Corrected is the item with the principal's ARN, as YAML: empty where the
	// item may be somebody else's.
	Corrected string `json:"corrected"`
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
func (r *Report) lockedOut(granted []string) []Lockout {
	var out []Lockout
	for _, arn := range granted {
		if _, ok := r.Mappings.Map(arn); !ok {
			out = append(out, Lockout{Principal: printable(arn), Nearest: r.Nearest(arn)})
		}
	}
	return out
}

// Nearest gives the item that is most like one for a canonical ARN that is not
// let in, or nil. It may be called by several at once.
func (r *Report) Nearest(arn string) *Nearest {
	if r.linter == nil {
		return nil // read from JSON
	}
	return r.linter.nearest(r.index(), arn)
}

// Near finds among ARNs that are written somewhere the one that is most like the
// principal that was denied, and says in what way: its place, code and message
// as in Nearest, and where the two differ. The place is -1 where they have
// nothing to do with it.
func Near(have []string, want string) (i int, code, message string, haveSpan, wantSpan Span) {
	entries := make([]entry, len(have))
	for i, arn := range have {
		entries[i].arn.s = arn
	}
	if i, code, message = indexOf(entries).nearest(want); i >= 0 {
		haveSpan, wantSpan = differ(have[i], want)
	}
	return i, code, message, haveSpan, wantSpan
}

// index finds the items that are nearly a principal without asking each one.
// The keys are in lower case; the values are the entries, in their order.
type index struct {
	entries []entry
	faults  []*fault // of each entry, whatever the cluster
	lower   []string // each ARN
	same    map[string][]int
	fixed   map[string][]int // by the ARN without its faults
	names   map[string][]int // by the last part of the ARN
	sets    map[string][]int // by account and permission set
}

func indexOf(entries []entry) *index {
	x := &index{entries: entries, same: map[string][]int{}, fixed: map[string][]int{}, names: map[string][]int{}, sets: map[string][]int{}}
	add := func(m map[string][]int, key string, i int) {
		if key != "" {
			m[key] = append(m[key], i)
		}
	}
	for i := range entries {
		arn := entries[i].arn.s
		low := strings.ToLower(arn)
		f := arnFault(arn, &Options{})
		x.lower, x.faults = append(x.lower, low), append(x.faults, f)
		add(x.same, low, i)
		if f != nil {
			add(x.fixed, strings.ToLower(correct(arn, &Options{})), i)
		}
		add(x.names, lastPart(low), i)
		add(x.sets, setKey(low), i)
	}
	return x
}

func lastPart(arn string) string { return arn[strings.LastIndexByte(arn, '/')+1:] }

// setKey tells one permission set of an account from others; "" for what is no
// role of IAM Identity Center.
func setKey(arn string) string {
	m := ssoRole.FindStringSubmatch(lastPart(arn))
	if m == nil {
		return ""
	}
	return accountOf(arn) + " " + m[1]
}

// nearest tries each way to be nearly right, the surest first.
// It returns its place, or -1.
func (x *index) nearest(arn string) (i int, code, message string) {
	want := strings.ToLower(arn)
	for _, list := range [][]int{x.same[want], x.fixed[want]} {
		for _, i := range list {
			if lost := x.entries[i].lost; lost != nil {
				return i, lost.Code, "the item is there and is lost: " + lost.Message
			}
		}
	}
	for _, i := range x.fixed[want] {
		return i, x.faults[i].code, x.faults[i].message
	}
	for _, like := range [...]func(have, want string) (code, message string){samePath, sameName} {
		for _, i := range x.names[lastPart(want)] {
			if code, message := like(x.lower[i], want); code != "" {
				return i, code, message
			}
		}
	}
	for _, i := range x.sets[setKey(want)] {
		return i, CodeSSORotated, "the permission set is the same, its role was made anew: the suffix is another"
	}
	best := -1
	most := 2
	for i, have := range x.lower {
		if d := distance(have, want, most); have != want && d <= most {
			best, most = i, d-1
		}
	}
	if best < 0 {
		return -1, "", ""
	}
	return best, CodeBadARN, "the ARN is spelt otherwise"
}

// its reports whether the item cannot be but the principal's: nobody gets in by
// it as it is written, and its account is the principal's, or the cluster's.
// Corrected, any other would take a mapping away from who has it, and give
// it to somebody whom nobody meant.
func (x *index) its(i int, code, arn string, o *Options) bool {
	e := &x.entries[i]
	if e.lost == nil && x.faults[i] == nil && code != CodeUserPath && code != CodeSSORotated {
		return false
	}
	account := accountOf(arn)
	return account == accountOf(e.arn.s) || account == o.Account || strings.EqualFold(arn, correct(e.arn.s, o))
}

// nearest is the item that is most like one for a principal, or nil.
func (l *linter) nearest(x *index, arn string) *Nearest {
	i, code, message := x.nearest(arn)
	if i < 0 {
		return nil
	}
	e := &x.entries[i]
	n := &Nearest{Code: code, Section: e.section, Item: e.item, ARN: printable(e.arn.s), Message: printable(message)}
	if x.its(i, code, arn, l.o) {
		n.Corrected = e.yaml(arn)
	}
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

// samePath finds a user that is written without its path, or with another.
// Both ARNs are in lower case and of the same name.
func samePath(have, want string) (code, message string) {
	const kind = ":user/"
	h, w := strings.Index(have, kind), strings.Index(want, kind)
	if have == want || h < 0 || w < 0 || have[:h] != want[:w] {
		return "", ""
	}
	return CodeUserPath, "the path of an IAM user is part of its ARN"
}

// sameName finds the same role or user in another account or partition.
func sameName(have, want string) (code, message string) {
	h, w := strings.SplitN(have, ":", 6), strings.SplitN(want, ":", 6)
	if have == want || len(h) < 6 || len(w) < 6 || kindOf(h[5]) != kindOf(w[5]) {
		return "", ""
	}
	switch {
	case h[1] != w[1]:
		return CodeBadARN, "the partition is another"
	case h[4] != w[4]:
		return CodeBadARN, "the account is another"
	}
	return CodeBadARN, "the same name is written otherwise"
}

func kindOf(resource string) string {
	kind, _, _ := strings.Cut(resource, "/")
	return kind
}
