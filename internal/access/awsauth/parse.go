package awsauth

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	yamlv2 "go.yaml.in/yaml/v2"
	"sigs.k8s.io/yaml"
)

// A Role is one item of mapRoles that the authenticator keeps.
type Role struct {
	ARN      string   `json:"rolearn,omitempty" yaml:"rolearn,omitempty"`
	SSO      *SSO     `json:"sso,omitempty"     yaml:"sso,omitempty"`
	Username string   `json:"username"          yaml:"username"`
	Groups   []string `json:"groups"            yaml:"groups"`
	UserID   string   `json:"userid,omitempty"  yaml:"userid,omitempty"` // read, but not compared by this mapper
	Item     int      `json:"-"                 yaml:"-"`                // its place in the section, from 0
}

// SSO names the role of a permission set without its suffix. The authenticator
// compares it only with its feature gate SSORoleMatch, which is off by default.
type SSO struct {
	PermissionSetName string `json:"permissionSetName"   yaml:"permissionSetName"`
	AccountID         string `json:"accountID"           yaml:"accountID"`
	Partition         string `json:"partition,omitempty" yaml:"partition,omitempty"`
}

// A User is one item of mapUsers that the authenticator keeps.
type User struct {
	ARN      string   `json:"userarn"          yaml:"userarn"`
	Username string   `json:"username"         yaml:"username"`
	Groups   []string `json:"groups"           yaml:"groups"`
	UserID   string   `json:"userid,omitempty" yaml:"userid,omitempty"`
	Item     int      `json:"-"                yaml:"-"`
}

// Mappings is what the authenticator holds in memory after it has read
// aws-auth once: what was good, and the errors about the rest.
type Mappings struct {
	Roles    []Role
	Users    []User
	Accounts []string
	Errors   []ParseError // users first, then roles, then accounts
}

// A ParseError is one error of the authenticator's parser.
type ParseError struct {
	Section string
	Item    int // the item that is dropped, from 0; -1: see Kind
	Kind    ErrorKind
	Err     error
}

func (e ParseError) Error() string {
	if e.Item < 0 {
		return e.Section + ": " + e.Err.Error()
	}
	return fmt.Sprintf("%s[%d]: %v", e.Section, e.Item, e.Err)
}

func (e ParseError) Unwrap() error { return e.Err }

// ErrorKind says what a ParseError costs.
type ErrorKind uint8

// The kinds.
const (
	ErrorSyntax ErrorKind = iota // no YAML or JSON: the whole section is dropped
	ErrorType                    // a value of another type than wanted: dropped, as far up as it is wrong
	ErrorItem                    // an item without what it must have: the item is dropped
)

// Parse reads the data of an aws-auth ConfigMap. It never fails: what cannot
// be used is left out, and Errors says so.
func Parse(data map[string]string) Mappings {
	m := Mappings{Roles: []Role{}, Users: []User{}, Accounts: []string{}}
	users, errs := decode[User](data, MapUsers)
	m.Errors = append(m.Errors, errs...)
	for i, u := range users {
		if u.ARN == "" {
			m.dropped(MapUsers, i, errNoUserARN)
			continue
		}
		u.Item = i
		m.Users = append(m.Users, u)
	}
	roles, errs := decode[Role](data, MapRoles)
	m.Errors = append(m.Errors, errs...)
	for i, r := range roles {
		if err := r.validate(); err != nil {
			m.dropped(MapRoles, i, err)
			continue
		}
		r.Item = i
		m.Roles = append(m.Roles, r)
	}
	m.readAccounts(data)
	return m
}

func (m *Mappings) dropped(section string, item int, err error) {
	m.Errors = append(m.Errors, ParseError{Section: section, Item: item, Kind: ErrorItem, Err: err})
}

// decode gives the items of a section, those that are to be dropped included.
// encoding/json goes on after a value of the wrong type and reports the first
// alone, and so does the authenticator.
func decode[T any](data map[string]string, section string) ([]T, []ParseError) {
	text := data[section]
	if skippable(text) {
		return nil, nil
	}
	doc, err := toJSON(text)
	if err != nil {
		return nil, []ParseError{{Section: section, Item: -1, Kind: ErrorSyntax, Err: err}}
	}
	var items []T
	if err := json.Unmarshal(doc, &items); err != nil {
		kind := ErrorSyntax
		if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			kind = ErrorType
			err = wrong
		}
		return items, []ParseError{{Section: section, Item: -1, Kind: kind, Err: err}}
	}
	return items, nil
}

// readAccounts goes another way than the items: straight from YAML, so that an
// unquoted account keeps its leading zeros.
func (m *Mappings) readAccounts(data map[string]string) {
	text := data[MapAccounts]
	if skippable(text) {
		return
	}
	err := yamlv2.Unmarshal([]byte(text), &m.Accounts)
	if err == nil {
		return
	}
	kind := ErrorSyntax
	if _, ok := errors.AsType[*yamlv2.TypeError](err); ok {
		kind = ErrorType
	}
	m.Errors = append(m.Errors, ParseError{Section: MapAccounts, Item: -1, Kind: kind, Err: err})
}

// skippable says whether the authenticator takes a section as empty.
func skippable(text string) bool {
	switch strings.TrimSpace(text) {
	case "", "``", `""`, "''":
		return true
	}
	return false
}

// toJSON takes text that opens with a brace as JSON and all other as YAML 1.1.
func toJSON(text string) ([]byte, error) {
	if isJSON(text) {
		return []byte(text), nil
	}
	return yaml.YAMLToJSON([]byte(text))
}

func isJSON(text string) bool {
	return strings.HasPrefix(strings.TrimLeftFunc(text, unicode.IsSpace), "{")
}

var (
	errNoUserARN = errors.New("value for userarn must be supplied")
	errNoRoleARN = errors.New("one of rolearn or SSO must be supplied")
	errBothARNs  = errors.New("only one of rolearn or SSO can be supplied")

	accountID     = regexp.MustCompile(`^[0-9]{12}$`)
	permissionSet = regexp.MustCompile(`^[\w+=,.@-]{1,32}$`)
)

// partitions are those the authenticator knows.
var partitions = []string{"aws", "aws-cn", "aws-us-gov", "aws-iso", "aws-iso-b", "aws-iso-e", "aws-iso-f", "aws-eusc"}

func (r *Role) validate() error {
	switch {
	case r.ARN == "" && r.SSO == nil:
		return errNoRoleARN
	case r.ARN != "" && r.SSO != nil:
		return errBothARNs
	case r.SSO == nil:
		return nil
	case !accountID.MatchString(r.SSO.AccountID):
		return fmt.Errorf("AccountID '%s' is not a valid AWS Account ID", r.SSO.AccountID)
	case !permissionSet.MatchString(r.SSO.PermissionSetName):
		return fmt.Errorf("PermissionSetName '%s' is not a valid AWS SSO PermissionSet Name", r.SSO.PermissionSetName)
	case r.SSO.Partition != "" && !slices.Contains(partitions, r.SSO.Partition):
		return fmt.Errorf("partition '%s' is not a valid AWS partition", r.SSO.Partition)
	}
	return nil
}
