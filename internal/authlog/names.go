package authlog

import "regexp"

// IsAccount says whether s has the form of an AWS account id: 12 digits.
func IsAccount(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return len(s) == 12
}

var region = regexp.MustCompile(`^[a-z]{2,}(-[a-z]+)+-[0-9]+$`)

// IsRegion says whether s has the form of a region, such as eu-central-1,
// us-gov-west-1 or eusc-de-east-1.
func IsRegion(s string) bool { return region.MatchString(s) }
