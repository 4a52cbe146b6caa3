package parse_test

import (
	"testing"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/parse"
)

// benchLines are one line of each kind that is read in its own way.
var benchLines = []struct{ name, text string }{
	{"granted", `time="2026-11-23T21:41:59Z" level=info msg="access granted" arn="arn:aws:iam::111122223333:role/KubernetesAdmin" client="127.0.0.1:44304" groups="[system:masters]" method=POST path=/authenticate stsendpoint=sts.us-west-2.amazonaws.com uid="aws-iam-authenticator:111122223333:AROAIOSFODNN7EXAMPLE" username=kubernetes-admin`},
	{"sts_response", `time="2026-11-23T21:41:59Z" level=info msg="STS response" accesskeyid=ASIAIOSFODNN7EXAMPLE accountid=111122223333 arn="arn:aws:sts::111122223333:assumed-role/KubernetesAdmin/bob" client="127.0.0.1:44304" method=POST path=/authenticate session=bob stsendpoint=sts.us-west-2.amazonaws.com userid=AROAIOSFODNN7EXAMPLE`},
	{"not_mapped", denied},
	{"sts_error_json", escaped},
	{"marker", `time="2026-11-23T21:41:58Z" level=info msg="Received aws-auth watch event"`},
	{"other", `time="2026-11-23T21:41:50Z" level=info msg="logging latency metric" Latency=3 Type=dynamic_file Version=2`},
	{"klog", `E1123 21:21:37.585758   24253 reflector.go:227] "Failed to watch" err="the server could not find the requested resource" logger="UnhandledError"`},
	{"json", `{"arn":"arn:aws:iam::111122223333:role/Unmapped","client":"127.0.0.1:38754","error":"identity is not mapped","level":"warning","method":"POST","msg":"access denied","path":"/authenticate","time":"2026-11-23T21:41:44Z"}`},
	{"s3_export", `2026-11-23T21:42:00.719Z time="2026-11-23T21:41:59Z" level=warning msg="access denied" arn="arn:aws:iam::111122223333:role/Nope" client="127.0.0.1:44304" error="identity is not mapped" method=POST path=/authenticate`},
	{"insights_csv", `2026-11-23 21:42:00.000,"time=""2026-11-23T21:41:59Z"" level=warning msg=""access denied"" arn=""arn:aws:iam::111122223333:role/Nope"" client=""127.0.0.1:44304"" error=""identity is not mapped"" method=POST path=/authenticate"`},
}

func BenchmarkLine(b *testing.B) {
	for _, l := range benchLines {
		b.Run(l.name, func(b *testing.B) {
			ev := authlog.Event{Line: authlog.Line{Text: l.text}}
			b.ReportAllocs()
			b.SetBytes(int64(len(l.text)))
			for b.Loop() {
				parse.Into(&ev)
			}
		})
	}
}

func BenchmarkSkim(b *testing.B) {
	for _, l := range benchLines[:2] {
		for wrap, before := range map[string]string{"": "", "_s3_export": "2026-11-23T21:42:00.719Z "} {
			b.Run(l.name+wrap, func(b *testing.B) {
				line := []byte(before + l.text)
				b.ReportAllocs()
				b.SetBytes(int64(len(line)))
				for b.Loop() {
					if _, ok := parse.Skim(line); !ok {
						b.Fatal("not skimmed")
					}
				}
			})
		}
	}
}
