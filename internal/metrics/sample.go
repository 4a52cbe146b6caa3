package metrics

import (
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

type label = *dto.LabelPair

func newLabel(name, value string) label { return &dto.LabelPair{Name: &name, Value: &value} }

// labels are all values of one label, and the place of each.
type labels struct {
	pairs []label
	index map[string]int
}

func newLabels(name string, values []string) labels {
	l := labels{index: make(map[string]int, len(values))}
	for i, v := range values {
		l.pairs = append(l.pairs, newLabel(name, v))
		l.index[v] = i
	}
	return l
}

// A sample is one number of a cluster while it is collected. Its labels are
// shared by all samples that have them.
type sample struct {
	desc  *prometheus.Desc
	of    *Cluster
	label label // besides the cluster's; nil: none
	value float64
	gauge bool
}

// Desc is for the registry.
func (s *sample) Desc() *prometheus.Desc { return s.desc }

// Write is for the registry, which asks for labels in the order of their names.
func (s *sample) Write(out *dto.Metric) error {
	if s.label == nil {
		out.Label = []label{s.of.account, s.of.cluster, s.of.region}
	} else {
		out.Label = []label{s.of.account, s.of.cluster, s.label, s.of.region}
	}
	if s.gauge {
		out.Gauge = &dto.Gauge{Value: &s.value}
	} else {
		out.Counter = &dto.Counter{Value: &s.value}
	}
	return nil
}
