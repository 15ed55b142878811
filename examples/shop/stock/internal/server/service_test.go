package server_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/mock/gomock"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	stockv1 "gitlab.com/selfcontained/shop/stock/gen/stock/v1"
	"gitlab.com/selfcontained/shop/stock/internal/server"
	"gitlab.com/selfcontained/shop/stock/internal/stock"
)

var quiet = slog.New(slog.NewJSONHandler(io.Discard, nil))

// mocked returns a client of a server whose store is a mock.
func mocked(t *testing.T) (stockv1.StockServiceClient, *MockStoreMockRecorder) {
	t.Helper()
	store := NewMockStore(gomock.NewController(t))
	return stockv1.NewStockServiceClient(start(t, store, server.Config{Log: quiet}).dial(t)), store.EXPECT()
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	item := stock.Item{SKU: "a", OnHand: 10, Reserved: 4, Revision: 2}
	protoItem := &stockv1.Item{Sku: "a", OnHand: 10, Reserved: 4, Available: 6, Revision: 2}
	made := time.Unix(1000, 5).UTC()
	reservation := stock.Reservation{Key: "k", Lines: []stock.Line{{SKU: "a", Quantity: 4}}, State: stock.Held, Created: made}
	proto1 := func(state stockv1.Reservation_State) *stockv1.Reservation {
		return &stockv1.Reservation{IdempotencyKey: "k", Lines: []*stockv1.Line{{Sku: "a", Quantity: 4}}, State: state, CreateTime: timestamppb.New(made)}
	}
	in := func(state stock.State) stock.Reservation { r := reservation; r.State = state; return r }
	type client = stockv1.StockServiceClient
	type expect = *MockStoreMockRecorder
	tests := []struct {
		name   string
		expect func(expect)
		call   func(context.Context, client) (proto.Message, error)
		want   proto.Message
	}{
		{
			"put", func(e expect) { e.Put(gomock.Any(), "a", int64(10), nil).Return(item, nil) },
			func(ctx context.Context, c client) (proto.Message, error) {
				return c.PutItem(ctx, &stockv1.PutItemRequest{Sku: "a", OnHand: 10})
			},
			&stockv1.PutItemResponse{Item: protoItem},
		},
		{
			"put with revision", func(e expect) { e.Put(gomock.Any(), "a", int64(10), gomock.Eq(new(int64(1)))).Return(item, nil) },
			func(ctx context.Context, c client) (proto.Message, error) {
				return c.PutItem(ctx, &stockv1.PutItemRequest{Sku: "a", OnHand: 10, ExpectedRevision: proto.Int64(1)})
			},
			&stockv1.PutItemResponse{Item: protoItem},
		},
		{
			"get", func(e expect) { e.Item(gomock.Any(), "a").Return(item, nil) },
			func(ctx context.Context, c client) (proto.Message, error) {
				return c.GetItem(ctx, &stockv1.GetItemRequest{Sku: "a"})
			},
			&stockv1.GetItemResponse{Item: protoItem},
		},
		{
			"list by default", func(e expect) { e.Items(gomock.Any(), "", 101).Return([]stock.Item{item}, nil) },
			func(ctx context.Context, c client) (proto.Message, error) {
				return c.ListItems(ctx, &stockv1.ListItemsRequest{})
			},
			&stockv1.ListItemsResponse{Items: []*stockv1.Item{protoItem}},
		},
		{
			"list at most", func(e expect) { e.Items(gomock.Any(), "", 1001).Return(nil, nil) },
			func(ctx context.Context, c client) (proto.Message, error) {
				return c.ListItems(ctx, &stockv1.ListItemsRequest{PageSize: 1 << 30})
			},
			&stockv1.ListItemsResponse{},
		},
		{
			"list a middle page", func(e expect) { e.Items(gomock.Any(), "Z", 2).Return([]stock.Item{item, {SKU: "b"}}, nil) },
			func(ctx context.Context, c client) (proto.Message, error) {
				return c.ListItems(ctx, &stockv1.ListItemsRequest{PageSize: 1, PageToken: "Wg"})
			},
			&stockv1.ListItemsResponse{Items: []*stockv1.Item{protoItem}, NextPageToken: "YQ"},
		},
		{
			"reserve", func(e expect) { e.Reserve(gomock.Any(), gomock.Cond(isRequest)).Return(reservation, nil) },
			func(ctx context.Context, c client) (proto.Message, error) {
				return c.Reserve(ctx, &stockv1.ReserveRequest{IdempotencyKey: "k", Lines: []*stockv1.Line{{Sku: "b", Quantity: 1}, {Sku: "a", Quantity: 4}}})
			},
			&stockv1.ReserveResponse{Reservation: proto1(stockv1.Reservation_STATE_HELD)},
		},
		{
			"release", func(e expect) { e.Settle(gomock.Any(), "k", stock.Released).Return(in(stock.Released), nil) },
			func(ctx context.Context, c client) (proto.Message, error) {
				return c.Release(ctx, &stockv1.ReleaseRequest{IdempotencyKey: "k"})
			},
			&stockv1.ReleaseResponse{Reservation: proto1(stockv1.Reservation_STATE_RELEASED)},
		},
		{
			"commit", func(e expect) { e.Settle(gomock.Any(), "k", stock.Committed).Return(in(stock.Committed), nil) },
			func(ctx context.Context, c client) (proto.Message, error) {
				return c.Commit(ctx, &stockv1.CommitRequest{IdempotencyKey: "k"})
			},
			&stockv1.CommitResponse{Reservation: proto1(stockv1.Reservation_STATE_COMMITTED)},
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

// isRequest accepts what the reserve test must hand to the store.
func isRequest(r stock.Reservation) bool {
	lines := []stock.Line{{SKU: "a", Quantity: 4}, {SKU: "b", Quantity: 1}}
	return cmp.Equal(r, stock.Reservation{Key: "k", Lines: lines, State: stock.Held, Created: r.Created}) &&
		time.Since(r.Created) < time.Minute
}

func TestInvalidArguments(t *testing.T) {
	t.Parallel()
	client, _ := mocked(t) // the store must not be asked
	line := []*stockv1.Line{{Sku: "a", Quantity: 1}}
	tests := []struct {
		field string
		call  func(context.Context) error
	}{
		{"sku", func(ctx context.Context) error { return errOf(client.PutItem(ctx, &stockv1.PutItemRequest{})) }},
		{"on_hand", func(ctx context.Context) error {
			return errOf(client.PutItem(ctx, &stockv1.PutItemRequest{Sku: "a", OnHand: -1}))
		}},
		{"sku", func(ctx context.Context) error {
			return errOf(client.GetItem(ctx, &stockv1.GetItemRequest{Sku: "a b"}))
		}},
		{"page_size", func(ctx context.Context) error {
			return errOf(client.ListItems(ctx, &stockv1.ListItemsRequest{PageSize: -1}))
		}},
		{"page_token", func(ctx context.Context) error {
			return errOf(client.ListItems(ctx, &stockv1.ListItemsRequest{PageToken: "?"}))
		}},
		{"idempotency_key", func(ctx context.Context) error {
			return errOf(client.Reserve(ctx, &stockv1.ReserveRequest{Lines: line}))
		}},
		{"lines", func(ctx context.Context) error {
			return errOf(client.Reserve(ctx, &stockv1.ReserveRequest{IdempotencyKey: "k"}))
		}},
		{"idempotency_key", func(ctx context.Context) error { return errOf(client.Release(ctx, &stockv1.ReleaseRequest{})) }},
		{"idempotency_key", func(ctx context.Context) error { return errOf(client.Commit(ctx, &stockv1.CommitRequest{})) }},
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
		stock.ErrNotFound:                        codes.NotFound,
		stock.ErrInsufficient:                    codes.FailedPrecondition,
		stock.ErrSettled:                         codes.FailedPrecondition,
		stock.ErrKeyReused:                       codes.AlreadyExists,
		stock.ErrRevision:                        codes.Aborted,
		context.DeadlineExceeded:                 codes.DeadlineExceeded,
		context.Canceled:                         codes.Canceled,
		errors.New("disk /secret is full"):       codes.Internal,
		status.Error(codes.Unavailable, "later"): codes.Unavailable,
	} {
		client, expect := mocked(t)
		failure := fmt.Errorf("context: %w", err)
		expect.Item(gomock.Any(), "a").Return(stock.Item{}, failure)
		expect.Put(gomock.Any(), "a", int64(0), nil).Return(stock.Item{}, failure)
		expect.Items(gomock.Any(), "", 101).Return(nil, failure)
		expect.Reserve(gomock.Any(), gomock.Any()).Return(stock.Reservation{}, failure)
		expect.Settle(gomock.Any(), "k", gomock.Any()).Return(stock.Reservation{}, failure).Times(2)
		for _, got := range callAll(t.Context(), client) {
			if status.Code(got) != want {
				t.Errorf("%v: got %v, want %v", err, got, want)
			}
			if want == codes.Internal && status.Convert(got).Message() != "internal error" {
				t.Errorf("the client sees %q", got)
			}
		}
	}
}

func callAll(ctx context.Context, c stockv1.StockServiceClient) []error {
	return []error{
		errOf(c.GetItem(ctx, &stockv1.GetItemRequest{Sku: "a"})),
		errOf(c.PutItem(ctx, &stockv1.PutItemRequest{Sku: "a"})),
		errOf(c.ListItems(ctx, &stockv1.ListItemsRequest{})),
		errOf(c.Reserve(ctx, &stockv1.ReserveRequest{IdempotencyKey: "k", Lines: []*stockv1.Line{{Sku: "a", Quantity: 1}}})),
		errOf(c.Release(ctx, &stockv1.ReleaseRequest{IdempotencyKey: "k"})),
		errOf(c.Commit(ctx, &stockv1.CommitRequest{IdempotencyKey: "k"})),
	}
}
