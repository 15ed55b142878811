package api

import "time"

// SetMaxCall lets a test wait less.
func (a *API) SetMaxCall(d time.Duration) { a.maxCall = d }
