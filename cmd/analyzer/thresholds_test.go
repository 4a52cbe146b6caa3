package main_test

import (
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"

	main "github.com/eks-authlog/eks-authlog/cmd/analyzer"
	"github.com/eks-authlog/eks-authlog/internal/config"
	"github.com/eks-authlog/eks-authlog/internal/diagnose"
)

func TestThresholdsOfTheConfigurationAreThoseOfTheDiagnoses(t *testing.T) {
	cfg := config.Default()
	if diff := cmp.Diff(diagnose.Default(), main.Thresholds(cfg)); diff != "" {
		t.Errorf("the defaults differ (-diagnose +config):\n%s", diff)
	}
	// Each key reaches the threshold of its own.
	from, got := reflect.ValueOf(&cfg.Diagnose).Elem(), map[string]int{}
	for i := range from.NumField() {
		cfg.Diagnose = config.Diagnose{}
		switch f := from.Field(i); f.Kind() {
		case reflect.Float64:
			f.SetFloat(1)
		default:
			f.SetInt(1)
		}
		to := reflect.ValueOf(main.Thresholds(cfg))
		for j := range to.NumField() {
			if !to.Field(j).IsZero() {
				got[to.Type().Field(j).Name]++
				if name := from.Type().Field(i).Name; to.Type().Field(j).Name != name {
					t.Errorf("%s sets %s", name, to.Type().Field(j).Name)
				}
			}
		}
	}
	for f := range reflect.TypeFor[diagnose.Config]().Fields() {
		if got[f.Name] != 1 && f.Name != "Excerpt" {
			t.Errorf("%s is set by %d keys", f.Name, got[f.Name])
		}
	}
}
