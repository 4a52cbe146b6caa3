module github.com/eks-authlog/eks-authlog/tools/bench

go 1.26.8

require github.com/go-logfmt/logfmt v0.6.1
