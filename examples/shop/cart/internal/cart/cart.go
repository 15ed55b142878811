// Package cart holds the terms and rules of the service: carts, their lines and
// their way to an order. It knows neither gRPC, nor the memory that carts are
// kept in, nor the stock.
//
// All values are plain data; the rules are methods that return the changed
// value and leave the receiver alone. A cart goes from Open to Ordering to
// Ordered; only from Ordering it may go back, when the stock refuses the order.
// Each way from Open to Ordering has an order id of its own, so that no two
// tries, whatever became of the first, share a reservation in the stock.
package cart

import (
	"cmp"
	"slices"
	"time"
)

// Limits of the API; see proto/cart/v1/cart.proto.
const (
	MaxLines    = 50
	MaxQuantity = 99
	MaxSKU      = 64
	MaxID       = 48
)

// OrderLength is the length of an order id. A reservation's key is made of the
// cart's id and the order's, and the stock takes 64 characters at most.
const OrderLength = 10

// State of a cart.
type State int

// Open is the first state, Ordered the last one.
const (
	Open State = iota + 1
	Ordering
	Ordered
)

// Line is one article in a cart.
type Line struct {
	SKU      string
	Quantity int32
}

// Article is something that the shop offers.
type Article struct {
	SKU       string
	Available int64
}

// Cart is what a customer has collected.
type Cart struct {
	// ID was chosen by the client.
	ID string
	// Lines are sorted by SKU, each SKU once. They are never changed in place:
	// copies of a cart may share them.
	Lines []Line
	State State
	// Order is the id of the order; empty while the cart is open.
	Order string
	// Held tells that the stock has set the order's pieces aside.
	Held bool
	// OrderTime is when the cart was ordered; zero before.
	OrderTime time.Time
}

// New returns the cart that every id has until something is put into it.
func New(id string) Cart { return Cart{ID: id, State: Open} }

// Untouched tells that the cart is as New made it, and need not be kept.
func (c Cart) Untouched() bool { return c.State == Open && len(c.Lines) == 0 }

// Pieces counts the pieces of all lines.
func (c Cart) Pieces() int32 {
	var sum int32
	for _, line := range c.Lines {
		sum += line.Quantity
	}
	return sum
}

// Reservation is the idempotency key of the order in the stock, at most 64
// characters long. Order ids have one length, so that the key of one cart is
// never the key of another.
func (c Cart) Reservation() string { return "cart-" + c.ID + "-" + c.Order }

// Set puts a line into the cart in place of the one of the same article;
// quantity 0 takes that out. It fails with ErrClosed or ErrFull.
func (c Cart) Set(line Line) (Cart, error) {
	if c.State != Open {
		return c, ErrClosed
	}
	at, found := slices.BinarySearchFunc(c.Lines, line, compareSKU)
	lines := slices.Clone(c.Lines)
	switch {
	case line.Quantity > 0 && found:
		lines[at] = line
	case line.Quantity > 0 && len(lines) == MaxLines:
		return c, ErrFull
	case line.Quantity > 0:
		lines = slices.Insert(lines, at, line)
	case found:
		lines = slices.Delete(lines, at, at+1)
	}
	c.Lines = lines
	return c, nil
}

func compareSKU(a, b Line) int { return cmp.Compare(a.SKU, b.SKU) }

// Begin starts to order an open cart under a new order id. A cart that is being
// ordered, or was, stays as it is. It fails with ErrEmpty.
func (c Cart) Begin(order string) (Cart, error) {
	if c.State != Open {
		return c, nil
	}
	if len(c.Lines) == 0 {
		return c, ErrEmpty
	}
	c.State, c.Order = Ordering, order
	return c, nil
}

// Hold notes that the stock has set the pieces aside.
func (c Cart) Hold() Cart {
	c.Held = true
	return c
}

// Lose notes that the stock knows nothing of the reservation any more.
func (c Cart) Lose() Cart {
	c.Held = false
	return c
}

// Reopen gives the customer the cart back after the stock refused the order.
func (c Cart) Reopen() Cart {
	c.State, c.Order, c.Held = Open, "", false
	return c
}

// Finish notes that the pieces left the stock.
func (c Cart) Finish(now time.Time) Cart {
	c.State, c.OrderTime = Ordered, now
	return c
}
