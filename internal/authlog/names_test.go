package authlog_test

import (
	"testing"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

func TestAnAccountHasTwelveDigits(t *testing.T) {
	for s, want := range map[string]bool{
		"111122223333": true, "012345678901": true, "": false, "11112222333": false, "1111222233334": false, "1111-2222-33": false, "11112222333x": false, "١١١١٢٢": false,
	} {
		if authlog.IsAccount(s) != want {
			t.Errorf("%q: %v", s, !want)
		}
	}
}

func TestARegionHasTheFormOfOne(t *testing.T) {
	for s, want := range map[string]bool{
		"eu-central-1": true, "us-gov-west-1": true, "eusc-de-east-1": true, "ap-southeast-12": true,
		"": false, "eu": false, "eu-central": false, "central-1": false, "EU-central-1": false, "eu-central-1a": false, "eu central-1": false, "eu-central-1\n": false, "arn:aws": false,
	} {
		if authlog.IsRegion(s) != want {
			t.Errorf("%q: %v", s, !want)
		}
	}
}
