package server_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	stockv1 "gitlab.com/selfcontained/shop/stock/gen/stock/v1"
	"gitlab.com/selfcontained/shop/stock/internal/server"
	"gitlab.com/selfcontained/shop/stock/internal/store"
)

// The benchmarks measure the whole service, flushes to the disk included;
// only the network is memory. Each reservation takes one piece of "a".

func BenchmarkReserveOneClient(b *testing.B) {
	reserve := reserver(b)
	client := reserve.client(b)
	for b.Loop() {
		reserve.call(b, client)
	}
}

// BenchmarkReserveManyClients shows what sharing flushes is worth.
func BenchmarkReserveManyClients(b *testing.B) {
	reserve := reserver(b)
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		client := reserve.client(b)
		for pb.Next() {
			reserve.call(b, client)
		}
	})
}

func BenchmarkGetItemOneClient(b *testing.B) {
	client := reserver(b).client(b)
	for b.Loop() {
		if _, err := client.GetItem(b.Context(), &stockv1.GetItemRequest{Sku: "a"}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkGetItemManyClients(b *testing.B) {
	reserve := reserver(b)
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		client := reserve.client(b)
		for pb.Next() {
			if _, err := client.GetItem(b.Context(), &stockv1.GetItemRequest{Sku: "a"}); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// reservations makes reservations with a new key each.
type reservations struct {
	server *running
	last   atomic.Int64
}

func reserver(b *testing.B) *reservations {
	b.Helper()
	db, err := store.Open(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	r := &reservations{server: start(b, db, server.Config{Log: quiet})}
	_, err = r.client(b).PutItem(b.Context(), &stockv1.PutItemRequest{Sku: "a", OnHand: 1_000_000_000})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	return r
}

// client has a connection of its own.
func (r *reservations) client(b *testing.B) stockv1.StockServiceClient {
	b.Helper()
	return stockv1.NewStockServiceClient(r.server.dial(b))
}

func (r *reservations) call(b *testing.B, client stockv1.StockServiceClient) {
	_, err := client.Reserve(b.Context(), &stockv1.ReserveRequest{
		IdempotencyKey: fmt.Sprint("k", r.last.Add(1)),
		Lines:          []*stockv1.Line{{Sku: "a", Quantity: 1}},
	})
	if err != nil {
		b.Error(err)
	}
}
