package awsauth

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v4"
)

// document is what was given: a manifest, or the data alone.
type document struct {
	src       string
	data      map[string]string // as the API server would store it
	places    map[string]placed // of the values of data
	keys      []keyAt           // of data, in the order of the file
	kind      string            // empty when the data alone was given
	name      string
	namespace string
	offset    int            // where it begins
	faults    []refusal      // why the API server or kubectl would refuse it
	broken    *refusal       // why kubectl reads nothing from here on
	others    []*document    // objects of the file named aws-auth that do not count
	firstLine map[string]int // lines before the value of a key, where lines are counted from there
}

type keyAt struct {
	name   string
	offset int
}

// refusal is a reason why the whole file never reaches the cluster.
type refusal struct {
	message string
	offset  int
	wrong   string // what stands there, quoted; empty where it is no single character
	fix     string
}

// read finds aws-auth in what kubectl accepts: YAML or JSON, one object, a
// list of them, or several documents; or the data of the ConfigMap, or one
// section's items, without the manifest around. kubectl applies one object
// after the other, so of two the last one counts.
func read(src string) *document {
	var first, last *document
	var all []*document
	var broken, before []refusal // of the parts so far; of those before last
	for _, part := range split(src) {
		for _, d := range readPart(src, part.from, part.to) {
			if d.broken != nil {
				broken = append(broken, *d.broken)
			}
			if !d.isAWSAuth() {
				if first == nil || len(first.data)+len(first.faults) == 0 {
					first = d
				}
				continue
			}
			all = append(all, d)
			if last == nil || d.inKubeSystem() || !last.inKubeSystem() {
				last, before = d, slices.Clone(broken)
			}
		}
	}
	switch {
	case last != nil:
		last.others = slices.DeleteFunc(all, func(d *document) bool { return d == last })
		last.faults = append(before, last.faults...)
		return last
	case first != nil:
		return first
	}
	return &document{src: src}
}

func (d *document) isAWSAuth() bool {
	return d.kind == "ConfigMap" && d.name == "aws-auth"
}

// inKubeSystem takes a manifest without a namespace as meant for it.
func (d *document) inKubeSystem() bool {
	return d.namespace == "kube-system" || d.namespace == ""
}

type span struct{ from, to int }

// split cuts at the lines "---", as kubectl does.
func split(src string) []span {
	var parts []span
	from := 0
	for at := 0; ; {
		i := strings.Index(src[at:], "\n---")
		if i < 0 {
			return append(parts, span{from, len(src)})
		}
		parts = append(parts, span{from, at + i + 1})
		from = at + i + 1
		at = from
	}
}

func newDocument(src string, offset int) *document {
	return &document{src: src, offset: offset, data: map[string]string{}, places: map[string]placed{}}
}

// readPart gives the objects of one part: none where nothing is in it, and
// more than one for a list with several aws-auth.
func readPart(src string, from, to int) []*document {
	d := newDocument(src, from)
	text := src[from:to]
	doc, err := toJSON(text)
	if err != nil {
		d.refuse(from, "the file is no YAML, so kubectl refuses it: "+strings.TrimPrefix(err.Error(), "yaml: "), "")
		d.syntaxOffset(text, from)
		d.badCharacter(text, from, err)
		d.broken = &d.faults[0]
		if strings.HasPrefix(firstLine(text), "-") {
			d.faults = nil
			d.readBareItems(nil, cursor{text: text, base: from})
		}
		return []*document{d}
	}
	var root any
	if err := json.Unmarshal(doc, &root); err != nil {
		d.refuse(from, "the file is no JSON, so kubectl refuses it: "+err.Error(), "")
		d.faults[0].offset = from + jsonOffset(text, err)
		d.broken = &d.faults[0]
		return []*document{d}
	}
	if root == nil {
		return nil
	}
	c := cursor{lines: yamlLines(text), text: text, base: from}
	c.node = parseNode(text)
	if items := listItems(root); items != nil {
		if found := readList(src, items, c.at("items")); len(found) > 0 {
			return found
		}
		return []*document{d}
	}
	d.readRoot(root, c)
	return []*document{d}
}

func (d *document) refuse(offset int, message, fix string) {
	d.faults = append(d.faults, refusal{message: message, offset: offset, fix: fix})
}

// syntaxOffset moves the last refusal to where the parser with places stops.
func (d *document) syntaxOffset(text string, base int) {
	if at, ok := errorOffset(text); ok {
		d.faults[len(d.faults)-1].offset = base + at
	}
}

// jsonOffset is the place where a text stops to be JSON.
func jsonOffset(text string, err error) int {
	syntax, ok := errors.AsType[*json.SyntaxError](err)
	if !ok {
		return 0
	}
	end := len(strings.TrimSpace(text)) + len(text) - len(strings.TrimLeftFunc(text, unicode.IsSpace))
	return max(0, min(int(syntax.Offset)-1, end))
}

