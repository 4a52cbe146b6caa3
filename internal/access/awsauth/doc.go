// Package awsauth reads the aws-auth ConfigMap as aws-iam-authenticator does,
// and says what is wrong with it.
//
// Parse gives the mappings and the errors of the authenticator's own parser
// (pkg/mapper/configmap of v0.7.18), Mappings.Map its answer for one
// principal. Lint adds what that parser does not tell: what an error costs,
// where it stands, which byte is wrong, and what to write instead; also what
// the parser takes in silence and never matches.
//
// The package is pure: bytes in, values out. It must never read a file, call a
// service, or report what the authenticator treats as equal (the case of a
// role's name or of a key inside an item, quotes, blank lines, JSON).
package awsauth

// The sections: the exact keys of the ConfigMap's data that the authenticator
// reads. Any other spelling is ignored without a word.
const (
	MapRoles    = "mapRoles"
	MapUsers    = "mapUsers"
	MapAccounts = "mapAccounts"
)
