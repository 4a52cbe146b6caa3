package explain

import (
	"encoding/json"
	"strings"
)

// pasted is a text taken apart.
type pasted struct {
	lines  []string // without empty ones and without the identity
	count  int
	caller *caller
}

// A caller is the answer of `aws sts get-caller-identity`.
type caller struct {
	UserID  string `json:"UserId"`
	Account string `json:"Account"`
	ARN     string `json:"Arn"`
}

// read takes a text apart. An identity may stand anywhere in it, over several
// lines or on one.
func read(input string) *pasted {
	in := &pasted{}
	input = strings.ToValidUTF8(input, "\uFFFD")
	input = in.takeIdentity(input)
	for line := range strings.Lines(input) {
		line = strings.TrimRight(line, "\r\n")
		if strings.TrimSpace(line) == "" {
			continue
		}
		in.count++
		if isPrompt(line) {
			continue
		}
		if in.caller == nil {
			if c := tabbed(line); c != nil {
				in.caller = c
				continue
			}
		}
		in.lines = append(in.lines, line)
	}
	return in
}

// isPrompt knows the lines on which somebody typed a command.
func isPrompt(line string) bool {
	return strings.HasPrefix(line, "$ ") || strings.HasPrefix(line, "# ") || strings.HasPrefix(line, "PS C:")
}

// maxIdentity is the longest JSON of an identity, in bytes: IAM's longest ARN
// with its path and session takes half of it. Longer JSON is not read to its end
// from each brace anew.
const maxIdentity = 2 << 10

// takeIdentity finds the JSON of an identity and returns the text without it.
func (in *pasted) takeIdentity(input string) string {
	for from := 0; ; {
		i := strings.IndexByte(input[from:], '{')
		if i < 0 {
			return input
		}
		from += i
		var c caller
		d := json.NewDecoder(strings.NewReader(input[from:min(len(input), from+maxIdentity)]))
		if err := d.Decode(&c); err == nil && c.ARN != "" && c.UserID != "" && c.Account != "" {
			in.caller = &c
			in.count++
			return input[:from] + "\n" + input[from+int(d.InputOffset()):]
		}
		from++
	}
}

// tabbed reads the form of --output text: account, ARN and user id with tabs
// between.
func tabbed(line string) *caller {
	f := strings.Fields(line)
	if len(f) != 3 || !strings.HasPrefix(f[1], "arn:") {
		return nil
	}
	return &caller{Account: f[0], ARN: f[1], UserID: f[2]}
}
