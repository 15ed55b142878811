//go:build module

// Package module tests the service as a container: one instance, plain text,
// at the address in PIPELINE_ADDR. It sees nothing but the API.
package module

import (
	"crypto/rand"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"

	stockv1 "gitlab.com/selfcontained/shop/stock/gen/stock/v1"
)

func dial(t *testing.T) *grpc.ClientConn {
	t.Helper()
	address := os.Getenv("PIPELINE_ADDR")
	if address == "" {
		t.Fatal("PIPELINE_ADDR is not set: it must be host:port of a running service in plain text")
	}
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithNoProxy())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func client(t *testing.T) stockv1.StockServiceClient {
	t.Helper()
	return stockv1.NewStockServiceClient(dial(t))
}

// unique makes a name that no other run used, so that runs may share a service.
func unique(prefix string) string { return prefix + "-" + rand.Text() }

func TestHealth(t *testing.T) {
	t.Parallel()
	health := healthv1.NewHealthClient(dial(t))
	for _, service := range []string{"", stockv1.StockService_ServiceDesc.ServiceName} {
		answer, err := health.Check(t.Context(), &healthv1.HealthCheckRequest{Service: service})
		if err != nil || answer.GetStatus() != healthv1.HealthCheckResponse_SERVING {
			t.Errorf("service %q: %v, %v", service, answer.GetStatus(), err)
		}
	}
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	c, sku := client(t), unique("module")
	put, err := c.PutItem(t.Context(), &stockv1.PutItemRequest{Sku: sku, OnHand: 10})
	if err != nil {
		t.Fatal(err)
	}
	want := &stockv1.Item{Sku: sku, OnHand: 10, Available: 10, Revision: 1}
	got, err := c.GetItem(t.Context(), &stockv1.GetItemRequest{Sku: sku})
	if err != nil {
		t.Fatal(err)
	}
	for _, item := range []*stockv1.Item{put.GetItem(), got.GetItem(), listed(t, c, sku)} {
		if diff := cmp.Diff(want, item, protocmp.Transform()); diff != "" {
			t.Errorf("item (-want +got):\n%s", diff)
		}
	}
}

// listed walks through the pages until it finds the article.
func listed(t *testing.T, c stockv1.StockServiceClient, sku string) *stockv1.Item {
	t.Helper()
	request := &stockv1.ListItemsRequest{PageSize: 2}
	for {
		answer, err := c.ListItems(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range answer.GetItems() {
			if item.GetSku() == sku {
				return item
			}
		}
		if request.PageToken = answer.GetNextPageToken(); request.PageToken == "" {
			return nil
		}
	}
}

func TestReservation(t *testing.T) {
	t.Parallel()
	c, sku, key := client(t), unique("module"), unique("key")
	if _, err := c.PutItem(t.Context(), &stockv1.PutItemRequest{Sku: sku, OnHand: 10}); err != nil {
		t.Fatal(err)
	}
	reserve := &stockv1.ReserveRequest{IdempotencyKey: key, Lines: []*stockv1.Line{{Sku: sku, Quantity: 4}}}
	first, err := c.Reserve(t.Context(), reserve)
	if err != nil {
		t.Fatal(err)
	}
	second, err := c.Reserve(t.Context(), reserve)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first, second, protocmp.Transform()); diff != "" {
		t.Errorf("repeated reservation (-first +second):\n%s", diff)
	}
	if _, err := c.Commit(t.Context(), &stockv1.CommitRequest{IdempotencyKey: key}); err != nil {
		t.Fatal(err)
	}
	got, err := c.GetItem(t.Context(), &stockv1.GetItemRequest{Sku: sku})
	if err != nil || got.GetItem().GetOnHand() != 6 || got.GetItem().GetReserved() != 0 {
		t.Errorf("item %v, error %v; want 6 on hand, none reserved", got.GetItem(), err)
	}
}

func TestErrorCodes(t *testing.T) {
	t.Parallel()
	c, sku := client(t), unique("module")
	if _, err := c.PutItem(t.Context(), &stockv1.PutItemRequest{Sku: sku, OnHand: 1}); err != nil {
		t.Fatal(err)
	}
	reserve := func(quantity int64) error {
		_, err := c.Reserve(t.Context(), &stockv1.ReserveRequest{
			IdempotencyKey: unique("key"), Lines: []*stockv1.Line{{Sku: sku, Quantity: quantity}},
		})
		return err
	}
	_, malformed := c.GetItem(t.Context(), &stockv1.GetItemRequest{Sku: "no such name!"})
	_, unknown := c.GetItem(t.Context(), &stockv1.GetItemRequest{Sku: unique("unknown")})
	_, stale := c.PutItem(t.Context(), &stockv1.PutItemRequest{Sku: sku, OnHand: 2, ExpectedRevision: new(int64(7))})
	for _, test := range []struct {
		name string
		err  error
		want codes.Code
	}{
		{"malformed SKU", malformed, codes.InvalidArgument},
		{"no pieces", reserve(0), codes.InvalidArgument},
		{"unknown SKU", unknown, codes.NotFound},
		{"too many pieces", reserve(2), codes.FailedPrecondition},
		{"stale revision", stale, codes.Aborted},
	} {
		if got := status.Code(test.err); got != test.want {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}
