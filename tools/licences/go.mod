module github.com/eks-authlog/eks-authlog/tools/licences

go 1.26.8
