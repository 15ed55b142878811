package stock

import (
	"errors"
	"fmt"
)

// Errors that a rule or the store answers with; compare with errors.Is.
var (
	// ErrNotFound: no such article or reservation.
	ErrNotFound = errors.New("not found")
	// ErrInsufficient: fewer pieces are available than are asked for.
	ErrInsufficient = errors.New("not enough pieces available")
	// ErrRevision: the article changed since the client read it.
	ErrRevision = errors.New("the article has another revision")
	// ErrKeyReused: an idempotency key came again with another request.
	ErrKeyReused = errors.New("the idempotency key was used for another request")
	// ErrSettled: the reservation was released or committed before.
	ErrSettled = errors.New("the reservation was released or committed before")
)

// InvalidError says which field of a request is malformed and what is expected.
type InvalidError struct {
	Field  string
	Reason string
}

// Error implements error.
func (e *InvalidError) Error() string { return fmt.Sprintf("%s: %s", e.Field, e.Reason) }
