package parse

import (
	"strconv"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// Encode prints the event as logrus does, without a line end: the very bytes
// of every line that logrus printed, since which values it quotes has been the
// same from version 1.0.3 to 1.10. An event of the JSON form becomes the text
// that the same entry would have been.
func Encode(ev *authlog.Event) string { return string(AppendText(nil, ev)) }

// AppendText is Encode onto dst.
func AppendText(dst []byte, ev *authlog.Event) []byte {
	start := len(dst)
	for _, key := range head {
		for i := range ev.Fields {
			if ev.Fields[i].Key == key {
				dst = appendPair(dst, start, &ev.Fields[i])
			}
		}
	}
	for i := range ev.Fields {
		if !isHead(ev.Fields[i].Key) {
			dst = appendPair(dst, start, &ev.Fields[i])
		}
	}
	return dst
}

// The keys that logrus does not sort.
var head = [...]string{"time", "level", "msg", "logrus_error"}

func isHead[T string | []byte](key T) bool {
	switch string(key) {
	case "time", "level", "msg", "logrus_error":
		return true
	}
	return false
}

func appendPair(dst []byte, start int, f *authlog.Field) []byte {
	if len(dst) > start {
		dst = append(dst, ' ')
	}
	dst = append(dst, f.Key...)
	dst = append(dst, '=')
	if bareLen(f.Value) == len(f.Value) {
		return append(dst, f.Value...)
	}
	return strconv.AppendQuote(dst, f.Value)
}
