package forge

import (
	"errors"
	"fmt"
	"time"
)

// Errors every adapter returns, wrapped with what was being attempted. Branch
// on them with errors.Is.
var (
	// ErrNotFound: the thing is not there, or the caller may not see it.
	ErrNotFound = errors.New("not found")
	// ErrExists: a thing of that name is there already (GitHub's 422 already_exists).
	ErrExists = errors.New("already exists")
	// ErrConflict: the world moved (head changed, merge conflict, not mergeable).
	ErrConflict = errors.New("conflict")
	// ErrInvalid: the forge refused the request's content.
	ErrInvalid = errors.New("invalid")
	// ErrUnauthorized: no token, or one the forge does not know.
	ErrUnauthorized = errors.New("not authenticated")
	// ErrForbidden: the token may not do this.
	ErrForbidden = errors.New("forbidden")
	// ErrUnavailable: the forge answered 5xx or did not answer; trying again may help.
	ErrUnavailable = errors.New("unavailable")
)

// RateLimitError says that the forge asks to wait.
type RateLimitError struct {
	Until time.Time
	Cause error
}

// Error implements error.
func (e *RateLimitError) Error() string {
	return fmt.Sprintf("rate limited until %s: %v", e.Until.UTC().Format(time.RFC3339), e.Cause)
}

// RetryAt is when to try again.
func (e *RateLimitError) RetryAt() time.Time { return e.Until }

// Unwrap returns the forge's own answer.
func (e *RateLimitError) Unwrap() error { return e.Cause }