// readRoot tells the forms apart.
func (d *document) readRoot(root any, c cursor) {
	switch v := root.(type) {
	case []any:
		d.readBareItems(v, c)
	case map[string]any:
		if v["kind"] == nil && v["data"] == nil {
			d.readData(v, c)
			return
		}
		d.readManifest(v, c)
	default:
		d.refuse(c.offset(), "this is neither a ConfigMap nor its data", "")
	}
}

func (d *document) readManifest(v map[string]any, c cursor) {
	d.offset = c.offset()
	d.kind = str(v["kind"])
	meta, _ := v["metadata"].(map[string]any)
	d.name, d.namespace = str(meta["name"]), str(meta["namespace"])
	if d.orderMarks(c) {
		return // what is under such a field is missing
	}
	if d.kind == "" {
		d.kind = "ConfigMap"
		d.refuse(c.offset(), "the manifest has no kind, so kubectl refuses it", "kind: ConfigMap")
	}
	d.apiVersion(v["apiVersion"], c)
	switch data := v["data"].(type) {
	case nil:
	case map[string]any:
		d.readData(data, c.at("data"))
	default:
		d.refuse(c.at("data").offset(), "data is no mapping, so the API server refuses the ConfigMap", "")
	}
}

// apiVersion refuses a ConfigMap of another version, and any object without.
func (d *document) apiVersion(v any, c cursor) {
	switch {
	case v == nil || v == "":
		d.refuse(c.offset(), "the manifest has no apiVersion, so kubectl refuses it", "apiVersion: v1")
	case d.kind == "ConfigMap" && v != "v1":
		d.refuse(c.at("apiVersion").offset(), "no ConfigMap is of this apiVersion, so the API server refuses it", "apiVersion: v1")
	}
}

// listItems are the objects of a list, or nil.
func listItems(root any) []any {
	v, _ := root.(map[string]any)
	if !strings.HasSuffix(str(v["kind"]), "List") {
		return nil
	}
	items, _ := v["items"].([]any)
	return items
}

// readList gives those of the items that are aws-auth.
func readList(src string, items []any, c cursor) []*document {
	var found []*document
	for i, it := range items {
		v, _ := it.(map[string]any)
		meta, _ := v["metadata"].(map[string]any)
		if str(v["kind"]) == "ConfigMap" && str(meta["name"]) == "aws-auth" {
			at := c.index(i)
			d := newDocument(src, at.offset())
			d.readManifest(v, at)
			found = append(found, d)
		}
	}
	return found
}

// readData takes the keys in the order of the file, so that of a doubled key
// the last one counts, as it does for kubectl.
func (d *document) readData(data map[string]any, c cursor) {
	values := map[string]cursor{}
	for i, k := range c.keys() {
		d.keys = append(d.keys, keyAt{k.Value, c.offsetOf(k)})
		values[k.Value] = c.to(c.node.Content[2*i+1])
	}
	for name, v := range data {
		at, placed := values[name]
		if !placed {
			d.keys = append(d.keys, keyAt{name, c.offset()})
			at = c
		}
		d.readValue(name, v, at)
	}
}

func (d *document) readValue(name string, v any, c cursor) {
	switch v := v.(type) {
	case nil:
		d.data[name] = ""
		d.places[name] = placed{base: c.offset()}
	case string:
		d.data[name] = v
		d.places[name] = c.scalar(v)
	default:
		d.refuse(c.offset(), name+" is no text, so the API server refuses the ConfigMap: the bar after the key is missing", name+": |")
		d.readNested(name, c)
	}
}

// readNested takes what stands under a key without its bar as if the bar were
// there, so that its other faults show in the same run.
func (d *document) readNested(name string, c cursor) {
	if c.node == nil || c.node.Style&yaml.FlowStyle != 0 {
		return
	}
	from := c.lines.offset(c.node.Line, 1)
	to := len(c.text)
	for i := c.node.Line; i < len(c.lines.start); i++ {
		line := c.lines.line(i)
		rest := strings.TrimLeft(line, " ")
		if rest != "" && (len(line)-len(rest) < c.node.Column-1 || len(line)-len(rest) == c.node.Column-1 && !strings.HasPrefix(rest, "-")) {
			to = c.lines.start[i]
			break
		}
	}
	p := whole(c.text[from:to])
	for i := range p.at {
		p.at[i] += c.base + from
	}
	d.data[name], d.places[name] = p.s, p
}

// firstLine is the first line with anything in it but a comment.
func firstLine(text string) string {
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && line != "---" && !strings.HasPrefix(line, "#") {
			return line
		}
	}
	return ""
}

// readBareItems takes a list of items as the section that its keys tell of.
func (d *document) readBareItems(items []any, c cursor) {
	section := MapRoles
	for _, it := range items {
		v, ok := it.(map[string]any)
		if !ok {
			continue
		}
		for k := range v {
			if strings.EqualFold(k, "userarn") {
				section = MapUsers
			}
		}
	}
	p := whole(c.text)
	for i := range p.at {
		p.at[i] += c.base
	}
	d.data[section], d.places[section] = p.s, p
	d.keys = []keyAt{{section, c.base}}
}

func str(v any) string {
	s, _ := v.(string)
	return s
}
