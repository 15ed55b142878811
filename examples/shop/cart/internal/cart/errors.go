package cart

import (
	"errors"
	"fmt"
	"strings"
)

// Errors that a rule, the store or the stock answers with; compare with
// errors.Is. Their texts are shown to clients, what wraps them is not.
var (
	// ErrClosed: the lines of a cart that is being ordered, or was, are fixed.
	ErrClosed = errors.New("the cart is being ordered or was ordered")
	// ErrFull: one more line than a cart may have.
	ErrFull = fmt.Errorf("the cart has %d lines, which is the limit", MaxLines)
	// ErrEmpty: there is nothing to order.
	ErrEmpty = errors.New("the cart is empty")
	// ErrTooMany: there is no room for one more cart.
	ErrTooMany = errors.New("there are too many carts; try again later")
	// ErrNoArticle: the shop does not offer the article.
	ErrNoArticle = errors.New("no such article")
	// ErrUnavailable: the stock does not answer, or not in time.
	ErrUnavailable = errors.New("the stock does not answer; try again later")
	// ErrRefused: the stock cannot serve an order, and set nothing aside.
	ErrRefused = errors.New("the stock refused the order")
	// ErrRejected: the stock does not accept a request as it is, and did
	// nothing; this service made a mistake.
	ErrRejected = errors.New("the stock rejected the request")
	// ErrNoReservation: the stock does not know the reservation of an order.
	ErrNoReservation = errors.New("the stock does not know the reservation")
)

// InvalidError says which field of a request is malformed and what is expected.
type InvalidError struct {
	Field  string
	Reason string
}

// Error implements error.
func (e *InvalidError) Error() string { return fmt.Sprintf("%s: %s", e.Field, e.Reason) }

// Shortage says why an article cannot be had as asked for.
type Shortage struct {
	SKU    string
	Reason string
}

// ShortError names the articles that an order or a line fails for, at least one.
type ShortError struct {
	Shortages []Shortage
}

// Error implements error.
func (e *ShortError) Error() string {
	texts := make([]string, len(e.Shortages))
	for i, s := range e.Shortages {
		texts[i] = s.SKU + ": " + s.Reason
	}
	return strings.Join(texts, "; ")
}
