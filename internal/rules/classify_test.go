package rules_test

import (
	"reflect"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/parse"
	"github.com/eks-authlog/eks-authlog/internal/rules"
)

// denied makes a denied event with that error=.
func denied(text string) authlog.Event {
	return authlog.Event{
		Kind:   authlog.KindDenied,
		Msg:    "access denied",
		Fields: []authlog.Field{{Key: "msg", Value: "access denied"}, {Key: "error", Value: text}},
	}
}

func TestClassifyIgnoresTheCaseOfNotMapped(t *testing.T) {
	for _, text := range []string{
		"ARN is not mapped", "arn is not mapped", "Identity is not mapped", "identity is not mapped",
		"IDENTITY IS NOT MAPPED", "identity is not mapped: anything", "Identity is not mapped (in any mapper)",
	} {
		ev := denied(text)
		if got := rules.Classify(&ev); got != "arn_not_mapped" {
			t.Errorf("%q is %s", text, got)
		}
	}
}

func TestClassifyGuessesAtNothing(t *testing.T) {
	for _, text := range []string{
		"", "is not mapped", "identity is not mappedX", "the identity is not mapped",
		"input token was not properly formatted: ", "sts getCallerIdentity failed: ",
		"sts getCallerIdentity failed: error from AWS (expected 200, got )", "mapper X", "mapper X failed",
		"invalid username 'eks:x' for mapper EKSConfigMap", "xinput token was not properly formatted: token is too large",
	} {
		ev := denied(text)
		if got := rules.Classify(&ev); got != rules.Unclassified {
			t.Errorf("%q is %s", text, got)
		}
	}
}

func TestClassifyLeavesOtherKindsAlone(t *testing.T) {
	for _, k := range authlog.Kinds() {
		ev := denied("identity is not mapped")
		ev.Kind = k
		if got := rules.Classify(&ev); (got != "") != (k == authlog.KindDenied) {
			t.Errorf("an event of kind %v is %q", k, got)
		}
	}
}

// The code word stands at one place of the body; the same word elsewhere, and
// a body that is broken before it, say nothing.
func TestClassifyTakesTheCodeFromItsPlaceInTheBody(t *testing.T) {
	for body, want := range map[string]string{
		`{"Error":{"Code":"ExpiredToken"}}`:                                           "sts_expired_credentials",
		" \n{ \"RequestId\" : \"x\" , \"Error\" : { \"Code\" : \"ExpiredToken\" } }":  "sts_expired_credentials",
		`{"a":[{"Error":{"Code":"Throttling"}},"]"],"Error":{"Code":"AccessDenied"}}`: "sts_access_denied",
		`{"a":"\"Error\":{\"Code\":\"Throttling\"}","Error":{"Code":"AccessDenied"}}`: "sts_access_denied",
		`{"Error":{"Type":"Sender","Message":"Throttling","Code":"AccessDenied"}}`:    "sts_access_denied",
		`{"Error":{"Code":"ThrottlingException"}}`:                                    "sts_throttled",
		`{"Error":{"Code":"Throttling role"}}`:                                        "sts_error_other",
		`{"Error":"Throttling"}`:                                                      "sts_error_other",
		`{"Code":"Throttling"}`:                                                       "sts_error_other",
		`{"Error":{"Code":"Thrott`:                                                    "sts_error_other",
		`{"Error":{"Code"`:                                                            "sts_error_other",
		`{`:                                                                           "sts_error_other",
		`Code: Throttling`:                                                            "sts_error_other",
		`<html><Code>Throttling</Code></html>`:                                        "sts_error_other",
		`<?xml version="1.0"?><ErrorResponse><Error><Code> AccessDenied </Code>`:      "sts_error_other",
		`<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>`:     "sts_access_denied",
		`<ErrorResponse><Error><Message>Throttling</Message></Error></ErrorResponse>`: "sts_error_other",
	} {
		ev := denied("sts getCallerIdentity failed: error from AWS (expected 200, got 403) on us-west-2 endpoint. Body: " + body)
		if got := rules.Classify(&ev); got != want {
			t.Errorf("%s is %s, want %s", body, got, want)
		}
	}
}

