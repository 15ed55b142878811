//go:build module

// Package module tests the service as a container: one instance, plain text,
// at the address in PIPELINE_ADDR, and no stock service beside it. It sees
// nothing but the API.
package module

import (
	"context"
	"crypto/rand"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"

	cartv1 "gitlab.com/selfcontained/shop/cart/gen/cart/v1"
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

func client(t *testing.T) cartv1.CartServiceClient {
	t.Helper()
	return cartv1.NewCartServiceClient(dial(t))
}

// unique makes a cart id that no other run used, so that runs may share a
// service.
func unique() string { return "module-" + rand.Text() }

func TestHealth(t *testing.T) {
	t.Parallel()
	health := healthv1.NewHealthClient(dial(t))
	for _, service := range []string{"", cartv1.CartService_ServiceDesc.ServiceName} {
		answer, err := health.Check(t.Context(), &healthv1.HealthCheckRequest{Service: service})
		if err != nil || answer.GetStatus() != healthv1.HealthCheckResponse_SERVING {
			t.Errorf("service %q: %v, %v", service, answer.GetStatus(), err)
		}
	}
}

func TestNothingElseIsServed(t *testing.T) {
	t.Parallel()
	conn := dial(t)
	for _, method := range []string{
		"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
		"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
		"/shop.stock.v1.StockService/GetItem",
	} {
		err := conn.Invoke(t.Context(), method, &cartv1.GetCartRequest{}, &cartv1.GetCartResponse{})
		if status.Code(err) != codes.Unimplemented {
			t.Errorf("%s: error %v, want %v", method, err, codes.Unimplemented)
		}
	}
}

func TestAnUnknownCartIsEmpty(t *testing.T) {
	t.Parallel()
	c, id := client(t), unique()
	want := &cartv1.Cart{CartId: id, State: cartv1.Cart_STATE_OPEN}
	got, err := c.GetCart(t.Context(), &cartv1.GetCartRequest{CartId: id})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got.GetCart(), protocmp.Transform()); diff != "" {
		t.Errorf("cart (-want +got):\n%s", diff)
	}
	// Taking out what is not there needs no stock.
	set, err := c.SetLine(t.Context(), &cartv1.SetLineRequest{CartId: id, Sku: "apple"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, set.GetCart(), protocmp.Transform()); diff != "" {
		t.Errorf("cart (-want +got):\n%s", diff)
	}
}

// Whoever waits for a stock that is away should know soon.
func TestWithoutStockCallsFailSoon(t *testing.T) {
	t.Parallel()
	c := client(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	_, setting := c.SetLine(ctx, &cartv1.SetLineRequest{CartId: unique(), Sku: "apple", Quantity: 1})
	_, listing := c.ListArticles(ctx, &cartv1.ListArticlesRequest{})
	for _, err := range []error{setting, listing} {
		if s := status.Convert(err); s.Code() != codes.Unavailable || strings.Contains(s.Message(), "127.0.0.1") {
			t.Errorf("error %v, want %v without the stock's address", err, codes.Unavailable)
		}
	}
}

func TestErrorCodes(t *testing.T) {
	t.Parallel()
	c := client(t)
	set := func(id, sku string, quantity int32) error {
		_, err := c.SetLine(t.Context(), &cartv1.SetLineRequest{CartId: id, Sku: sku, Quantity: quantity})
		return err
	}
	_, malformed := c.GetCart(t.Context(), &cartv1.GetCartRequest{CartId: "no such id!"})
	_, negative := c.ListArticles(t.Context(), &cartv1.ListArticlesRequest{PageSize: -1})
	_, empty := c.Checkout(t.Context(), &cartv1.CheckoutRequest{CartId: unique()})
	for _, test := range []struct {
		name  string
		err   error
		want  codes.Code
		field string
	}{
		{"malformed cart id", malformed, codes.InvalidArgument, "cart_id"},
		{"long cart id", set(strings.Repeat("x", 49), "apple", 1), codes.InvalidArgument, "cart_id"},
		{"malformed SKU", set("a", "", 1), codes.InvalidArgument, "sku"},
		{"too many pieces", set("a", "apple", 100), codes.InvalidArgument, "quantity"},
		{"less than none", set("a", "apple", -1), codes.InvalidArgument, "quantity"},
		{"negative page size", negative, codes.InvalidArgument, "page_size"},
		{"empty cart", empty, codes.FailedPrecondition, ""},
		{"large message", set("a", strings.Repeat("x", 1<<17), 1), codes.ResourceExhausted, ""},
	} {
		if s := status.Convert(test.err); s.Code() != test.want || field(s) != test.field {
			t.Errorf("%s: %v, field %q; want %v, %q", test.name, test.err, field(s), test.want, test.field)
		}
	}
}

// field is the first one that a google.rpc.BadRequest names.
func field(s *status.Status) string {
	for _, detail := range s.Details() {
		if bad, ok := detail.(*errdetails.BadRequest); ok {
			return bad.GetFieldViolations()[0].GetField()
		}
	}
	return ""
}
