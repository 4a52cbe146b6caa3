package api

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/elnormous/contenttype"
)

// A form is one way to write a list of denials.
type form struct {
	mediaType string
	render    func(list []denial, columns []column, next string) document
}

// forms lists them in the order of our preference.
func forms() []form {
	return []form{
		{"application/json", renderJSON},
		{"application/x-ndjson", renderLines},
		{"text/csv", renderCSV},
	}
}

// negotiate chooses the form by the header Accept (RFC 9110 12.5.1).
func negotiate(r *http.Request) (form, error) {
	all := forms()
	accept := strings.Join(r.Header.Values("Accept"), ",")
	if accept == "" {
		return all[0], nil
	}
	var offered []contenttype.MediaType
	for _, f := range all {
		offered = append(offered, contenttype.NewMediaType(f.mediaType))
	}
	chosen, _, err := contenttype.GetAcceptableMediaTypeFromHeader(accept, offered)
	if err != nil {
		return form{}, plain(http.StatusNotAcceptable,
			fmt.Sprintf("Accept: %s asks for none of application/json, application/x-ndjson, text/csv", accept))
	}
	i := slices.IndexFunc(all, func(f form) bool { return f.mediaType == chosen.MIME() })
	return all[i], nil
}

// A column is one field of a denial on its own.
type column struct {
	name  string
	value func(*denial) any // a string, time, bool, list of strings, or *principal
}

func denialColumns() []column {
	return []column{
		{"id", func(d *denial) any { return d.ID }},
		{"time", func(d *denial) any { return d.Time }},
		{"cluster", func(d *denial) any { return d.Cluster }},
		{"account", func(d *denial) any { return d.Account }},
		{"region", func(d *denial) any { return d.Region }},
		{"reason", func(d *denial) any { return d.Reason }},
		{"layer", func(d *denial) any { return d.Layer }},
		{"error", func(d *denial) any { return d.Error }},
		{"principal", func(d *denial) any { return d.Principal }},
		{"client", func(d *denial) any { return d.Client }},
		{"sts_endpoint", func(d *denial) any { return d.STSEndpoint }},
		{"who_acts", func(d *denial) any { return d.WhoActs }},
		{"retryable", func(d *denial) any { return d.Retryable }},
		{"summary", func(d *denial) any { return d.Summary }},
		{"docs", func(d *denial) any { return d.Docs }},
	}
}

// columns reads fields: names, separated by commas. Without it all are shown.
func (q query) columns() ([]column, error) {
	all := denialColumns()
	names := q.get("fields")
	if names == "" {
		return all, nil
	}
	var chosen []column
	for name := range strings.SplitSeq(names, ",") {
		is := func(c column) bool { return c.name == name }
		i := slices.IndexFunc(all, is)
		switch {
		case i < 0:
			return nil, refuseParameter("fields", "has the unknown field %q; known are %s", name, namesOf(all))
		case slices.ContainsFunc(chosen, is):
			return nil, refuseParameter("fields", "names %q twice", name)
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}

func namesOf(columns []column) string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.name
	}
	return strings.Join(names, ", ")
}

// pick is the denial with the chosen fields alone.
func pick(d *denial, columns []column) map[string]any {
	picked := make(map[string]any, len(columns))
	for _, c := range columns {
		picked[c.name] = c.value(d)
	}
	return picked
}

func renderJSON(list []denial, columns []column, next string) document {
	if len(columns) == len(denialColumns()) {
		return jsonDocument(denialList{Denials: list, Next: next})
	}
	rows := make([]map[string]any, len(list))
	for i := range list {
		rows[i] = pick(&list[i], columns)
	}
	return jsonDocument(pickedList{Denials: rows, Next: next})
}

// renderLines writes one JSON object a line. The next page is in the header
// Link alone.
func renderLines(list []denial, columns []column, _ string) document {
	doc := document{mediaType: "application/x-ndjson"}
	for i := range list {
		doc.body = append(doc.body, jsonDocument(pick(&list[i], columns)).body...)
	}
	return doc
}
