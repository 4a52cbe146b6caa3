package config

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Load reads the file over the defaults. A file that cannot be read gives the
// error of the file system; one that is wrong gives Faults.
func Load(path string) (*Config, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	return Parse(path, text)
}

// Parse is Load on a text; path stands in the faults only.
func Parse(path string, text []byte) (*Config, error) {
	cfg := Default()
	if err := parse(path, text, cfg, func(d *decoder) { validate(cfg, d) }); err != nil {
		return nil, err
	}
	return cfg, nil
}

// parse reads a text into v, a pointer to a struct, over what stands there, and
// checks it. It fails with all Faults at once.
func parse(path string, text []byte, v any, check func(*decoder)) error {
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		return Faults{syntaxFault(path, err)}
	}
	d := decoder{file: path, at: map[string]*token.Position{}}
	if len(file.Docs) > 1 {
		d.fault(file.Docs[1].Body, "", "only one document is allowed in this file")
	}
	if len(file.Docs) > 0 && !isNull(file.Docs[0].Body) {
		d.decode(file.Docs[0].Body, "", reflect.ValueOf(v).Elem())
	}
	check(&d)
	if len(d.faults) > 0 {
		return d.faults.sorted()
	}
	return nil
}

// decoder walks the syntax tree beside the struct, so that it can go on after
// a fault and remember where each key stands.
type decoder struct {
	file   string
	at     map[string]*token.Position // by key
	bad    map[string]bool            // keys that already have a fault
	faults Faults
}

func (d *decoder) decode(n ast.Node, key string, v reflect.Value) {
	if key != "" {
		d.at[key] = n.GetToken().Position
	}
	if isNull(n) {
		return // `key:` with nothing behind it keeps the default
	}
	switch {
	case v.Kind() == reflect.Struct:
		d.decodeStruct(n, key, v)
	case v.Kind() == reflect.Slice:
		d.decodeSlice(n, key, v)
	default:
		if err := yaml.NodeToValue(n, v.Addr().Interface()); err != nil {
			d.fault(n, key, fmt.Sprintf("%s is no %s", strings.TrimSpace(n.String()), typeName(v.Type())))
		}
	}
}

func (d *decoder) decodeStruct(n ast.Node, key string, v reflect.Value) {
	m, ok := n.(*ast.MappingNode)
	if !ok {
		d.fault(n, key, "must be a mapping of keys: "+strings.Join(keysOf(v.Type()), ", "))
		return
	}
	keys := keysOf(v.Type())
	for _, kv := range m.Values {
		name := kv.Key.GetToken().Value
		sub := join(key, name)
		i := slices.Index(keys, name)
		if i < 0 {
			d.fault(kv.Key, sub, "unknown key; known here: "+strings.Join(keys, ", "))
			continue
		}
		d.decode(kv.Value, sub, v.Field(i))
		if isNull(kv.Value) {
			d.at[sub] = kv.Key.GetToken().Position
		}
	}
}

func (d *decoder) decodeSlice(n ast.Node, key string, v reflect.Value) {
	if v.Type() == reflect.TypeFor[Regions]() && n.GetToken().Value == allRegions {
		v.Set(reflect.ValueOf(Regions{allRegions}))
		return
	}
	seq, ok := n.(*ast.SequenceNode)
	if !ok {
		d.fault(n, key, "must be a list")
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(seq.Values), len(seq.Values)))
	for i, item := range seq.Values {
		d.decode(item, fmt.Sprintf("%s[%d]", key, i), v.Index(i))
	}
}

func (d *decoder) fault(n ast.Node, key, text string) {
	var pos *token.Position
	if n != nil {
		pos = n.GetToken().Position
	}
	d.faultAt(pos, key, text)
}

func (d *decoder) faultAt(pos *token.Position, key, text string) {
	f := Fault{File: d.file, Key: key, Text: text}
	if pos != nil {
		f.Line, f.Column = pos.Line, pos.Column
	}
	if d.bad == nil {
		d.bad = map[string]bool{}
	}
	d.bad[key] = true
	d.faults = append(d.faults, f)
}

func syntaxFault(path string, err error) Fault {
	f := Fault{File: path, Text: err.Error()}
	if e, ok := errors.AsType[yaml.Error](err); ok {
		f.Text = e.GetMessage()
		if tk := e.GetToken(); tk != nil {
			f.Line, f.Column = tk.Position.Line, tk.Position.Column
		}
	}
	return f
}

func isNull(n ast.Node) bool {
	return n == nil || n.Type() == ast.NullType
}

func join(key, name string) string {
	if key == "" {
		return name
	}
	return key + "." + name
}

// keysOf lists the yaml names of a struct's fields in their order.
func keysOf(t reflect.Type) []string {
	names := make([]string, t.NumField())
	for i := range names {
		names[i], _, _ = strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
	}
	return names
}

func typeName(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[Duration]():
		return "duration such as 90s, 5m, 12h or 90d"
	case t == reflect.TypeFor[Bytes]():
		return "amount of data such as 500MB or 20GB"
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() == reflect.Int:
		return "whole number"
	case t.Kind() == reflect.Float64:
		return "number"
	case t.Kind() == reflect.Map:
		return "mapping of text to text"
	default:
		return "text"
	}
}
