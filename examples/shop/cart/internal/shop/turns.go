package shop

import (
	"context"
	"sync"
)

// turns lets one caller at a time work on a cart. The zero value is ready. It
// holds for this process: a store that several processes share has to do it.
type turns struct {
	mu    sync.Mutex
	carts map[string]*turn
}

// turn is the right to work on one cart, and how many have it or wait for it.
type turn struct {
	free   chan struct{} // holds one token while nobody works
	claims int
}

// take waits for the turn until ctx ends. The caller calls done after its work.
func (t *turns) take(ctx context.Context, id string) (done func(), err error) {
	mine := t.claim(id)
	select {
	case <-mine.free:
		return func() {
			mine.free <- struct{}{}
			t.drop(id)
		}, nil
	case <-ctx.Done():
		t.drop(id)
		return nil, ctx.Err()
	}
}

func (t *turns) claim(id string) *turn {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.carts == nil {
		t.carts = map[string]*turn{}
	}
	if t.carts[id] == nil {
		t.carts[id] = &turn{free: make(chan struct{}, 1)}
		t.carts[id].free <- struct{}{}
	}
	t.carts[id].claims++
	return t.carts[id]
}

// drop forgets a turn that nobody wants any more.
func (t *turns) drop(id string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.carts[id].claims--; t.carts[id].claims == 0 {
		delete(t.carts, id)
	}
}
