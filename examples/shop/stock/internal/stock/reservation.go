package stock

import (
	"cmp"
	"slices"
	"time"
)

// State of a reservation. The values are stored: never renumber them.
type State int

// Held is the first state; Released and Committed are final.
const (
	Held      State = 1
	Released  State = 2
	Committed State = 3
)

// Line asks for pieces of one article.
type Line struct {
	SKU      string `json:"sku"`
	Quantity int64  `json:"quantity"`
}

// Reservation is a promise of pieces to one client.
type Reservation struct {
	// Key was chosen by the client and makes repeated requests harmless.
	Key string `json:"key"`
	// Lines are sorted by SKU, each SKU once.
	Lines   []Line    `json:"lines"`
	State   State     `json:"state"`
	Created time.Time `json:"created"`
}

// NewReservation returns a held reservation; it keeps a sorted copy of lines.
func NewReservation(key string, lines []Line, now time.Time) Reservation {
	sorted := slices.SortedFunc(slices.Values(lines), func(a, b Line) int {
		return cmp.Compare(a.SKU, b.SKU)
	})
	return Reservation{Key: key, Lines: sorted, State: Held, Created: now}
}

// Repeat tells whether a second request with r's key is the same request: nil
// if so, ErrKeyReused if its lines differ, ErrSettled if r is no longer held.
func (r Reservation) Repeat(request Reservation) error {
	switch {
	case !slices.Equal(r.Lines, request.Lines):
		return ErrKeyReused
	case r.State != Held:
		return ErrSettled
	}
	return nil
}

// Settle moves a held reservation to its final state. It fails with ErrSettled
// if the reservation ended in the other final state before.
func (r Reservation) Settle(outcome State) (Reservation, error) {
	if r.State != Held && r.State != outcome {
		return r, ErrSettled
	}
	r.State = outcome
	return r, nil
}
