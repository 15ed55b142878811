package gitlabtest

import (
	"net/http"
	"strconv"
	"sync"
)

// Fault is what goes wrong with requests of one route. Exactly one of the
// effects is set.
type Fault struct {
	// On is method and pattern, such as "POST /projects/:id/releases"; "*"
	// is every request.
	On string
	// Skip lets that many requests pass first; Times is how many then
	// suffer, 0 means one.
	Skip, Times int

	// Race runs just before the request is handled: another actor.
	Race func()
	// Inside runs while POST releases creates its tag, after it has looked
	// whether there is one. The double is locked then: only git may be used.
	Inside func()
	// Status answers so without any effect; After does it after the effect.
	Status int
	// After tells that the effect of Status or Cut comes after GitLab's own.
	After bool
	// Cut closes the connection without an answer.
	Cut bool
	// RetryAfter goes with status 429: seconds, or a date.
	RetryAfter string
}

// Event is one API request as the double saw it.
type Event struct {
	Method, Pattern, Path string
	User                  string // the User-Agent
	Status                int    // of GitLab's own answer; 0 before it is known
	Length                int64  // the Content-Length, -1 without one
	Changed               bool   // the state changed
}

// On is the event in the form of Fault.On.
func (e Event) On() string { return e.Method + " " + e.Pattern }

type faults struct {
	mu      sync.Mutex
	waiting []*Fault
	watch   func(Event, bool)
	journal []Event
}

// Fault adds a fault. Of several for one request the first that was added and
// is not used up happens.
func (d *Double) Fault(f Fault) {
	d.faults.mu.Lock()
	defer d.faults.mu.Unlock()
	f.Times = max(f.Times, 1)
	d.faults.waiting = append(d.faults.waiting, &f)
}

// Watch calls back before (done is false) and after each API request has its
// effect, before the client has its answer. The callback may kill the client.
func (d *Double) Watch(see func(e Event, done bool)) {
	d.faults.mu.Lock()
	defer d.faults.mu.Unlock()
	d.faults.watch = see
}

// Journal lists the API requests that were handled, in order of their answers.
func (d *Double) Journal() []Event {
	d.faults.mu.Lock()
	defer d.faults.mu.Unlock()
	return append([]Event(nil), d.faults.journal...)
}

func (f *faults) observe(e Event, done bool) {
	f.mu.Lock()
	if done {
		f.journal = append(f.journal, e)
	}
	see := f.watch
	f.mu.Unlock()
	if see != nil {
		see(e, done)
	}
}

// next takes the fault that this request meets; the zero one is none.
func (f *faults) next(e Event) Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, w := range f.waiting {
		if (w.On != "*" && w.On != e.On()) || w.Times == 0 {
			continue
		}
		if w.Skip > 0 {
			w.Skip--
			continue
		}
		w.Times--
		return *w
	}
	return Fault{}
}

// before happens ahead of the handler and reports whether that is the end.
func (f Fault) before(c *call, w http.ResponseWriter) bool {
	if f.Race != nil {
		f.Race()
	}
	return !f.After && f.strike(c, w)
}

func (f Fault) after(c *call, w http.ResponseWriter) bool {
	return f.After && f.strike(c, w)
}

func (f Fault) strike(c *call, w http.ResponseWriter) bool {
	switch {
	case f.Cut:
		// net/http closes the connection and logs nothing for this value.
		panic(http.ErrAbortHandler)
	case f.Status == 0:
		return false
	}
	c.status, c.header = f.Status, http.Header{"Content-Type": {"text/html"}}
	c.out = []byte("<html>" + strconv.Itoa(f.Status) + " " + http.StatusText(f.Status) + "</html>")
	if f.RetryAfter != "" {
		c.header.Set("Retry-After", f.RetryAfter)
	}
	c.send(w)
	return true
}
