package shop_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/mock/gomock"

	"gitlab.com/selfcontained/shop/cart/internal/cart"
	"gitlab.com/selfcontained/shop/cart/internal/shop"
)

// The lines that the tests order.
func twoLines() []cart.Line {
	return []cart.Line{{SKU: "a", Quantity: 2}, {SKU: "b", Quantity: 3}}
}

// orders returns a shop whose cart "c" is filled with them.
func orders(t *testing.T) (*shop.Shop, *MockStockMockRecorder) {
	t.Helper()
	s, stock := mocked(t)
	fill(t, s, stock, twoLines()...)
	return s, stock
}

// keys records the reservation keys that the stock sees.
type keys struct{ seen []string }

func (k *keys) reserve(err error) func(context.Context, string, []cart.Line) error {
	return func(_ context.Context, key string, _ []cart.Line) error { k.seen = append(k.seen, key); return err }
}

func (k *keys) commit(err error) func(context.Context, string) error {
	return func(_ context.Context, key string) error { k.seen = append(k.seen, key); return err }
}

// equal tells whether the stock saw one key all the time.
func (k *keys) equal() bool {
	for _, key := range k.seen {
		if key != k.seen[0] {
			return false
		}
	}
	return true
}

func TestCheckout(t *testing.T) {
	t.Parallel()
	s, stock := orders(t)
	var keys keys
	gomock.InOrder(
		stock.Reserve(gomock.Any(), gomock.Any(), twoLines()).DoAndReturn(keys.reserve(nil)),
		stock.Commit(gomock.Any(), gomock.Any()).DoAndReturn(keys.commit(nil)),
	)
	first, err := s.Checkout(t.Context(), "c")
	if err != nil {
		t.Fatal(err)
	}
	if first.State != cart.Ordered || time.Since(first.OrderTime) > time.Minute || first.OrderTime.Location() != time.UTC {
		t.Errorf("state %d, order time %v", first.State, first.OrderTime)
	}
	if !keys.equal() || !strings.HasPrefix(keys.seen[0], "cart-c-") || len(keys.seen[0]) != len("cart-c-")+cart.OrderLength {
		t.Errorf("keys %q", keys.seen)
	}
	second, err := s.Checkout(t.Context(), "c") // the stock is not asked again
	if diff := cmp.Diff(first, second); diff != "" || err != nil {
		t.Errorf("repeated checkout: error %v (-first +second):\n%s", err, diff)
	}
}

// A step whose outcome is unknown is repeated, with the same key and lines, and
// those before it are not.
func TestUnknownOutcomesAreFinishedByRepeating(t *testing.T) {
	t.Parallel()
	var keys keys
	away := errors.New("away")
	for name, expect := range map[string]func(*MockStockMockRecorder){
		"reserving": func(stock *MockStockMockRecorder) {
			gomock.InOrder(
				stock.Reserve(gomock.Any(), gomock.Any(), twoLines()).DoAndReturn(keys.reserve(away)),
				stock.Reserve(gomock.Any(), gomock.Any(), twoLines()).DoAndReturn(keys.reserve(nil)),
				stock.Commit(gomock.Any(), gomock.Any()).DoAndReturn(keys.commit(nil)),
			)
		},
		"committing": func(stock *MockStockMockRecorder) {
			gomock.InOrder(
				stock.Reserve(gomock.Any(), gomock.Any(), twoLines()).DoAndReturn(keys.reserve(nil)),
				stock.Commit(gomock.Any(), gomock.Any()).DoAndReturn(keys.commit(away)),
				stock.Commit(gomock.Any(), gomock.Any()).DoAndReturn(keys.commit(nil)),
			)
		},
	} {
		s, stock := orders(t)
		keys.seen = nil
		expect(stock)
		if _, err := s.Checkout(t.Context(), "c"); !errors.Is(err, away) {
			t.Errorf("%s: error %v, want %v", name, err, away)
		}
		wantCart(t, s, cart.Ordering, twoLines()...)
		if _, err := s.SetLine(t.Context(), "c", cart.Line{SKU: "a"}); !errors.Is(err, cart.ErrClosed) {
			t.Errorf("%s: change meanwhile: error %v, want %v", name, err, cart.ErrClosed)
		}
		if _, err := s.Checkout(t.Context(), "c"); err != nil {
			t.Errorf("%s: repeated: %v", name, err)
		}
		wantCart(t, s, cart.Ordered, twoLines()...)
		if !keys.equal() {
			t.Errorf("%s: keys %q", name, keys.seen)
		}
	}
}

