package rules

import "strings"

// An errorBody is the Error object of an STS error body: the text from its
// first member on. It is empty for a body that is neither JSON nor XML in
// STS's form, such as the HTML page of a front end.
//
// The JSON form is {"Error":{"Code":…,"Message":…,"Type":…},"RequestId":…};
// the XML form is <ErrorResponse><Error><Type/><Code/><Message/></Error>….
type errorBody struct {
	object string
	xml    bool
}

func readBody(body string) errorBody {
	body = trimSpace(body)
	switch {
	case strings.HasPrefix(body, "{"):
		return errorBody{object: jsonMember(body, "Error")}
	case strings.HasPrefix(body, "<"):
		return errorBody{object: xmlElement(body, "<Error>", "</Error>"), xml: true}
	}
	return errorBody{}
}

// code is the AWS code word, or "".
func (e errorBody) code() string {
	code := jsonString(jsonMember(e.object, "Code"))
	if e.xml {
		code = xmlElement(e.object, "<Code>", "</Code>")
	}
	if !isCodeWord(code) {
		return ""
	}
	return code
}

// message is the sentence beside the code, with its JSON or XML escapes.
func (e errorBody) message() string {
	if e.xml {
		return xmlElement(e.object, "<Message>", "</Message>")
	}
	return jsonString(jsonMember(e.object, "Message"))
}

// isCodeWord tells whether s has the form of an AWS error code, such as
// AccessDenied or InvalidInstanceID.NotFound.
func isCodeWord(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !isLetter(c) && !isDigit(c) && c != '.' {
			return false
		}
	}
	return s != ""
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }
func isDigit(c byte) bool  { return '0' <= c && c <= '9' }

// xmlElement returns the text between the first open tag and the close tag
// after it.
func xmlElement(s, open, end string) string {
	_, s, ok := strings.Cut(s, open)
	if !ok {
		return ""
	}
	s, _, ok = strings.Cut(s, end)
	if !ok {
		return ""
	}
	return strings.TrimSpace(s)
}

// jsonMember returns what begins with the value of the first member of that
// name of the object that s begins with, or "". Names and values deeper in the
// object, and text inside of strings, are passed over.
func jsonMember(s, name string) string {
	s, ok := strings.CutPrefix(trimSpace(s), "{")
	for ok {
		s = trimSpace(s)
		key := jsonString(s)
		if s, ok = strings.CutPrefix(trimSpace(s[jsonLen(s):]), ":"); !ok {
			return ""
		}
		s = trimSpace(s)
		if key == name {
			return s
		}
		s, ok = strings.CutPrefix(trimSpace(s[jsonLen(s):]), ",")
	}
	return ""
}

func trimSpace(s string) string { return strings.TrimLeft(s, " \t\r\n") }

// jsonString is the inside of the string that s begins with, still escaped, or
// "" when s begins with anything else or breaks off.
func jsonString(s string) string {
	if s == "" || s[0] != '"' {
		return ""
	}
	if n := stringLen(s); n > 0 {
		return s[1 : n-1]
	}
	return ""
}

// jsonLen is the length of the JSON value at the beginning of s, or 0 when it
// does not end there.
func jsonLen(s string) int {
	switch {
	case s == "":
		return 0
	case s[0] == '"':
		return stringLen(s)
	case s[0] == '{' || s[0] == '[':
		return nestedLen(s)
	}
	return max(strings.IndexAny(s, ",}] \t\r\n"), 0)
}

// stringLen is the length of the quoted string that s begins with.
func stringLen(s string) int {
	for i := 1; i < len(s); i++ {
		n := strings.IndexByte(s[i:], '"')
		if n < 0 {
			return 0
		}
		i += n
		if bare := strings.TrimRight(s[1:i], `\`); (i-1-len(bare))%2 == 0 {
			return i + 1
		}
	}
	return 0
}

// nestedLen is the length of the object or array that s begins with.
func nestedLen(s string) int {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"':
			n := stringLen(s[i:])
			if n == 0 {
				return 0
			}
			i += n - 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return 0
}
