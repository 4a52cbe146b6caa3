package awsauth

import (
	"errors"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// A cursor is a place in the syntax tree of a text, which may be a part of a
// file. Its node is nil where the tree is not known; its places are then those
// of the text's beginning.
type cursor struct {
	node  *yaml.Node
	text  string
	lines lines
	base  int // offset of text in the file
}

// parseNode gives the tree of a text, or nil. What the text means is told by
// the parser that the authenticator uses; this one only tells where.
func parseNode(text string) *yaml.Node {
	var doc yaml.Node
	if isJSON(text) {
		text = withoutSurrogates(text)
	}
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil || len(doc.Content) == 0 {
		return nil
	}
	return doc.Content[0]
}

// errorOffset gives the place where a text stops to be YAML.
func errorOffset(text string) (int, bool) {
	var doc yaml.Node
	err := yaml.Unmarshal([]byte(text), &doc)
	load, ok := errors.AsType[*yaml.LoadError](err)
	if !ok || load.Mark.Line < 1 {
		return 0, false
	}
	return yamlLines(text).offset(load.Mark.Line, load.Mark.Column), true
}

func (c cursor) offset() int { return c.offsetOf(c.node) }

func (c cursor) offsetOf(n *yaml.Node) int {
	if n == nil {
		return c.base
	}
	return c.base + c.lines.offset(n.Line, n.Column)
}

func (c cursor) to(n *yaml.Node) cursor {
	for n != nil && n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	c.node = n
	return c
}

// keys are the keys of a mapping, doubled ones included.
func (c cursor) keys() []*yaml.Node {
	var keys []*yaml.Node
	if c.node != nil && c.node.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(c.node.Content); i += 2 {
			keys = append(keys, c.node.Content[i])
		}
	}
	return keys
}

// at goes to the value of a key, the last one where the key is doubled.
func (c cursor) at(key string) cursor {
	for i, k := range slices.Backward(c.keys()) {
		if k.Value == key {
			return c.to(c.node.Content[2*i+1])
		}
	}
	return c
}

// fold is at without regard to case; it reports whether the key is there.
func (c cursor) fold(key string) (cursor, bool) {
	for i, k := range slices.Backward(c.keys()) {
		if strings.EqualFold(k.Value, key) {
			return c.to(c.node.Content[2*i+1]), true
		}
	}
	return c, false
}

// index goes to the i-th item of a list.
func (c cursor) index(i int) cursor {
	if c.node == nil || c.node.Kind != yaml.SequenceNode || i >= len(c.node.Content) {
		return c
	}
	return c.to(c.node.Content[i])
}

// scalar places the value of the scalar here.
func (c cursor) scalar(value string) placed {
	p := placed{s: value, base: c.offset()}
	if c.node == nil || c.node.Kind != yaml.ScalarNode || c.node.Value != value && c.node.Value != halved(value) {
		return p
	}
	p.at = align(c.text, c.lines.offset(c.node.Line, c.node.Column), c.node.Style, value)
	for i := range p.at {
		p.at[i] += c.base
	}
	return p
}
