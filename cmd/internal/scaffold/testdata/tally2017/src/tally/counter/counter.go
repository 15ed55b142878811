// Package counter keeps sums by name.
package counter

import (
	"errors"
	"sync"
)

// ErrFull is returned when no further name fits.
var ErrFull = errors.New("too many names")

// Counter is safe for use by several goroutines.
type Counter struct {
	mu   sync.Mutex
	max  int
	sums map[string]int
}

// New returns a counter for at most max names.
func New(max int) *Counter {
	return &Counter{max: max, sums: make(map[string]int)}
}

// Add adds one and returns the sum.
func (c *Counter) Add(name string) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.sums[name]; !ok && len(c.sums) >= c.max {
		return 0, ErrFull
	}
	c.sums[name]++
	return c.sums[name], nil
}

// Sum returns the sum of a name, 0 for one that was never added.
func (c *Counter) Sum(name string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sums[name]
}
