package authlog

import "errors"

// ErrThrottled says that AWS still refused a call for its rate or for too many
// queries at once after all retries. Nothing is wrong; ask again later.
var ErrThrottled = errors.New("throttled by AWS")

// An AccessError says that a permission is missing.
type AccessError struct {
	Action   string // the IAM action, e.g. logs:StartQuery
	Resource string // the ARN it was refused on; empty when AWS does not say
	Err      error  // AWS's own words
}

func (e *AccessError) Error() string {
	on := ""
	if e.Resource != "" {
		on = " on " + e.Resource
	}
	return "no permission for " + e.Action + on + ": " + e.Err.Error()
}

func (e *AccessError) Unwrap() error { return e.Err }

// A GoneError says that a log group does not exist any more.
type GoneError struct {
	LogGroup string // its ARN
	Err      error  // AWS's own words
}

func (e *GoneError) Error() string {
	return "log group " + e.LogGroup + " is gone: " + e.Err.Error()
}

func (e *GoneError) Unwrap() error { return e.Err }

// ErrDiskFull says that the store's disk has no room left. What was to be saved
// was not, not even in part; saving it again works once there is room.
var ErrDiskFull = errors.New("disk full")
