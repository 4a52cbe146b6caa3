package api_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"pgregory.net/rapid"
)

// A request is one that was drawn for an operation of the document.
type request struct {
	method, path, query string
	header              http.Header
	body                []byte

	op         *openapi3.Operation
	route      string   // the path as the document writes it
	documented string   // the method
	routed     bool     // the document has the method; HEAD is wherever GET is
	oddPath    bool     // a parameter of the path has slashes or dots
	wrong      []string // parameters that the document does not take as they are
}

// String shows all of it that is not long.
func (q *request) String() string {
	return fmt.Sprintf("%s %s?%s %v %.100q", q.method, q.path, q.query, q.header, q.body)
}

// names are those of the query's parameters, as they stand there and decoded,
// and of the headers that stand for one.
func (q *request) names() []string {
	var names []string
	for pair := range strings.SplitSeq(q.query, "&") {
		name, _, _ := strings.Cut(pair, "=")
		names = append(names, name)
		if decoded, err := url.QueryUnescape(name); err == nil {
			names = append(names, decoded)
		}
	}
	for name := range q.header {
		names = append(names, strings.ToLower(strings.ReplaceAll(name, "-", "_")))
	}
	return names
}

// A parameter is how values of one stand in a query.
type parameter struct {
	name                  string
	schema                *openapi3.Schema
	place                 string // of its schema in the document
	list, explode, number bool
}

// parametersOf are those of the query.
func parametersOf(route, method string, op *openapi3.Operation) (all []parameter) {
	for i, p := range op.Parameters {
		if p.Value.In != openapi3.ParameterInQuery {
			continue
		}
		place := p.Ref
		if place == "" {
			place = fmt.Sprintf("#/paths/%s/%s/parameters/%d", pointer(route), strings.ToLower(method), i)
		}
		s := p.Value.Schema.Value
		all = append(all, parameter{
			name: p.Value.Name, schema: s, place: place + "/schema",
			list: s.Type.Is("array"), explode: p.Value.Explode == nil || *p.Value.Explode, number: s.Type.Is("integer"),
		})
	}
	return all
}

// draw makes a request for an operation. Most are nearly right: only those get
// past the first check of a handler.
func (c *contract) draw(t *rapid.T, route, method string, op *openapi3.Operation) *request {
	q := &request{op: op, route: route, documented: method, method: method, header: http.Header{}, routed: true}
	q.drawPath(t, c.values)
	c.drawQuery(t, q)
	q.drawHeader(t)
	if method == http.MethodPost || oneIn(t, 20, "a body") {
		q.drawBody(t)
	}
	switch {
	case method == http.MethodGet && oneIn(t, 10, "HEAD"):
		q.method = http.MethodHead
	case oneIn(t, 20, "another method"):
		q.method = rapid.SampledFrom([]string{"PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW", "GET", "POST"}).Draw(t, "method")
		item := c.doc.Paths.Value(route)
		if q.op = item.Operations()[q.method]; q.op == nil {
			q.op, q.routed = op, false
		} else if q.method != method {
			q.documented = q.method
			q.wrong = nil // they were drawn for the other
		}
	}
	return q
}

func oneIn(t *rapid.T, n int, what string) bool { return rapid.IntRange(1, n).Draw(t, what) == n }

// drawPath fills in the parameters of the path: what is stored, what the
// document gives as examples, or anything.
func (q *request) drawPath(t *rapid.T, k storedNames) {
	q.path = q.route
	for _, p := range q.op.Parameters {
		if p.Value.In != openapi3.ParameterInPath {
			continue
		}
		values := slices.Concat(map[string][]string{"name": k.clusters, "arn": k.roles, "id": k.diagnoses}[p.Value.Name], listed(p.Value))
		value := rapid.SampledFrom(values).Draw(t, p.Value.Name)
		if oneIn(t, 5, "an odd "+p.Value.Name) {
			value = rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"..", "a/b", "\x00", "\xff", "%", "<script>", "'", " "})).Draw(t, p.Value.Name)
			q.oddPath = true
		}
		q.path = strings.ReplaceAll(q.path, "{"+p.Value.Name+"}", url.PathEscape(value))
	}
}

// listed are the values of a parameter that the document gives itself.
func listed(p *openapi3.Parameter) (all []string) {
	add := func(v any) {
		if v != nil {
			all = append(all, fmt.Sprint(v))
		}
	}
	add(p.Example)
	for _, e := range p.Examples {
		add(e.Value.Value)
	}
	for _, v := range slices.Concat(p.Schema.Value.Enum, p.Schema.Value.Examples) {
		add(v)
	}
	slices.Sort(all)
	return all
}

// drawQuery draws some of the parameters, and now and then one that is wrong,
// unknown, or there twice. It notes what must be refused.
func (c *contract) drawQuery(t *rapid.T, q *request) {
	var pairs []string
	all := parametersOf(q.route, q.documented, q.op)
	for _, p := range all {
		// A short list is as good as a long one, and faster.
		if p.name != "limit" && !oneIn(t, 5, "with "+p.name) {
			continue
		}
		values := c.drawValues(t, p)
		if oneIn(t, 20, p.name+" twice") {
			values = append(values, values...)
		}
		for _, v := range values {
			pairs = append(pairs, url.QueryEscape(p.name)+"="+url.QueryEscape(v))
		}
		ok, err := c.schemas.takes(p.place, p, values)
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			q.wrong = append(q.wrong, p.name)
		}
	}
	if oneIn(t, 20, "an unknown parameter") {
		name := rapid.StringMatching(`[a-z_]{1,8}[0-9]`).Draw(t, "unknown")
		pairs = append(pairs, name+"=1")
		if q.op.Responses.Status(http.StatusBadRequest) != nil { // the others look at no query
			q.wrong = append(q.wrong, name)
		}
	}
	if oneIn(t, 20, "garbage") {
		pairs = append(pairs, rapid.StringMatching(`[!"$-~]{1,20}`).Draw(t, "query"))
	}
	q.query = strings.Join(pairs, "&")
}

