package awsauth

import "fmt"

// Severity says how much a finding costs.
type Severity uint8

// The severities, worst first.
const (
	SeverityError   Severity = iota // somebody is denied, or the file is refused
	SeverityWarning                 // everybody gets in, but not as was meant
	SeverityInfo                    // nothing is lost
)

func (s Severity) String() string {
	return [...]string{"error", "warning", "info"}[min(s, SeverityInfo)]
}

// MarshalText gives the severity as the API spells it.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText is the inverse of MarshalText.
func (s *Severity) UnmarshalText(text []byte) error {
	for v := SeverityError; v <= SeverityInfo; v++ {
		if v.String() == string(text) {
			*s = v
			return nil
		}
	}
	return fmt.Errorf("%q is no severity", text)
}

// A Finding is one fault of an aws-auth ConfigMap. Its strings may quote the
// file, with every character that cannot be seen as an escape; they are plain
// text and safe on a terminal.
type Finding struct {
	Code     string   `json:"code"` // of Rules
	Severity Severity `json:"severity"`
	Section  string   `json:"section,omitempty"` // the key of the data; empty: the file
	Item     int      `json:"item"`              // place in the section, from 0; -1: the section or file
	Line     int      `json:"line"`              // from 1
	Column   int      `json:"column"`            // from 1, in characters
	// EndColumn is one past the last wrong character, on the same line.
	EndColumn int    `json:"end_column"`
	Wrong     string `json:"wrong,omitempty"` // the wrong text, quoted
	Message   string `json:"message"`
	Effect    string `json:"effect"`              // what it costs
	Corrected string `json:"corrected,omitempty"` // what to write instead, as YAML; empty where that is not known
	Source    string `json:"source,omitempty"`    // the line as it stands; empty where it is very long
}

// A Rule is a kind of finding.
type Rule struct {
	Code  string
	Title string
	Help  string // why it is so, and what to do
}

// The codes of the rules. They are part of the API.
const (
	CodeRefused       = "aws_auth_refused"
	CodeNotYAML       = "aws_auth_not_yaml"
	CodeNotAList      = "aws_auth_not_a_list"
	CodeBadItem       = "aws_auth_bad_item"
	CodeWrongType     = "aws_auth_wrong_type"
	CodeWrongSection  = "aws_auth_wrong_section"
	CodeWrongKey      = "aws_auth_wrong_key"
	CodeWrongDataKey  = "aws_auth_wrong_data_key"
	CodeWrongName     = "aws_auth_wrong_name"
	CodeDuplicateKey  = "aws_auth_duplicate_key"
	CodeDuplicateARN  = "aws_auth_duplicate_arn"
	CodeRolePath      = "aws_auth_role_path"
	CodeSSOPath       = "aws_auth_sso_path"
	CodeAssumedRole   = "aws_auth_assumed_role_arn"
	CodeBadARN        = "aws_auth_bad_arn"
	CodeInvisible     = "aws_auth_invisible_char"
	CodeNotUTF8       = "aws_auth_not_utf8"
	CodePlaceholder   = "aws_auth_placeholder_left"
	CodeUserPath      = "aws_auth_user_path_missing"
	CodeSSOMatcher    = "aws_auth_sso_matcher"
	CodeBadAccount    = "aws_auth_bad_account"
	CodeEmptyUsername = "aws_auth_empty_username"
	CodeReservedName  = "aws_auth_reserved_username"
	CodeBadTemplate   = "aws_auth_bad_template"
	CodeBadGroup      = "aws_auth_bad_group"
	CodeNodeGroups    = "aws_auth_node_groups"
	CodeEmpty         = "aws_auth_empty"
	CodeIgnored       = "aws_auth_ignored_in_api_mode"
)

// Rules lists every kind of finding, in the order of the codes above.
func Rules() []Rule { return append([]Rule(nil), rules[:]...) }

