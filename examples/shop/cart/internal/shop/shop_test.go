package shop_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/mock/gomock"

	"gitlab.com/selfcontained/shop/cart/internal/cart"
	"gitlab.com/selfcontained/shop/cart/internal/shop"
	"gitlab.com/selfcontained/shop/cart/internal/store"
)

// mocked returns a shop with the real store and a mock of the stock.
func mocked(t *testing.T) (*shop.Shop, *MockStockMockRecorder) {
	t.Helper()
	stock := NewMockStock(gomock.NewController(t))
	return shop.New(store.New(10, time.Hour), stock), stock.EXPECT()
}

// fill puts pieces of articles into cart "c".
func fill(t *testing.T, s *shop.Shop, stock *MockStockMockRecorder, lines ...cart.Line) {
	t.Helper()
	for _, line := range lines {
		stock.Article(gomock.Any(), line.SKU).Return(cart.Article{SKU: line.SKU, Available: 99}, nil)
		if _, err := s.SetLine(t.Context(), "c", line); err != nil {
			t.Fatal(err)
		}
	}
}

// wantCart checks what the cart has become.
func wantCart(t *testing.T, s *shop.Shop, state cart.State, lines ...cart.Line) {
	t.Helper()
	c, err := s.Cart(t.Context(), "c")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(lines, c.Lines); diff != "" || c.State != state {
		t.Errorf("state %d, want %d; lines (-want +got):\n%s", c.State, state, diff)
	}
}

func TestArticlesAreTheStocks(t *testing.T) {
	t.Parallel()
	s, stock := mocked(t)
	want := []cart.Article{{SKU: "a", Available: 1}}
	stock.Articles(gomock.Any(), int32(7), "token").Return(want, "next", nil)
	got, next, err := s.Articles(t.Context(), 7, "token")
	if diff := cmp.Diff(want, got); diff != "" || next != "next" || err != nil {
		t.Errorf("next page %q, error %v (-want +got):\n%s", next, err, diff)
	}
}

func TestSetLine(t *testing.T) {
	t.Parallel()
	away := errors.New("away")
	tests := []struct {
		name      string
		available int64
		failure   error
		want      error
	}{
		{"just enough", 2, nil, nil},
		{"too few", 1, nil, &cart.ShortError{Shortages: []cart.Shortage{{SKU: "a", Reason: "2 wanted, 1 available"}}}},
		{"no such article", 0, cart.ErrNoArticle, cart.ErrNoArticle},
		{"no answer", 0, away, away},
	}
	for _, test := range tests {
		s, stock := mocked(t)
		stock.Article(gomock.Any(), "a").Return(cart.Article{SKU: "a", Available: test.available}, test.failure)
		_, err := s.SetLine(t.Context(), "c", cart.Line{SKU: "a", Quantity: 2})
		if !same(err, test.want) {
			t.Errorf("%s: error %v, want %v", test.name, err, test.want)
		}
		if test.want == nil {
			wantCart(t, s, cart.Open, cart.Line{SKU: "a", Quantity: 2})
		} else {
			wantCart(t, s, cart.Open)
		}
	}
}

// same compares errors, and what a *cart.ShortError says.
func same(got, want error) bool {
	var a, b *cart.ShortError
	if errors.As(got, &a) && errors.As(want, &b) {
		return cmp.Equal(a, b)
	}
	return errors.Is(got, want)
}

func TestTakingOutDoesNotAskTheStock(t *testing.T) {
	t.Parallel()
	s, stock := mocked(t)
	fill(t, s, stock, cart.Line{SKU: "a", Quantity: 2})
	if _, err := s.SetLine(t.Context(), "c", cart.Line{SKU: "a"}); err != nil {
		t.Fatal(err)
	}
	wantCart(t, s, cart.Open)
}

func TestCheckoutOfAnEmptyCart(t *testing.T) {
	t.Parallel()
	s, _ := mocked(t)
	if _, err := s.Checkout(t.Context(), "c"); !errors.Is(err, cart.ErrEmpty) {
		t.Errorf("error %v, want %v", err, cart.ErrEmpty)
	}
}

// brokenStore is a store that fails from the second update on.
type brokenStore struct {
	*store.Memory
	updates int
	err     error
}

func (b *brokenStore) Update(ctx context.Context, id string, change func(cart.Cart) (cart.Cart, error)) (cart.Cart, error) {
	if b.updates++; b.updates > 2 {
		return cart.Cart{}, b.err
	}
	return b.Memory.Update(ctx, id, change)
}

// What could not be noted is an error, whatever the stock said.
func TestAStoreThatFailsMidway(t *testing.T) {
	t.Parallel()
	line := cart.Line{SKU: "a", Quantity: 1}
	for name, answer := range map[string]error{"held": nil, "refused": cart.ErrRefused, "rejected": cart.ErrRejected} {
		stock := NewMockStock(gomock.NewController(t))
		broken := &brokenStore{Memory: store.New(10, time.Hour), err: errors.New("broken")}
		s := shop.New(broken, stock)
		fill(t, s, stock.EXPECT(), line)
		stock.EXPECT().Reserve(gomock.Any(), gomock.Any(), []cart.Line{line}).Return(answer)
		if _, err := s.Checkout(t.Context(), "c"); !errors.Is(err, broken.err) {
			t.Errorf("%s: error %v, want %v", name, err, broken.err)
		}
		wantCart(t, s, cart.Ordering, line)
	}
}
