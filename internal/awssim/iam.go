package awssim

import (
	"encoding/xml"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

const iamNamespace = "https://iam.amazonaws.com/doc/2010-05-08/"

// A User is an IAM user that cannot call anything; it is there to be found.
type User struct {
	Name    string    // may have a path: devs/alice
	Created time.Time // zero: 2020-01-01
}

// AddUser makes or replaces a user and returns its ARN.
func (a *Account) AddUser(u User) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	arn := "arn:aws:iam::" + a.id + ":user/" + u.Name
	a.users[arn] = u
	return arn
}

// DeleteRole removes a role.
func (a *Account) DeleteRole(arn string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.roles, arn)
}

// iamCreated is when whoever has no time of its own was made.
func iamCreated(t time.Time) string {
	if t.IsZero() {
		t = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	return t.UTC().Format(time.RFC3339)
}

// splitPath parts the name of a role or user from the path before it.
func splitPath(full string) (path, name string) {
	i := strings.LastIndexByte(full, '/')
	return "/" + full[:i+1], full[i+1:]
}

// iamResource is the ARN that IAM checks the call against.
func (c *call) iamResource() string {
	form := c.form()
	switch {
	case form.Get("RoleName") != "":
		return "role " + form.Get("RoleName")
	case form.Get("UserName") != "":
		return "user " + form.Get("UserName")
	}
	return fmt.Sprintf("arn:aws:iam::%s:role%s", c.account.id, form.Get("PathPrefix"))
}

type roleXML struct {
	Path, RoleName string
	RoleID         string `xml:"RoleId"`
	Arn            string
	CreateDate     string
}

func (a *Account) roleXML(arn string, r Role) roleXML {
	path, name := splitPath(r.Name)
	return roleXML{Path: path, RoleName: name, RoleID: uniqueID("AROA", a.id, name), Arn: arn, CreateDate: iamCreated(r.Created)}
}

type getRoleResponse struct {
	XMLName   xml.Name `xml:"GetRoleResponse"`
	Namespace string   `xml:"xmlns,attr"`
	Role      roleXML  `xml:"GetRoleResult>Role"`
}

// getRole is iam:GetRole: by name without path.
func getRole(c *call) (any, *apiError) {
	want := c.form().Get("RoleName")
	c.account.mu.RLock()
	defer c.account.mu.RUnlock()
	for arn, r := range c.account.roles {
		if _, name := splitPath(r.Name); strings.EqualFold(name, want) {
			return getRoleResponse{Namespace: iamNamespace, Role: c.account.roleXML(arn, r)}, nil
		}
	}
	return nil, noSuchEntity("The role with name %s cannot be found.", want)
}

func noSuchEntity(format, name string) *apiError {
	return &apiError{status: http.StatusNotFound, code: "NoSuchEntity", message: fmt.Sprintf(format, name)}
}

type userXML struct {
	Path, UserName string
	UserID         string `xml:"UserId"`
	Arn            string
	CreateDate     string
}

type getUserResponse struct {
	XMLName   xml.Name `xml:"GetUserResponse"`
	Namespace string   `xml:"xmlns,attr"`
	User      userXML  `xml:"GetUserResult>User"`
}

// getUser is iam:GetUser: by name without path.
func getUser(c *call) (any, *apiError) {
	want := c.form().Get("UserName")
	c.account.mu.RLock()
	defer c.account.mu.RUnlock()
	for arn, u := range c.account.users {
		path, name := splitPath(u.Name)
		if strings.EqualFold(name, want) {
			return getUserResponse{Namespace: iamNamespace, User: userXML{
				Path: path, UserName: name, UserID: uniqueID("AIDA", c.account.id, name), Arn: arn, CreateDate: iamCreated(u.Created),
			}}, nil
		}
	}
	return nil, noSuchEntity("The user with name %s cannot be found.", want)
}

type listRolesResponse struct {
	XMLName     xml.Name  `xml:"ListRolesResponse"`
	Namespace   string    `xml:"xmlns,attr"`
	IsTruncated bool      `xml:"ListRolesResult>IsTruncated"`
	Marker      string    `xml:"ListRolesResult>Marker,omitempty"`
	Roles       []roleXML `xml:"ListRolesResult>Roles>member"`
}

// listRoles is iam:ListRoles.
func listRoles(c *call) (any, *apiError) {
	form := c.form()
	size := 100
	if text := form.Get("MaxItems"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 1000 {
			return nil, stsValidation("Value '%s' at 'maxItems' failed to satisfy constraint: Member must have value from 1 to 1000", text)
		}
		size = n
	}
	c.account.mu.RLock()
	defer c.account.mu.RUnlock()
	var arns []string
	for _, arn := range slices.Sorted(maps.Keys(c.account.roles)) {
		if path, _ := splitPath(c.account.roles[arn].Name); strings.HasPrefix(path, form.Get("PathPrefix")) {
			arns = append(arns, arn)
		}
	}
	same := func(arn string) string { return arn }
	page, next, refusal := paginate(arns, same, paging{token: form.Get("Marker"), size: size, most: 1000})
	if refusal != nil {
		return nil, refusal
	}
	out := listRolesResponse{Namespace: iamNamespace, IsTruncated: next != "", Marker: next}
	for _, arn := range page {
		out.Roles = append(out.Roles, c.account.roleXML(arn, c.account.roles[arn]))
	}
	return out, nil
}
