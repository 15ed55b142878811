package pipeline

import (
	"errors"
	"fmt"
)

// Status is the outcome of a stage. Only Passed, Waived and NotApplicable open
// a gate: nothing is green by absence.
type Status string

// The statuses that a verdict can have.
const (
	Passed       Status = "passed"
	Failed       Status = "failed"
	Untested     Status = "not tested"
	Waived       Status = "waived"
	Inapplicable Status = "not applicable"
	Skipped      Status = "skipped"
	Cancelled    Status = "cancelled"
)

// Opens reports whether the status lets dependents run and gates open.
func (s Status) Opens() bool { return s == Passed || s == Waived || s == Inapplicable }

// NotTested says that a stage could not run: the environment lacks something
// or failed. It opens no gate and ends the program with exit code 3.
type NotTested struct {
	// Why says what is missing or what went wrong.
	Why string
	// Remedy says what to do next: a command or a setting.
	Remedy string
	// Transient failures are tried again.
	Transient bool
	// Err is the cause, if there is one.
	Err error
}

func (e *NotTested) Error() string {
	s := e.Why
	if e.Err != nil {
		s = fmt.Sprintf("%s: %v", s, e.Err)
	}
	if e.Remedy != "" {
		s += "; " + e.Remedy
	}
	return s
}

func (e *NotTested) Unwrap() error { return e.Err }

// NotApplicable says that there is nothing of the stage's kind to look at, by
// the nature of the service and not by a lack.
type NotApplicable struct{ Why string }

func (e *NotApplicable) Error() string { return e.Why }

// Failure is the error of a stage that found the user's code or tests red.
// Cause is what a person must see first: a few lines at most.
type Failure struct {
	Summary string // one line: "2 of 31 tests failed"
	Cause   string // up to 24 lines: the failing tests, the diff, the diagnosis
}

func (e *Failure) Error() string { return e.Summary }

// statusOf maps what Run returned to a status.
func statusOf(err error) Status {
	var notTested *NotTested
	var notApplicable *NotApplicable
	switch {
	case err == nil:
		return Passed
	case errors.As(err, &notApplicable):
		return Inapplicable
	case errors.As(err, &notTested):
		return Untested
	}
	return Failed
}
