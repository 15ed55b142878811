// Package store keeps carts in memory, and not more of them than it may.
//
// A cart that nobody touches for a while is forgotten. When the store is full
// and another cart comes, the open cart that was idle for longest makes room;
// a cart that is being ordered, or was, never does, for a repeated checkout has
// to find it. The end of the process ends all carts; see README.md for what
// that means for orders that were under way.
package store

import (
	"container/list"
	"context"
	"sync"
	"time"

	"gitlab.com/selfcontained/shop/cart/internal/cart"
)

// Memory is a store; it is safe for concurrent use. Every operation takes the
// same short time, however many carts there are: carts wait in two queues, the
// one that was idle for longest in front.
type Memory struct {
	most int
	ttl  time.Duration

	mu     sync.Mutex
	carts  map[string]*list.Element // of entry, in one of the queues
	open   *list.List
	orders *list.List
}

// entry is a cart in a queue.
type entry struct {
	cart    cart.Cart
	touched time.Time
}

// New returns an empty store for the given number of carts, each of which is
// kept for at least ttl after it was read or changed last, but see the package.
func New(most int, ttl time.Duration) *Memory {
	return &Memory{most: most, ttl: ttl, carts: map[string]*list.Element{}, open: list.New(), orders: list.New()}
}

// Cart returns a cart; one that nobody has put anything into is empty. It never
// fails.
func (m *Memory) Cart(_ context.Context, id string) (cart.Cart, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.expire()
	c, element := m.find(id)
	m.put(element, c)
	return c, nil
}

// Update replaces a cart by what change makes of it and returns that. If change
// fails, nothing changes and its error is returned. It fails with
// cart.ErrTooMany if there is no room for a new cart.
func (m *Memory) Update(_ context.Context, id string, change func(cart.Cart) (cart.Cart, error)) (cart.Cart, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.expire()
	old, element := m.find(id)
	changed, err := change(old)
	if err == nil && element == nil && !changed.Untouched() {
		err = m.makeRoom()
	}
	if err != nil {
		return old, err
	}
	m.put(element, changed)
	return changed, nil
}

// find returns a cart and where it is; a new cart is nowhere.
func (m *Memory) find(id string) (cart.Cart, *list.Element) {
	element, found := m.carts[id]
	if !found {
		return cart.New(id), nil
	}
	return element.Value.(entry).cart, element
}

// put makes c, in place of what the element holds, the cart that was touched
// last. A cart that nothing was put into is not kept.
func (m *Memory) put(old *list.Element, c cart.Cart) {
	if old != nil {
		m.remove(old)
	}
	if !c.Untouched() {
		m.carts[c.ID] = m.queue(c).PushBack(entry{c, time.Now()})
	}
}

func (m *Memory) remove(element *list.Element) {
	c := element.Value.(entry).cart
	m.queue(c).Remove(element)
	delete(m.carts, c.ID)
}

func (m *Memory) queue(c cart.Cart) *list.List {
	if c.State == cart.Open {
		return m.open
	}
	return m.orders
}

// expire forgets the carts that were idle for too long.
func (m *Memory) expire() {
	for _, queue := range []*list.List{m.open, m.orders} {
		for first := queue.Front(); first != nil && time.Since(first.Value.(entry).touched) >= m.ttl; first = queue.Front() {
			m.remove(first)
		}
	}
}

// makeRoom makes room for one more cart.
func (m *Memory) makeRoom() error {
	if len(m.carts) < m.most {
		return nil
	}
	idle := m.open.Front()
	if idle == nil {
		return cart.ErrTooMany
	}
	m.remove(idle)
	return nil
}
