package api

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

const csvType = formCSV + "; charset=utf-8; header=present"

// renderCSV writes RFC 4180 with a line of names first, but ends lines as Unix
// does: the writer's other way changes line ends within a cell. A value of
// several parts takes a cell for each, a list is separated by spaces.
func renderCSV[T any](list []T, columns []column[T]) document {
	var body bytes.Buffer
	w := csv.NewWriter(&body)
	var line []string
	for _, c := range columns {
		line = append(line, c.heads()...)
	}
	write := func() {
		if err := w.Write(line); err != nil {
			panic(fmt.Errorf("write to memory: %w", err))
		}
		line = line[:0]
	}
	write()
	for i := range list {
		for _, c := range columns {
			line = append(line, cells(c.value(&list[i]))...)
		}
		write()
	}
	w.Flush()
	return document{mediaType: csvType, body: body.Bytes()}
}

func (c *column[T]) heads() []string {
	if c.parts == nil {
		return []string{c.name}
	}
	heads := make([]string, len(c.parts))
	for i, part := range c.parts {
		heads[i] = c.name + "." + part
	}
	return heads
}

// The parts of values that take several cells.
func principalParts() []string  { return []string{"arn", "kind", "account", "session"} }
func clusterParts() []string    { return []string{"name", "account", "region"} }
func resolutionParts() []string { return []string{"time", "by", "why"} }

// cells writes a value: one cell, or one for each of its parts. Of a list of
// things each is named.
func cells(value any) []string {
	switch v := value.(type) {
	case *principal:
		if v == nil {
			return make([]string, len(principalParts()))
		}
		return []string{defuse(v.ARN), v.Kind, defuse(v.Account), defuse(v.Session)}
	case authlog.Cluster:
		return []string{defuse(v.Name), defuse(v.Account), defuse(v.Region)}
	case *authlog.Resolution:
		if v == nil {
			return make([]string, len(resolutionParts()))
		}
		return []string{cell(v.Time), defuse(v.By), defuse(v.Why)}
	case []authlog.Affected:
		return words(v, func(a authlog.Affected) string { return a.ARN })
	case []remedyTitle:
		return words(v, func(r remedyTitle) string { return r.Key })
	case []reasonTime:
		return words(v, func(r reasonTime) string { return r.Reason })
	case []string:
		return words(v, func(s string) string { return s })
	}
	return []string{cell(value)}
}

func words[T any](list []T, name func(T) string) []string {
	names := make([]string, len(list))
	for i, v := range list {
		names[i] = name(v)
	}
	return []string{defuse(strings.Join(names, " "))}
}

// cell writes a value of one part.
func cell(value any) string {
	switch v := value.(type) {
	case string:
		return defuse(v)
	case time.Time:
		return v.Format(time.RFC3339Nano)
	case *time.Time:
		if v == nil {
			return ""
		}
		return v.Format(time.RFC3339Nano)
	case bool:
		return strconv.FormatBool(v)
	case int:
		return strconv.Itoa(v)
	case int64:
		return strconv.FormatInt(v, 10)
	}
	panic(fmt.Errorf("no cell for %T", value)) // only a column of ours can cause it
}

func defuse(s string) string { return authlog.Defuse(authlog.Sanitize(s)) }
