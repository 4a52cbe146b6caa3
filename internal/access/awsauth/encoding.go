package awsauth

import (
	"bytes"
	"encoding/binary"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// orderMark tells at the beginning of a file how it is encoded. Anywhere else
// it is a character like others that cannot be seen.
const orderMark = "\ufeff"

const isOrderMark = "is a byte order mark, which stands at the beginning of a file alone"

// decoded is the text of a file as kubectl reads it: UTF-8, or UTF-16 if its
// byte order mark says so, without that mark. For each byte that is no UTF-8 it
// has U+FFFD (k8s.io/cli-runtime, v0.37.2).
func decoded(src []byte) string {
	var order binary.ByteOrder
	switch text := string(src); {
	case strings.HasPrefix(text, "\xff\xfe"):
		order = binary.LittleEndian
	case strings.HasPrefix(text, "\xfe\xff"):
		order = binary.BigEndian
	default:
		return string([]rune(strings.TrimPrefix(text, orderMark)))
	}
	var units []uint16
	for i := 2; i+1 < len(src); i += 2 {
		units = append(units, order.Uint16(src[i:]))
	}
	text := string(utf16.Decode(units))
	if len(src)%2 != 0 {
		text += string(utf8.RuneError)
	}
	return text
}

// badCharacter moves the last refusal to the character that no YAML may hold,
// where that is what the parser complains of, or stumbles over.
func (d *document) badCharacter(text string, base int, err error) {
	at, bad := -1, ""
	switch why := err.Error(); {
	case strings.Contains(why, "control characters"):
		at, bad = strings.IndexFunc(text, notYAML), "is a control character"
		if strings.Contains(text[:min(2, len(text))], "\x00") {
			bad = "is part of a character of UTF-16 or UTF-32: save the file as UTF-8"
		}
	case isYAML(strings.ReplaceAll(text, orderMark, "")):
		at, bad = strings.Index(text, orderMark), isOrderMark
	case isYAML(strings.ReplaceAll(text, string(utf8.RuneError), "")):
		at, bad = strings.IndexRune(text, utf8.RuneError), "stands for what is no character"
	}
	if at >= 0 {
		d.faults = d.faults[:len(d.faults)-1]
		_, n := utf8.DecodeRuneInString(text[at:])
		d.refuseCharacter(base+at, text[at:at+n], "the file is no YAML, so kubectl refuses it", bad)
	}
}

// notUTF8 reports the first byte of a file that is no UTF-8. Its
// place is the same in the text.
func (l *linter) notUTF8(src []byte) {
	src = bytes.TrimPrefix(src, []byte(orderMark))
	at := invalid(src)
	if at < 0 || bytes.HasPrefix(src, []byte("\xff\xfe")) || bytes.HasPrefix(src, []byte("\xfe\xff")) {
		return
	}
	wrong := strconv.Quote(string(src[at : at+1]))
	l.add(Finding{
		Code: CodeNotUTF8, Item: -1, Wrong: wrong, Message: wrong + " is no UTF-8: kubectl puts U+FFFD in its place, and other tools refuse the file",
		Effect: "what it stands in is not what was meant",
	}, at, at+len(string(utf8.RuneError)))
}

// refuseCharacter refuses what is wrong at an offset of the file for a
// character of it.
func (d *document) refuseCharacter(offset int, char, wrong, why string) {
	quoted := strconv.Quote(char)
	d.faults = append(d.faults, refusal{message: wrong + ": " + quoted + " " + why, offset: offset, wrong: quoted})
}

// orderMarks refuses the fields that begin with a byte order mark, and says
// whether there is one.
func (d *document) orderMarks(c cursor) bool {
	before := len(d.faults)
	for _, k := range c.keys() {
		if strings.HasPrefix(k.Value, orderMark) {
			d.refuseCharacter(c.offsetOf(k), orderMark, "kubectl refuses the field "+strconv.Quote(k.Value), isOrderMark)
		}
	}
	return len(d.faults) > before
}

// notYAML tells the characters that no YAML may hold, not even in a comment.
func notYAML(r rune) bool {
	return unicode.IsControl(r) && !strings.ContainsRune("\t\n\r\u0085", r) || r == 0xfffe || r == 0xffff
}

// invalid is the offset of the first byte that is no UTF-8, or -1.
func invalid(text []byte) int {
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return -1
}

var surrogate = regexp.MustCompile(`\\u[dD][89a-fA-F][0-9a-fA-F]{2}|\\.`)

// withoutSurrogates is a text of JSON of the same length that YAML can read: it
// has no escapes of surrogates, by twos of which JSON writes characters beyond
// U+FFFF.
func withoutSurrogates(text string) string {
	return surrogate.ReplaceAllStringFunc(text, func(escape string) string {
		if len(escape) == len(`\ud83d`) {
			return `\ufffd`
		}
		return escape
	})
}

// halved is what YAML then reads instead of the value.
func halved(value string) string {
	var b strings.Builder
	for _, r := range value {
		if r > 0xffff {
			b.WriteRune(utf8.RuneError)
			r = utf8.RuneError
		}
		b.WriteRune(r)
	}
	return b.String()
}
