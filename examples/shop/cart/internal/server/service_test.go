package server_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/mock/gomock"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	cartv1 "gitlab.com/selfcontained/shop/cart/gen/cart/v1"
	"gitlab.com/selfcontained/shop/cart/internal/cart"
	"gitlab.com/selfcontained/shop/cart/internal/server"
)

var quiet = slog.New(slog.NewJSONHandler(io.Discard, nil))

// mocked returns a client of a server whose shop is a mock.
func mocked(t *testing.T) (cartv1.CartServiceClient, *MockShopMockRecorder) {
	t.Helper()
	shop := NewMockShop(gomock.NewController(t))
	return cartv1.NewCartServiceClient(start(t, shop, server.Config{Log: quiet}).dial(t)), shop.EXPECT()
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	ordered := time.Unix(1000, 5).UTC()
	lines := []cart.Line{{SKU: "a", Quantity: 2}, {SKU: "b", Quantity: 1}}
	in := func(state cart.State) cart.Cart { return cart.Cart{ID: "c", Lines: lines, State: state} }
	protoIn := func(state cartv1.Cart_State) *cartv1.Cart {
		return &cartv1.Cart{CartId: "c", Lines: []*cartv1.Line{{Sku: "a", Quantity: 2}, {Sku: "b", Quantity: 1}}, Pieces: 3, State: state}
	}
	done, protoDone := in(cart.Ordered), protoIn(cartv1.Cart_STATE_ORDERED)
	done.OrderTime, protoDone.OrderTime = ordered, timestamppb.New(ordered)
	type client = cartv1.CartServiceClient
	type expect = *MockShopMockRecorder
	list := func(size int32, token string) func(context.Context, client) (proto.Message, error) {
		return func(ctx context.Context, c client) (proto.Message, error) {
			return c.ListArticles(ctx, &cartv1.ListArticlesRequest{PageSize: size, PageToken: token})
		}
	}
	get := func(ctx context.Context, c client) (proto.Message, error) {
		return c.GetCart(ctx, &cartv1.GetCartRequest{CartId: "c"})
	}
	tests := []struct {
		name   string
		expect func(expect)
		call   func(context.Context, client) (proto.Message, error)
		want   proto.Message
	}{
		{
			"list by default", func(e expect) {
				e.Articles(gomock.Any(), int32(100), "").Return([]cart.Article{{SKU: "a", Available: 7}}, "next", nil)
			},
			list(0, ""), &cartv1.ListArticlesResponse{Articles: []*cartv1.Article{{Sku: "a", Available: 7}}, NextPageToken: "next"},
		},
		{
			"list at most", func(e expect) { e.Articles(gomock.Any(), int32(1000), "next").Return(nil, "", nil) },
			list(1<<30, "next"), &cartv1.ListArticlesResponse{},
		},
		{
			"get an empty cart", func(e expect) { e.Cart(gomock.Any(), "c").Return(cart.New("c"), nil) },
			get, &cartv1.GetCartResponse{Cart: &cartv1.Cart{CartId: "c", State: cartv1.Cart_STATE_OPEN}},
		},
		{
			"get a cart that is being ordered", func(e expect) { e.Cart(gomock.Any(), "c").Return(in(cart.Ordering), nil) },
			get, &cartv1.GetCartResponse{Cart: protoIn(cartv1.Cart_STATE_ORDERING)},
		},
		{
			"get a cart in a state of the future", func(e expect) { e.Cart(gomock.Any(), "c").Return(in(0), nil) },
			get, &cartv1.GetCartResponse{Cart: protoIn(cartv1.Cart_STATE_UNSPECIFIED)},
		},
		{
			"set", func(e expect) {
				e.SetLine(gomock.Any(), "c", cart.Line{SKU: "b", Quantity: 1}).Return(in(cart.Open), nil)
			},
			func(ctx context.Context, c client) (proto.Message, error) {
				return c.SetLine(ctx, &cartv1.SetLineRequest{CartId: "c", Sku: "b", Quantity: 1})
			},
			&cartv1.SetLineResponse{Cart: protoIn(cartv1.Cart_STATE_OPEN)},
		},
		{
			"checkout", func(e expect) { e.Checkout(gomock.Any(), "c").Return(done, nil) },
			func(ctx context.Context, c client) (proto.Message, error) {
				return c.Checkout(ctx, &cartv1.CheckoutRequest{CartId: "c"})
			},
			&cartv1.CheckoutResponse{Cart: protoDone},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			client, expect := mocked(t)
			test.expect(expect)
			got, err := test.call(t.Context(), client)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got, protocmp.Transform()); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
		})
	}
}