// drawValues draws values of one parameter, most of them as the document wants
// them.
func (c *contract) drawValues(t *rapid.T, p parameter) []string {
	if oneIn(t, 8, "a wrong "+p.name) {
		return []string{rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", "0", "-1", "99999999999999999999", "1e3", "null", "\x00", "\xff", "a,b"})).Draw(t, p.name)}
	}
	if !p.list {
		return []string{c.drawValue(t, p.name, p.schema)}
	}
	var values []string
	for range rapid.IntRange(1, 3).Draw(t, "how many "+p.name) {
		values = append(values, c.drawValue(t, p.name, p.schema.Items.Value))
	}
	if !p.explode {
		values = []string{strings.Join(values, ",")}
	}
	return values
}

// drawValue draws one value by the schema, or one that is known to mean
// something.
func (c *contract) drawValue(t *rapid.T, name string, s *openapi3.Schema) string {
	meant := map[string][]string{
		"cluster": c.values.clusters, "principal": c.values.roles, "since": {"1m", "24h", "3d", "1h30m", "100y"},
		"filter": {`reason="token_expired"`, `principal=~".*role-1.*"`, `layer!="sts"`, `kind!~"role|user"`, `reason=`, `{a="b"}`},
		"start":  {"2026-11-23T12:00:00Z", "1795514400.5", "0"}, "end": {"2026-11-24T13:00:00+01:00"},
		"step": {"5m", "1h", "1d"},
	}[name]
	switch {
	case len(s.Enum) > 0:
		return fmt.Sprint(rapid.SampledFrom(s.Enum).Draw(t, name))
	case s.Min != nil && s.Max != nil:
		n := rapid.IntRange(int(*s.Min), min(int(*s.Max), int(*s.Min)+20)).Draw(t, name)
		if oneIn(t, 50, "the most") {
			n = int(*s.Max)
		}
		return strconv.Itoa(n)
	case len(meant) > 0 && !oneIn(t, 4, "any "+name):
		return rapid.SampledFrom(meant).Draw(t, name)
	case s.Pattern != "":
		return rapid.StringMatching(s.Pattern).Draw(t, name)
	}
	return rapid.StringMatching(`[!-~]{1,12}`).Draw(t, name)
}

// drawHeader draws what a caller takes and has.
func (q *request) drawHeader(t *rapid.T) {
	mediaTypes := []string{
		"*/*", "application/json", "application/x-ndjson", "text/csv", "text/html", "text/*;q=0.5, application/json;q=0.1",
		"text/plain", "text/markdown", "text/event-stream", "application/openmetrics-text", "image/png", "a", ",", "application/json;q=2", "*/*;q=0",
	}
	q.drawHeaders(t, []choice{
		{"Accept", mediaTypes},
		{"Accept-Encoding", []string{"gzip", "zstd", "identity", "br, gzip;q=0.1", "gzip;q=0", "*", "zstd;q=0.001,,", "\xff"}},
		{"If-None-Match", []string{"*", `W/"x"`, `"a,b"`, "junk"}},
		{"Authorization", []string{"Bearer x", "Basic eDp5", "Bearer", "Nonsense \xff"}},
		{"Range", []string{"bytes=0-1", "bytes=-", "items=1-2"}},
		{"Origin", []string{"https://example.com", "null"}},
		{"Last-Event-ID", []string{"0", "1", "-1", "x", "99999999999999999999"}},
	})
}

// A choice is what a header may be.
type choice struct {
	name   string
	values []string
}

func (q *request) drawHeaders(t *rapid.T, choices []choice) {
	for _, c := range choices {
		if oneIn(t, 3, "with "+c.name) {
			q.header.Set(c.name, rapid.SampledFrom(c.values).Draw(t, c.name))
		}
	}
}

// drawBody draws a body and what it is said to be.
func (q *request) drawBody(t *rapid.T) {
	text := rapid.OneOf(
		rapid.SampledFrom([]string{
			"", "error: You must be logged in to the server (Unauthorized)", "{", "\x00", "\xff\xfe",
			`time="2026-11-24T11:55:00Z" level=warning msg="access denied" arn="arn:aws:iam::111122223333:role/deploy" error="ARN is not mapped"`,
			strings.Repeat("x", 262_144), strings.Repeat("x", 262_145), strings.Repeat("\n", 300_000),
		}),
		rapid.String(),
	).Draw(t, "body")
	q.body = []byte(text)
	q.drawHeaders(t, []choice{
		{"Content-Type", []string{"text/plain", "text/plain; charset=utf-16", "application/json", "multipart/form-data; boundary=x", ";;"}},
		{"Content-Encoding", []string{"gzip", "identity", "br"}},
	})
}
