package shop_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	stockv1 "gitlab.com/selfcontained/shop/cart/gen/stock/v1"
	"gitlab.com/selfcontained/shop/cart/internal/cart"
	"gitlab.com/selfcontained/shop/cart/internal/shop"
	"gitlab.com/selfcontained/shop/cart/internal/stocktest"
	"gitlab.com/selfcontained/shop/cart/internal/store"
	"gitlab.com/selfcontained/shop/cart/internal/warehouse"
)

// besideStock returns a shop that calls a real stock service in memory.
func besideStock(t *testing.T, stock *stocktest.Stock) *shop.Shop {
	t.Helper()
	conn, err := warehouse.Connect("stock:50051", "", stock.Dialer())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return shop.New(store.New(100, time.Hour), warehouse.New(stockv1.NewStockServiceClient(conn)))
}

// sometimes lets one in three changes of the stock fail: half of these before
// they happen, half of them after.
func sometimes(method string, _ bool) error {
	if (method == "Reserve" || method == "Commit") && rand.IntN(6) == 0 {
		return status.Error(codes.Internal, "a fault")
	}
	return nil
}

// Whatever gets lost on the way: customers who repeat their checkout get one
// order or a refusal each, and the stock ends with exactly what is left.
func TestFaultsNeitherLoseNorDoublePieces(t *testing.T) {
	t.Parallel()
	const customers, quantity, pieces = 20, 3, 40
	stock := stocktest.New(t, map[string]int64{"a": pieces, "b": 1000})
	s := besideStock(t, stock)
	for i := range customers {
		for _, sku := range []string{"a", "b"} {
			if _, err := s.SetLine(t.Context(), fmt.Sprint(i), cart.Line{SKU: sku, Quantity: quantity}); err != nil {
				t.Fatal(err)
			}
		}
	}
	stock.Fail(sometimes)
	var sold atomic.Int64
	var group sync.WaitGroup
	for i := range customers {
		group.Go(func() {
			if insists(t, s, fmt.Sprint(i)) {
				sold.Add(quantity)
			}
		})
	}
	group.Wait()
	if sold.Load() != pieces/quantity*quantity {
		t.Errorf("%d pieces are sold, want all but the last of %d", sold.Load(), pieces)
	}
	for sku, before := range map[string]int64{"a": pieces, "b": 1000} {
		if onHand, reserved := stock.Pieces(sku); onHand != before-sold.Load() || reserved != 0 {
			t.Errorf("%s: %d on hand, %d reserved; want %d, 0", sku, onHand, reserved, before-sold.Load())
		}
	}
}

// insists repeats a checkout until it is clear what became of it.
func insists(t *testing.T, s *shop.Shop, id string) (ordered bool) {
	for range 1000 {
		c, err := s.Checkout(t.Context(), id)
		if err == nil {
			return c.State == cart.Ordered
		}
		if errors.As(err, new(*cart.ShortError)) {
			return false
		}
	}
	t.Errorf("cart %s is not ordered after a thousand tries", id)
	return false
}
