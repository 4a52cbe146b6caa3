module github.com/eks-authlog/eks-authlog/tools/golangci-lint

go 1.26.8
