// Package shop is what the service does: it puts articles of the stock into
// carts and turns carts into orders. It knows neither gRPC nor where carts are
// kept.
//
// An order changes two services and is a saga of three steps, each of which is
// noted in the cart before the next: the cart is closed under a new order id,
// the stock sets the pieces aside under that id, the pieces leave the stock. A
// step whose outcome is unknown leaves the cart as it is, and repeating the
// checkout repeats that step, which the stock recognises by the id. If the
// stock refuses, the cart is opened again.
package shop

import (
	"context"
	"fmt"

	"gitlab.com/selfcontained/shop/cart/internal/cart"
)

// Store keeps carts. Its methods are safe for concurrent use.
type Store interface {
	// Cart returns a cart; one that nobody has put anything into is empty.
	Cart(ctx context.Context, id string) (cart.Cart, error)
	// Update replaces a cart by what change makes of it, all or nothing, and
	// returns that. change is pure and may be called more than once; its error
	// is returned. It may fail with cart.ErrTooMany.
	Update(ctx context.Context, id string, change func(cart.Cart) (cart.Cart, error)) (cart.Cart, error)
}

// Stock is what is needed of the stock service. Methods fail with
// cart.ErrUnavailable or the end of ctx if they do not know what happened, and
// with the named errors if they do; any other error leaves the outcome open.
type Stock interface {
	// Articles returns a page of up to size articles and the token of the next
	// page. It fails with *cart.InvalidError for a token that is none.
	Articles(ctx context.Context, size int32, token string) ([]cart.Article, string, error)
	// Article returns an article or fails with cart.ErrNoArticle.
	Article(ctx context.Context, sku string) (cart.Article, error)
	// Reserve sets pieces aside, all or none, once for each key. It fails with
	// cart.ErrRefused or cart.ErrRejected.
	Reserve(ctx context.Context, key string, lines []cart.Line) error
	// Commit takes the pieces of a reservation off the stock; repeating it
	// changes nothing. It fails with cart.ErrNoReservation, and with
	// cart.ErrRefused if the reservation was released.
	Commit(ctx context.Context, key string) error
}

// Shop joins a store and the stock; it is safe for concurrent use. All
// arguments of its methods have been checked by the rules of package cart.
type Shop struct {
	store Store
	stock Stock
	turns turns
}

// New returns a shop.
func New(store Store, stock Stock) *Shop { return &Shop{store: store, stock: stock} }

// Articles returns a page of what can be had; see Stock.
func (s *Shop) Articles(ctx context.Context, size int32, token string) ([]cart.Article, string, error) {
	return s.stock.Articles(ctx, size, token)
}

// Cart returns a cart, empty or not.
func (s *Shop) Cart(ctx context.Context, id string) (cart.Cart, error) {
	return s.store.Cart(ctx, id)
}

// SetLine sets a line of a cart. It fails with cart.ErrNoArticle, with
// *cart.ShortError if too few pieces are available, or by the rules of
// cart.Set. Taking an article out does not ask the stock: it works though the
// article is gone, or the stock away.
func (s *Shop) SetLine(ctx context.Context, id string, line cart.Line) (cart.Cart, error) {
	if line.Quantity > 0 {
		if err := s.offered(ctx, line); err != nil {
			return cart.Cart{}, err
		}
	}
	return s.store.Update(ctx, id, func(c cart.Cart) (cart.Cart, error) { return c.Set(line) })
}

// offered fails if the line could not be ordered at the moment.
func (s *Shop) offered(ctx context.Context, line cart.Line) error {
	article, err := s.stock.Article(ctx, line.SKU)
	if err != nil {
		return err
	}
	if article.Available < int64(line.Quantity) {
		return &cart.ShortError{Shortages: []cart.Shortage{tooFew(line, article)}}
	}
	return nil
}

func tooFew(line cart.Line, article cart.Article) cart.Shortage {
	reason := fmt.Sprintf("%d wanted, %d available", line.Quantity, article.Available)
	return cart.Shortage{SKU: line.SKU, Reason: reason}
}
