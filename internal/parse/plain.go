package parse

import (
	"strings"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// versionLine is what an authenticator prints first, to standard output.
const versionLine = "Authenticator Version: "

// readPlain reads the lines of an authenticator's stream that logrus did not
// write, and reports false when s is none of them.
func readPlain(ev *authlog.Event, s string) bool {
	if strings.HasPrefix(s, versionLine) {
		ev.Msg, ev.Kind = s, authlog.KindMarker
		return true
	}
	if n := klogHeader(s); n > 0 {
		ev.Level, ev.Msg, ev.Kind = klogLevel(s[0]), s[n:], authlog.KindOther
		return true
	}
	if isTraceback(s) {
		ev.Msg, ev.Kind = s, authlog.KindOther
		return true
	}
	return false
}

// klogHeader is the length of what client-go's klog puts before a message, or 0:
//
//	E1123 21:21:37.585758   24253 reflector.go:227] message
func klogHeader(s string) int {
	const shape = "E0000 00:00:00.000000 "
	if len(s) < len(shape) || klogLevel(s[0]) == "" {
		return 0
	}
	for i := 1; i < len(shape); i++ {
		if shape[i] == '0' && !isDigit(s[i]) || shape[i] != '0' && shape[i] != s[i] {
			return 0
		}
	}
	where := strings.TrimLeft(s[len(shape):], " 0123456789")
	file, msg, ok := strings.Cut(where, "] ")
	if !ok || strings.ContainsAny(file, " \"") || !strings.Contains(file, ".go:") {
		return 0
	}
	return len(s) - len(msg)
}

// klogLevel is the level that a klog header begins with, or "".
func klogLevel(c byte) string {
	switch c {
	case 'I':
		return "info"
	case 'W':
		return "warning"
	case 'E':
		return "error"
	case 'F':
		return "fatal"
	}
	return ""
}

// isTraceback knows the lines that the Go runtime prints when a program dies.
func isTraceback(s string) bool {
	for _, p := range [...]string{"panic: ", "fatal error: ", "goroutine ", "[signal ", "created by ", "exit status ", "runtime: "} {
		if strings.HasPrefix(s, p) {
			return true
		}
	}
	if strings.HasPrefix(s, "/") {
		return strings.Contains(s, ".go:")
	}
	name, _, call := strings.Cut(s, "(")
	return call && strings.HasSuffix(s, ")") && strings.Contains(name, ".") && !strings.ContainsAny(name, " \"=,")
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
