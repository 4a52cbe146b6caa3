package awsauth_test

import "testing"

// withGroups is an item with these groups.
func withGroups(groups string) string {
	return "mapRoles: |\n  - rolearn: arn:aws:iam::111122223333:role/Dev\n    username: dev\n    groups: " + groups + "\n"
}

func TestEachGroupThatIsNoTextIsPlaced(t *testing.T) {
	wantFound(t, withGroups("[a, 7]"), `error aws_auth_wrong_type 4:17 "7"`)
	wantFound(t, withGroups("\n    - a\n    - 7\n    - [b]\n    - yes"), `error aws_auth_wrong_type 6:7 "7"`, `error aws_auth_wrong_type 7:7`, `error aws_auth_wrong_type 8:7 "yes"`)
	wantFound(t, `mapRoles: '[{"rolearn": "arn:aws:iam::111122223333:role/Dev", "username": "dev", "groups": ["a", 7]}]'`+"\n", `error aws_auth_wrong_type 1:98 "7"`)
}

func TestGroupsOfAnotherTypeArePlaced(t *testing.T) {
	wantFound(t, withGroups(`"a, b"`), `error aws_auth_wrong_type 4:14 "a, b"`)
	wantFound(t, withGroups("|\n      - a\n      - b"), `error aws_auth_wrong_type 5:7 "- a\n- b\n"`)
}
