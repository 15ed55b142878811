package server_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	cartv1 "gitlab.com/selfcontained/shop/cart/gen/cart/v1"
	stockv1 "gitlab.com/selfcontained/shop/cart/gen/stock/v1"
	"gitlab.com/selfcontained/shop/cart/internal/server"
	"gitlab.com/selfcontained/shop/cart/internal/shop"
	"gitlab.com/selfcontained/shop/cart/internal/stocktest"
	"gitlab.com/selfcontained/shop/cart/internal/store"
	"gitlab.com/selfcontained/shop/cart/internal/warehouse"
)

// The benchmarks measure the whole service and its calls to the stock; the
// network is memory, and so is the stock. GetCart asks only this service,
// SetLine calls the stock once, and an order (SetLine, Checkout) three times.

func BenchmarkGetCartOneClient(b *testing.B)   { one(b, getCart) }
func BenchmarkGetCartManyClients(b *testing.B) { many(b, getCart) }
func BenchmarkSetLineOneClient(b *testing.B)   { one(b, setLine) }
func BenchmarkSetLineManyClients(b *testing.B) { many(b, setLine) }
func BenchmarkOrderOneClient(b *testing.B)     { one(b, order) }
func BenchmarkOrderManyClients(b *testing.B)   { many(b, order) }

// work is what a client does again and again, with a cart of its own.
type work func(b *testing.B, client cartv1.CartServiceClient, cart string) error

func getCart(b *testing.B, client cartv1.CartServiceClient, cart string) error {
	_, err := client.GetCart(b.Context(), &cartv1.GetCartRequest{CartId: cart})
	return err
}

func setLine(b *testing.B, client cartv1.CartServiceClient, cart string) error {
	_, err := client.SetLine(b.Context(), &cartv1.SetLineRequest{CartId: cart, Sku: "a", Quantity: 1})
	return err
}

func order(b *testing.B, client cartv1.CartServiceClient, cart string) error {
	if err := setLine(b, client, cart); err != nil {
		return err
	}
	_, err := client.Checkout(b.Context(), &cartv1.CheckoutRequest{CartId: cart})
	return err
}

func one(b *testing.B, do work) {
	s := serve(b)
	client := s.client(b)
	for b.Loop() {
		if err := do(b, client, s.cart()); err != nil {
			b.Fatal(err)
		}
	}
}

func many(b *testing.B, do work) {
	s := serve(b)
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		client := s.client(b)
		for pb.Next() {
			if err := do(b, client, s.cart()); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// service is the whole service in front of a stock.
type service struct {
	*running
	carts atomic.Int64
}

func serve(b *testing.B) *service {
	b.Helper()
	stock := stocktest.New(b, map[string]int64{"a": 1_000_000_000})
	conn, err := warehouse.Connect("stock:50051", "", stock.Dialer())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { conn.Close() })
	// A cart lives for a moment: orders make no room for others before.
	carts := shop.New(store.New(1_000_000, time.Second), warehouse.New(stockv1.NewStockServiceClient(conn)))
	b.ReportAllocs()
	return &service{running: start(b, carts, server.Config{Log: quiet})}
}

// client has a connection of its own.
func (s *service) client(b *testing.B) cartv1.CartServiceClient {
	b.Helper()
	return cartv1.NewCartServiceClient(s.dial(b))
}

// cart is the id of a new cart.
func (s *service) cart() string { return fmt.Sprint("c", s.carts.Add(1)) }