var rules = [...]Rule{
	{CodeRefused, "The file never reaches the cluster", "kubectl or the API server refuses it, and the cluster keeps the aws-auth it has."},
	{CodeNotYAML, "A section is no YAML", "One wrong character drops every mapping of the section: the authenticator keeps only what it could read."},
	{CodeNotAList, "A section is no list of items", "Each section is a list; each item begins with a dash. Anything else drops the whole section."},
	{CodeBadItem, "An item has no ARN", "An item of mapRoles needs rolearn, one of mapUsers userarn. Without it the item is dropped."},
	{CodeWrongType, "A value is of the wrong type", "ARN and username are texts, groups is a list of texts. A value of another type is lost; the rest of the item stays."},
	{CodeWrongSection, "An item stands in the wrong section", "userarn is read in mapUsers alone and rolearn in mapRoles alone."},
	{CodeWrongKey, "A key of an item is not known", "The keys are rolearn or userarn, username and groups, in any case. Others are ignored without a word."},
	{CodeWrongDataKey, "A key of the data is not known", "The keys are mapRoles, mapUsers and mapAccounts, in this very case. Others are ignored without a word."},
	{CodeWrongName, "The ConfigMap is not the one that is read", "The authenticator reads aws-auth in kube-system and no other."},
	{CodeDuplicateKey, "A key stands twice", "The last one counts. Inside an item it mostly means that the dash of the next item is missing, so that two items became one."},
	{CodeDuplicateARN, "Two items have the same ARN", "Of two roles the last one counts, whatever the case. Of two users that differ in case the authenticator picks one at random."},
	{CodeRolePath, "A role is written with its path", "STS never shows the path of a role, and the authenticator compares text. Write the role without it."},
	{CodeSSOPath, "A role of IAM Identity Center is written with its path", "Write role/AWSReservedSSO_… without aws-reserved/sso.amazonaws.com/ and the region."},
	{CodeAssumedRole, "An assumed-role ARN is written instead of the role's", "The session's ARN is turned into the role's before it is compared: write arn:…:iam::…:role/NAME."},
	{CodeBadARN, "An ARN can match nobody", "Check partition, account (12 digits), the two colons before it, role/ or user/, and the name. No character stands for others."},
	{CodeNotUTF8, "A byte of the file is no UTF-8", "kubectl puts U+FFFD in its place, and other tools refuse the file. Save it as UTF-8."},
	{CodeInvisible, "An ARN has a character that cannot be seen", "Blanks inside quotes, no-break spaces and zero-width characters are part of the text that is compared. Type the ARN anew."},
	{CodePlaceholder, "A placeholder was left in an ARN", "Put in the real account or name."},
	{CodeUserPath, "An IAM user is written without its path", "A user's ARN keeps its path: write user/PATH/NAME as aws sts get-caller-identity shows it."},
	{CodeSSOMatcher, "An sso item matches nobody on EKS", "It counts only with the feature gate SSORoleMatch, which is off by default; with partition: it matches nobody at all. Write the role's ARN."},
	{CodeBadAccount, "An account can match nobody", "An account has 12 digits and is compared as text."},
	{CodeEmptyUsername, "An item has no username", "The principal gets in with an empty name, which no RoleBinding and no audit line can tell."},
	{CodeReservedName, "A username begins with a reserved prefix", "Names that begin with eks:, aws:, amazon: or iam: are EKS's own and may be refused."},
	{CodeBadTemplate, "A template is not known", "Known are {{AccountID}}, {{SessionName}}, {{SessionNameRaw}}, {{AccessKeyID}} and {{EC2PrivateDNSName}}, without blanks. Others stay as they are written."},
	{CodeBadGroup, "A group's name is no name", "A blank in a group mostly means that a line is indented too far, so that two groups became one."},
	{CodeNodeGroups, "A node role lacks the groups of a node", "A node needs system:bootstrappers and system:nodes."},
	{CodeEmpty, "The ConfigMap maps nobody", "Everybody who came in by aws-auth is locked out, nodes included, but for the cluster's creator and access entries."},
	{CodeIgnored, "The cluster does not read aws-auth", "With the authentication mode API only access entries count."},
}