func TestInvalidArguments(t *testing.T) {
	t.Parallel()
	client, _ := mocked(t) // the shop must not be asked
	set := func(id, sku string, quantity int32) func(context.Context) error {
		return func(ctx context.Context) error {
			return errOf(client.SetLine(ctx, &cartv1.SetLineRequest{CartId: id, Sku: sku, Quantity: quantity}))
		}
	}
	tests := []struct {
		field string
		call  func(context.Context) error
	}{
		{"page_size", func(ctx context.Context) error {
			return errOf(client.ListArticles(ctx, &cartv1.ListArticlesRequest{PageSize: -1}))
		}},
		{"cart_id", func(ctx context.Context) error { return errOf(client.GetCart(ctx, &cartv1.GetCartRequest{})) }},
		{"cart_id", func(ctx context.Context) error { return errOf(client.Checkout(ctx, &cartv1.CheckoutRequest{})) }},
		{"cart_id", set("c d", "a", 1)},
		{"sku", set("c", "", 1)},
		{"quantity", set("c", "a", 100)},
	}
	for _, test := range tests {
		s := status.Convert(test.call(t.Context()))
		if s.Code() != codes.InvalidArgument || violatedField(s) != test.field {
			t.Errorf("status %v, field %q; want %v, %q", s, violatedField(s), codes.InvalidArgument, test.field)
		}
	}
}

func errOf(_ any, err error) error { return err }

func violatedField(s *status.Status) string {
	for _, detail := range s.Details() {
		if bad, ok := detail.(*errdetails.BadRequest); ok {
			return bad.GetFieldViolations()[0].GetField()
		}
	}
	return ""
}

func TestErrorCodes(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]codes.Code{
		cart.ErrNoArticle:                        codes.NotFound,
		cart.ErrClosed:                           codes.FailedPrecondition,
		cart.ErrFull:                             codes.FailedPrecondition,
		cart.ErrEmpty:                            codes.FailedPrecondition,
		cart.ErrTooMany:                          codes.ResourceExhausted,
		cart.ErrUnavailable:                      codes.Unavailable,
		context.DeadlineExceeded:                 codes.DeadlineExceeded,
		context.Canceled:                         codes.Canceled,
		cart.ErrRejected:                         codes.Internal,
		errors.New("anything else"):              codes.Internal,
		status.Error(codes.NotFound, "answered"): codes.Internal, // a neighbour's status is not ours
	} {
		client, expect := mocked(t)
		failure := fmt.Errorf("dial 10.1.2.3: %w", err)
		expect.Articles(gomock.Any(), int32(100), "").Return(nil, "", failure)
		expect.Cart(gomock.Any(), "c").Return(cart.Cart{}, failure)
		expect.SetLine(gomock.Any(), "c", cart.Line{SKU: "a"}).Return(cart.Cart{}, failure)
		expect.Checkout(gomock.Any(), "c").Return(cart.Cart{}, failure)
		for _, got := range callAll(t.Context(), client) {
			if status.Code(got) != want || strings.Contains(got.Error(), "10.1.2.3") {
				t.Errorf("%v: got %v, want %v and nothing of what is inside", err, got, want)
			}
		}
	}
}

func callAll(ctx context.Context, c cartv1.CartServiceClient) []error {
	return []error{
		errOf(c.ListArticles(ctx, &cartv1.ListArticlesRequest{})),
		errOf(c.GetCart(ctx, &cartv1.GetCartRequest{CartId: "c"})),
		errOf(c.SetLine(ctx, &cartv1.SetLineRequest{CartId: "c", Sku: "a"})),
		errOf(c.Checkout(ctx, &cartv1.CheckoutRequest{CartId: "c"})),
	}
}

func TestShortagesAreNamed(t *testing.T) {
	t.Parallel()
	client, expect := mocked(t)
	short := &cart.ShortError{Shortages: []cart.Shortage{{SKU: "a", Reason: "too few"}, {SKU: "b", Reason: "gone"}}}
	expect.Checkout(gomock.Any(), "c").Return(cart.Cart{}, fmt.Errorf("checkout: %w", short))
	_, err := client.Checkout(t.Context(), &cartv1.CheckoutRequest{CartId: "c"})
	want := []any{&errdetails.PreconditionFailure{Violations: []*errdetails.PreconditionFailure_Violation{
		{Type: "STOCK", Subject: "a", Description: "too few"},
		{Type: "STOCK", Subject: "b", Description: "gone"},
	}}}
	s := status.Convert(err)
	if diff := cmp.Diff(want, s.Details(), protocmp.Transform()); diff != "" || s.Code() != codes.FailedPrecondition {
		t.Errorf("status %v, details (-want +got):\n%s", s, diff)
	}
}

func TestStreamPanicsAreRecovered(t *testing.T) {
	t.Parallel()
	err := server.RecoverStreamPanics(nil, nil, nil, func(any, grpc.ServerStream) error { panic("secret") })
	if status.Code(err) != codes.Internal || status.Convert(err).Message() != "internal error" {
		t.Errorf("error %v", err)
	}
}
