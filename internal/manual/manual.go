// Package manual writes the command line down: as a man page, and as completions
// for bash, zsh and fish. Everything is taken from the parser's own model, so
// that it cannot say what the program does not do. It must never run a command.
package manual

import (
	"embed"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/template"

	"github.com/alecthomas/kong"
)

//go:embed templates/*
var templates embed.FS

// Shells are those that Completion knows.
const Shells = "bash,zsh,fish"

// A page is what the templates are given.
type page struct {
	Name, Version, Date string
	Help                string
	Nodes               []node // the program itself, then each command, depth first
}

// A node is the program or one of its commands.
type node struct {
	Path     string // of the commands that lead to it: "check config"; empty: the program
	Summary  string // its name and arguments, as --help shows them
	Help     string
	Detail   string
	Leaf     bool
	Commands []command
	Flags    []flag // its own
	All      []flag // and those of the program
}

type command struct{ Name, Help string }

type flag struct {
	Name, Short, Value, Help string
	Values                   []string // those that it takes, if they can be told
}

// Man writes the man page, section 1, in the man(7) language. date is when the
// program was made, as YYYY-MM-DD.
func Man(w io.Writer, app *kong.Application, version, date string) error {
	return write(w, "man", app, version, date)
}

// Completion writes what makes a shell, one of Shells, complete commands, flags
// and their values; it is to be sourced, or put where the shell looks.
func Completion(w io.Writer, app *kong.Application, shell string) error {
	if !slices.Contains(strings.Split(Shells, ","), shell) {
		return fmt.Errorf("no completion for %q: choose one of %s", shell, Shells)
	}
	return write(w, shell, app, "", "")
}

func write(w io.Writer, name string, app *kong.Application, version, date string) error {
	t, err := template.New("").Funcs(template.FuncMap{
		"roff": roff, "text": text, "quote": quote, "oneline": oneline, "join": strings.Join, "upper": strings.ToUpper,
	}).ParseFS(templates, "templates/*")
	if err != nil {
		return fmt.Errorf("read the templates: %w", err)
	}
	p := page{Name: app.Name, Version: version, Date: date, Help: app.Help}
	p.add(app.Node, "", flags(app.Node))
	return t.ExecuteTemplate(w, name+".tmpl", p)
}

// add appends the node and all below it.
func (p *page) add(n *kong.Node, path string, global []flag) {
	own := flags(n)
	all := own
	if path != "" {
		all = slices.Concat(own, global)
	}
	nd := node{Path: path, Help: n.Help, Detail: n.Detail, Leaf: n.Leaf(), Flags: own, All: all}
	nd.Summary = strings.TrimSpace(p.Name + " " + n.Summary())
	i := len(p.Nodes)
	p.Nodes = append(p.Nodes, nd)
	for _, c := range n.Children {
		if c.Hidden {
			continue
		}
		p.Nodes[i].Commands = append(p.Nodes[i].Commands, command{c.Name, c.Help})
		p.add(c, strings.TrimSpace(path+" "+c.Name), global)
	}
}

func flags(n *kong.Node) []flag {
	var all []flag
	for _, f := range n.Flags {
		if f.Hidden {
			continue
		}
		one := flag{Name: f.Name, Help: f.Help}
		if f.Short != 0 {
			one.Short = string(f.Short)
		}
		if !f.IsBool() && !f.IsCounter() {
			one.Value = f.FormatPlaceHolder()
		}
		if f.Enum != "" {
			one.Values = f.EnumSlice()
		}
		all = append(all, one)
	}
	return all
}

// roff is s on one line of a man page, taken literally.
func roff(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`, "\n", " ").Replace(s)
	if strings.HasPrefix(s, ".") || strings.HasPrefix(s, "'") {
		s = `\&` + s
	}
	return s
}

// text is s in paragraphs; lines that are indented stay as they are.
func text(s string) string {
	var b strings.Builder
	example := false
	for i, paragraph := range strings.Split(strings.TrimSpace(s), "\n\n") {
		if i > 0 {
			b.WriteString(".PP\n")
		}
		for line := range strings.Lines(paragraph) {
			indented := strings.HasPrefix(line, " ")
			if indented != example {
				b.WriteString(map[bool]string{true: ".RS 4\n.nf\n", false: ".fi\n.RE\n"}[indented])
				example = indented
			}
			b.WriteString(roff(strings.TrimSpace(line)) + "\n")
		}
		if example {
			b.WriteString(".fi\n.RE\n")
			example = false
		}
	}
	return b.String()
}

// quote is s as one word of any of the shells.
func quote(s string) string {
	return "'" + strings.ReplaceAll(strings.ReplaceAll(s, "'", "’"), `\`, `\\`) + "'"
}

func oneline(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	return s
}
