package shop

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"gitlab.com/selfcontained/shop/cart/internal/cart"
)

// Checkout orders a cart and returns it; a cart that was ordered is returned as
// it is. It fails with cart.ErrEmpty, or with *cart.ShortError if the stock
// refuses the order; the cart is open then. After any other error it is being
// ordered still, and repeating Checkout goes on where this one ended.
func (s *Shop) Checkout(ctx context.Context, id string) (cart.Cart, error) {
	done, err := s.turns.take(ctx, id)
	if err != nil {
		return cart.Cart{}, err
	}
	defer done()
	order := rand.Text()[:cart.OrderLength]
	c, err := s.store.Update(ctx, id, func(c cart.Cart) (cart.Cart, error) { return c.Begin(order) })
	if err != nil || c.State == cart.Ordered {
		return c, err
	}
	if !c.Held {
		if c, err = s.reserve(ctx, c); err != nil {
			return c, err
		}
	}
	return s.commit(ctx, c)
}

// reserve is the second step.
func (s *Shop) reserve(ctx context.Context, c cart.Cart) (cart.Cart, error) {
	err := s.stock.Reserve(ctx, c.Reservation(), c.Lines)
	switch {
	case err == nil:
		return s.save(ctx, c.Hold())
	case errors.Is(err, cart.ErrRefused):
		return s.refuse(ctx, c)
	case errors.Is(err, cart.ErrRejected):
		reopened, saving := s.save(ctx, c.Reopen())
		return reopened, errors.Join(err, saving)
	}
	return c, err
}

// commit is the third step. Only a reservation that is known to exist is
// committed, so that a stock that does not know it has lost it.
func (s *Shop) commit(ctx context.Context, c cart.Cart) (cart.Cart, error) {
	err := s.stock.Commit(ctx, c.Reservation())
	switch {
	case err == nil:
		return s.save(ctx, c.Finish(time.Now().UTC()))
	case errors.Is(err, cart.ErrRefused):
		return s.refuse(ctx, c)
	case errors.Is(err, cart.ErrNoReservation):
		lost, saving := s.save(ctx, c.Lose())
		return lost, errors.Join(fmt.Errorf("%w (%w)", cart.ErrUnavailable, err), saving)
	}
	return c, err
}

// refuse opens the cart again and says for which articles.
func (s *Shop) refuse(ctx context.Context, c cart.Cart) (cart.Cart, error) {
	c, err := s.save(ctx, c.Reopen())
	if err != nil {
		return c, err
	}
	return c, &cart.ShortError{Shortages: s.shortages(ctx, c.Lines)}
}

// save notes what is known to have happened, even if nobody waits for the
// answer any more. The cart is in its turn: nobody else has changed it.
func (s *Shop) save(ctx context.Context, c cart.Cart) (cart.Cart, error) {
	return s.store.Update(context.WithoutCancel(ctx), c.ID, func(cart.Cart) (cart.Cart, error) { return c, nil })
}

// shortages asks the stock which lines cannot be had. If it cannot be asked, or
// has enough pieces again, each line may have been the reason.
func (s *Shop) shortages(ctx context.Context, lines []cart.Line) []cart.Shortage {
	var short []cart.Shortage
	for _, line := range lines {
		err := s.offered(ctx, line)
		var few *cart.ShortError
		switch {
		case errors.As(err, &few):
			short = append(short, few.Shortages...)
		case errors.Is(err, cart.ErrNoArticle):
			short = append(short, cart.Shortage{SKU: line.SKU, Reason: cart.ErrNoArticle.Error()})
		case err != nil:
			return orSuspects(short, lines)
		}
	}
	return orSuspects(short, lines)
}

func orSuspects(short []cart.Shortage, lines []cart.Line) []cart.Shortage {
	if len(short) > 0 {
		return short
	}
	for _, line := range lines {
		short = append(short, cart.Shortage{SKU: line.SKU, Reason: "may have had too few pieces a moment ago"})
	}
	return short
}
