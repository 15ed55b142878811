package nodeimage

// HostError tells that this machine cannot build a node image, and what to do
// about it.
type HostError struct {
	What string // what is missing
	Do   string // the next step
	Err  error  // the cause, may be nil
}

func (e *HostError) Error() string {
	s := "cannot build the node image: " + e.What + "; " + e.Do
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *HostError) Unwrap() error { return e.Err }
