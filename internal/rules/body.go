package rules

import "strings"

// bodyError takes code word and message out of an STS error body. They are
// parts of the body, the message with its JSON or XML escapes. Both are empty
// for a body that is neither JSON nor XML in STS's form, such as the HTML page
// of a front end.
//
// The JSON form is {"Error":{"Code":…,"Message":…,"Type":…},"RequestId":…};
// the XML form is <ErrorResponse><Error><Type/><Code/><Message/></Error>….
func bodyError(body string) (code, message string) {
	body = trimSpace(body)
	switch {
	case strings.HasPrefix(body, "{"):
		e := jsonMember(body, "Error")
		code, message = unquoted(jsonMember(e, "Code")), unquoted(jsonMember(e, "Message"))
	case strings.HasPrefix(body, "<"):
		e := xmlElement(body, "<Error>", "</Error>")
		code, message = xmlElement(e, "<Code>", "</Code>"), xmlElement(e, "<Message>", "</Message>")
	}
	if !isCodeWord(code) {
		code = ""
	}
	return code, message
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

// jsonMember returns the raw value of the first member of that name of the
// object at the beginning of s, or "". Names and values deeper in the object,
// and text inside of strings, are passed over.
func jsonMember(s, name string) string {
	s, ok := strings.CutPrefix(trimSpace(s), "{")
	for ok {
		s = trimSpace(s)
		n := jsonLen(s)
		if n == 0 || s[0] != '"' {
			return ""
		}
		key := s[1 : n-1]
		if s, ok = strings.CutPrefix(trimSpace(s[n:]), ":"); !ok {
			return ""
		}
		s = trimSpace(s)
		if n = jsonLen(s); n == 0 {
			return ""
		}
		if key == name {
			return s[:n]
		}
		s, ok = strings.CutPrefix(trimSpace(s[n:]), ",")
	}
	return ""
}

func trimSpace(s string) string { return strings.TrimLeft(s, " \t\r\n") }

func unquoted(raw string) string {
	if len(raw) < 2 || raw[0] != '"' {
		return ""
	}
	return raw[1 : len(raw)-1]
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
		switch s[i] {
		case '\\':
			i++
		case '"':
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
