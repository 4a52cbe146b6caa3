// Command render writes the files of deploy/mixin/rendered.
package main

import (
	"flag"
	"fmt"
	"os"

	mixin "github.com/eks-authlog/eks-authlog/tools/mixin"
)

func main() {
	dir := flag.String("mixin", "../../deploy/mixin", "the folder of mixin.libsonnet")
	out := flag.String("out", "../../deploy/mixin/rendered", "the folder for the rendered files")
	config := flag.String("config", "", "a Jsonnet object that is put over the mixin's _config")
	flag.Parse()
	if err := render(*dir, *out, *config); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func render(dir, out, config string) error {
	m, err := mixin.Load(dir, config)
	if err != nil {
		return err
	}
	return m.Write(out)
}