func TestARefusalOpensTheCartAndNamesArticles(t *testing.T) {
	t.Parallel()
	const suspect = "may have had too few pieces a moment ago"
	enough := cart.Article{Available: 99}
	for _, test := range []struct {
		name   string
		answer map[string]cart.Article
		errors map[string]error
		want   []cart.Shortage
	}{
		{
			"one is short", map[string]cart.Article{"a": enough, "b": {Available: 2}}, nil,
			[]cart.Shortage{{SKU: "b", Reason: "3 wanted, 2 available"}},
		},
		{
			"both", map[string]cart.Article{"a": {Available: 1}}, map[string]error{"b": cart.ErrNoArticle},
			[]cart.Shortage{{SKU: "a", Reason: "2 wanted, 1 available"}, {SKU: "b", Reason: "no such article"}},
		},
		{
			"none any more", map[string]cart.Article{"a": enough, "b": enough}, nil,
			[]cart.Shortage{{SKU: "a", Reason: suspect}, {SKU: "b", Reason: suspect}},
		},
		{
			"nobody to ask", nil, map[string]error{"a": cart.ErrUnavailable},
			[]cart.Shortage{{SKU: "a", Reason: suspect}, {SKU: "b", Reason: suspect}},
		},
	} {
		s, stock := orders(t)
		stock.Reserve(gomock.Any(), gomock.Any(), twoLines()).Return(cart.ErrRefused)
		for sku, article := range test.answer {
			stock.Article(gomock.Any(), sku).Return(article, nil)
		}
		for sku, err := range test.errors {
			stock.Article(gomock.Any(), sku).Return(cart.Article{}, err)
		}
		_, err := s.Checkout(t.Context(), "c")
		if want := (&cart.ShortError{Shortages: test.want}); !same(err, want) {
			t.Errorf("%s: error %v, want %v", test.name, err, want)
		}
		wantCart(t, s, cart.Open, twoLines()...)
	}
}

// Whatever became of the first try, the second must not meet its reservation.
func TestEachTryAfterARefusalHasItsOwnKey(t *testing.T) {
	t.Parallel()
	for name, refusal := range map[string]error{"refused": cart.ErrRefused, "rejected": cart.ErrRejected} {
		s, stock := orders(t)
		var keys keys
		stock.Article(gomock.Any(), gomock.Any()).Return(cart.Article{}, nil).AnyTimes()
		stock.Reserve(gomock.Any(), gomock.Any(), twoLines()).DoAndReturn(keys.reserve(refusal)).Times(2)
		for range 2 {
			if _, err := s.Checkout(t.Context(), "c"); err == nil {
				t.Errorf("%s: no error", name)
			}
			wantCart(t, s, cart.Open, twoLines()...)
		}
		if keys.equal() {
			t.Errorf("%s: both tries have key %q", name, keys.seen[0])
		}
	}
}

func TestAReservationThatSomebodyReleased(t *testing.T) {
	t.Parallel()
	s, stock := orders(t)
	stock.Reserve(gomock.Any(), gomock.Any(), twoLines()).Return(nil)
	stock.Commit(gomock.Any(), gomock.Any()).Return(cart.ErrRefused)
	stock.Article(gomock.Any(), gomock.Any()).Return(cart.Article{Available: 99}, nil).Times(2)
	if _, err := s.Checkout(t.Context(), "c"); !errors.As(err, new(*cart.ShortError)) {
		t.Errorf("error %v", err)
	}
	wantCart(t, s, cart.Open, twoLines()...)
}

