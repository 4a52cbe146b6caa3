package api

import (
	"net/http"
	"slices"
	"strings"

	"github.com/elnormous/contenttype"
)

// The ways to write a list.
const (
	formJSON  = "application/json"
	formLines = "application/x-ndjson"
	formCSV   = "text/csv"
)

// forms lists them in the order of our preference.
func forms() []string { return []string{formJSON, formLines, formCSV} }

// formFor chooses among the media types that a route offers by what the caller
// accepts (RFC 9110 12.5.1); the first one stands for all.
func formFor(r *http.Request, offered ...string) (string, error) {
	accept := bareRanges(r)
	if accept == "" {
		return offered[0], nil
	}
	var types []contenttype.MediaType
	for _, o := range offered {
		types = append(types, contenttype.NewMediaType(o))
	}
	chosen, _, err := contenttype.GetAcceptableMediaTypeFromHeader(accept, types)
	if err != nil {
		return "", plain(http.StatusNotAcceptable, "Accept: "+accept+" asks for none of "+strings.Join(offered, ", "))
	}
	return chosen.MIME(), nil
}

// bareRanges is the header Accept without parameters but the weight: charset and
// the like say nothing here that the media type does not.
func bareRanges(r *http.Request) string {
	ranges := strings.Split(strings.Join(r.Header.Values("Accept"), ","), ",")
	for i, one := range ranges {
		parts := strings.Split(one, ";")
		ranges[i] = parts[0]
		for _, p := range parts[1:] {
			if p = strings.TrimSpace(p); strings.HasPrefix(strings.ToLower(p), "q=") {
				ranges[i] += ";" + p
			}
		}
	}
	return strings.Join(ranges, ",")
}

// A sheet is how things of one kind are listed.
type sheet[T any] struct {
	member  string // of a JSON document, that holds them
	columns []column[T]
}

// A column is one field of a thing on its own.
type column[T any] struct {
	name  string
	parts []string     // of the value, which takes as many cells; nil: one
	value func(*T) any // what cells knows to write
}

// chosen reads fields: names, separated by commas. Without it all are shown.
func (s *sheet[T]) chosen(q query) ([]column[T], error) {
	names := q.get("fields")
	if names == "" {
		return s.columns, nil
	}
	var chosen []column[T]
	for name := range strings.SplitSeq(names, ",") {
		is := func(c column[T]) bool { return c.name == name }
		i := slices.IndexFunc(s.columns, is)
		switch {
		case i < 0:
			return nil, refuseParameter("fields", "has the unknown field %q; known are %s", name, namesOf(s.columns))
		case slices.ContainsFunc(chosen, is):
			return nil, refuseParameter("fields", "names %q twice", name)
		}
		chosen = append(chosen, s.columns[i])
	}
	return chosen, nil
}

func namesOf[T any](columns []column[T]) string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.name
	}
	return strings.Join(names, ", ")
}

// pick is the thing with the chosen fields alone.
func pick[T any](thing *T, columns []column[T]) map[string]any {
	picked := make(map[string]any, len(columns))
	for _, c := range columns {
		picked[c.name] = c.value(thing)
	}
	return picked
}

// A layout is how one request wants things to be listed.
type layout[T any] struct {
	sheet   *sheet[T]
	form    string
	columns []column[T]
}

// layout reads the header Accept and the parameter fields.
func (s *sheet[T]) layout(r *http.Request, q query) (l layout[T], err error) {
	l.sheet = s
	if l.form, err = formFor(r, forms()...); err != nil {
		return l, err
	}
	l.columns, err = s.chosen(q)
	return l, err
}

// render writes a page. In other forms than JSON the next one is in the header
// Link alone.
func (l *layout[T]) render(list []T, next string) document {
	switch l.form {
	case formLines:
		return renderLines(list, l.columns)
	case formCSV:
		return renderCSV(list, l.columns)
	}
	page := map[string]any{l.sheet.member: list}
	if len(l.columns) < len(l.sheet.columns) {
		rows := make([]map[string]any, len(list))
		for i := range list {
			rows[i] = pick(&list[i], l.columns)
		}
		page[l.sheet.member] = rows
	}
	if next != "" {
		page["next"] = next
	}
	return jsonDocument(page)
}

// renderLines writes one JSON object a line.
func renderLines[T any](list []T, columns []column[T]) document {
	doc := document{mediaType: formLines}
	for i := range list {
		doc.body = append(doc.body, jsonDocument(pick(&list[i], columns)).body...)
	}
	return doc
}