// Whatever is cut off a denied line, the rest is that denial, or unreadable, or
// has no error= left to say why.
func TestATruncatedLineHasNoOtherReason(t *testing.T) {
	for _, file := range lessons(t) {
		ar := archive(t, file)
		for _, whole := range read(section(ar, "line")) {
			if whole.Kind != authlog.KindDenied {
				continue
			}
			for n := range len(whole.Text) {
				checkCut(t, &whole, n)
			}
		}
	}
}

func checkCut(t *testing.T, whole *authlog.Event, n int) {
	t.Helper()
	cut := parse.Line(authlog.Line{Text: whole.Text[:n]})
	if cut.Kind != authlog.KindDenied || cut.Get("error") == "" {
		return
	}
	if got, want := rules.Classify(&cut), rules.Classify(whole); got != want {
		t.Errorf("cut after %d bytes %s becomes %s: %s", n, want, got, whole.Text[:n])
	}
}

func FuzzATruncatedLineHasNoOtherReason(f *testing.F) {
	seedErrors(f)
	f.Fuzz(func(t *testing.T, text string) {
		ev := denied(text)
		ev.Fields = append(ev.Fields, authlog.Field{Key: "method", Value: "POST"}, authlog.Field{Key: "path", Value: "/authenticate"})
		whole := parse.Line(authlog.Line{Text: parse.Encode(&ev)})
		if whole.Kind != authlog.KindDenied {
			return
		}
		for n := range len(whole.Text) {
			checkCut(t, &whole, n)
		}
	})
}

func FuzzClassifyKnowsEveryCodeItGives(f *testing.F) {
	seedErrors(f)
	f.Fuzz(func(t *testing.T, text string) {
		ev := denied(text)
		code := rules.Classify(&ev)
		if _, ok := rules.ByCode(code); !ok {
			t.Errorf("%q is %q, which the catalogue has not", text, code)
		}
	})
}

// Facts are shown to people and written as JSON.
func FuzzFactsAreCleanAndShort(f *testing.F) {
	seedErrors(f)
	f.Fuzz(func(t *testing.T, text string) {
		d := denied(text)
		m := authlog.Event{Kind: authlog.KindMarker, Msg: text, Fields: d.Fields}
		for _, facts := range []rules.Facts{rules.FactsOf(&d), rules.FactsOf(&m)} {
			for _, s := range stringsOf(facts) {
				if len(s) > 1024 || !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
					t.Errorf("the fact %q of %q is not clean", s, text)
				}
			}
		}
	})
}

// stringsOf lists all strings of the facts.
func stringsOf(f rules.Facts) []string {
	var all []string
	for _, field := range reflect.ValueOf(f).Fields() {
		switch s := field.Interface().(type) {
		case string:
			all = append(all, s)
		case []string:
			all = append(all, s...)
		}
	}
	return all
}

func seedErrors(f *testing.F) {
	f.Helper()
	for _, l := range corpus(f) {
		ev := parse.Line(authlog.Line{Text: l.text})
		f.Add(ev.Get("error"))
		f.Add(ev.Msg)
	}
}

func TestClassifyAllocatesNothing(t *testing.T) {
	for i, l := range corpus(t) {
		ev := parse.Line(authlog.Line{Text: l.text})
		if n := testing.AllocsPerRun(1, func() { rules.Classify(&ev) }); n > 0 {
			t.Errorf("line %d (%s): %v allocations", i+1, l.reason, n)
		}
	}
}

func BenchmarkClassify(b *testing.B) {
	for _, reason := range []string{
		"arn_not_mapped", "token_missing_prefix", "token_expired", "token_param_not_allowed",
		"sts_invalid_client_token", "sts_signature_mismatch", "sts_throttled", "sts_timeout", "sts_bad_identity",
		"username_reserved_prefix", "session_not_instance_id", "ec2_describe_unauthorized", "ec2_lookup_stuck",
	} {
		b.Run(reason, func(b *testing.B) {
			ev := newest(b, reason)
			b.ReportAllocs()
			for b.Loop() {
				if rules.Classify(&ev) != reason {
					b.Fatal("wrong reason")
				}
			}
		})
	}
}

// newest is the last printed line of that reason.
func newest(b *testing.B, reason string) authlog.Event {
	b.Helper()
	var ev authlog.Event
	for _, l := range corpus(b) {
		if l.reason == reason {
			ev = parse.Line(authlog.Line{Text: l.text})
		}
	}
	return ev
}