func TestAStockThatLostTheReservationIsAskedAgain(t *testing.T) {
	t.Parallel()
	s, stock := orders(t)
	var keys keys
	gomock.InOrder(
		stock.Reserve(gomock.Any(), gomock.Any(), twoLines()).DoAndReturn(keys.reserve(nil)),
		stock.Commit(gomock.Any(), gomock.Any()).DoAndReturn(keys.commit(cart.ErrNoReservation)),
		stock.Reserve(gomock.Any(), gomock.Any(), twoLines()).DoAndReturn(keys.reserve(nil)),
		stock.Commit(gomock.Any(), gomock.Any()).DoAndReturn(keys.commit(nil)),
	)
	if _, err := s.Checkout(t.Context(), "c"); !errors.Is(err, cart.ErrUnavailable) {
		t.Errorf("error %v, want %v", err, cart.ErrUnavailable)
	}
	wantCart(t, s, cart.Ordering, twoLines()...)
	if _, err := s.Checkout(t.Context(), "c"); err != nil {
		t.Error(err)
	}
	if !keys.equal() {
		t.Errorf("keys %q", keys.seen)
	}
}

// What happened is noted even if the customer is gone when it is known.
func TestTheEndOfACallLosesNothingThatIsKnown(t *testing.T) {
	t.Parallel()
	s, stock := orders(t)
	ctx, cancel := context.WithCancel(t.Context())
	gomock.InOrder(
		stock.Reserve(gomock.Any(), gomock.Any(), twoLines()).DoAndReturn(func(context.Context, string, []cart.Line) error {
			cancel()
			return nil
		}),
		stock.Commit(gomock.Any(), gomock.Any()).DoAndReturn(func(ctx context.Context, _ string) error { return ctx.Err() }),
		stock.Commit(gomock.Any(), gomock.Any()).Return(nil), // and no second Reserve
	)
	if _, err := s.Checkout(ctx, "c"); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
	wantCart(t, s, cart.Ordering, twoLines()...)
	if _, err := s.Checkout(t.Context(), "c"); err != nil {
		t.Error(err)
	}
}

func TestConcurrentCheckoutsMakeOneOrder(t *testing.T) {
	t.Parallel()
	s, stock := orders(t)
	stock.Reserve(gomock.Any(), gomock.Any(), twoLines()).Return(nil)
	stock.Commit(gomock.Any(), gomock.Any()).Return(nil)
	const times = 10
	carts := make([]cart.Cart, times)
	var group sync.WaitGroup
	for i := range times {
		group.Go(func() {
			var err error
			if carts[i], err = s.Checkout(t.Context(), "c"); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	for _, c := range carts {
		if diff := cmp.Diff(carts[0], c); diff != "" || c.State != cart.Ordered {
			t.Errorf("state %d (-first +got):\n%s", c.State, diff)
		}
	}
}

func TestWaitingForAnotherCheckoutEndsWithTheCall(t *testing.T) {
	t.Parallel()
	s, stock := orders(t)
	reserving, release := make(chan struct{}), make(chan struct{})
	stock.Reserve(gomock.Any(), gomock.Any(), twoLines()).DoAndReturn(func(context.Context, string, []cart.Line) error {
		close(reserving)
		<-release
		return nil
	})
	stock.Commit(gomock.Any(), gomock.Any()).Return(nil)
	first := make(chan error, 1)
	go func() {
		_, err := s.Checkout(t.Context(), "c")
		first <- err
	}()
	<-reserving
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Checkout(ctx, "c"); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
	close(release)
	if err := <-first; err != nil {
		t.Error(err)
	}
}
