package warehouse_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/mock/gomock"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	stockv1 "gitlab.com/selfcontained/shop/cart/gen/stock/v1"
	"gitlab.com/selfcontained/shop/cart/internal/cart"
	"gitlab.com/selfcontained/shop/cart/internal/warehouse"
)

// mocked returns a warehouse that calls a mock of the generated client.
func mocked(t *testing.T) (*warehouse.Warehouse, *MockStockServiceClientMockRecorder) {
	t.Helper()
	stock := NewMockStockServiceClient(gomock.NewController(t))
	return warehouse.New(stock), stock.EXPECT()
}

// message matches an equal request.
func message(want proto.Message) gomock.Matcher {
	return gomock.Cond(func(got proto.Message) bool { return proto.Equal(got, want) })
}

func TestArticles(t *testing.T) {
	t.Parallel()
	w, stock := mocked(t)
	stock.ListItems(gomock.Any(), message(&stockv1.ListItemsRequest{PageSize: 2, PageToken: "token"})).
		Return(&stockv1.ListItemsResponse{
			Items:         []*stockv1.Item{{Sku: "a", OnHand: 9, Reserved: 2, Available: 7}, {Sku: "b"}},
			NextPageToken: "next",
		}, nil)
	got, next, err := w.Articles(t.Context(), 2, "token")
	want := []cart.Article{{SKU: "a", Available: 7}, {SKU: "b"}}
	if diff := cmp.Diff(want, got); diff != "" || next != "next" || err != nil {
		t.Errorf("next page %q, error %v (-want +got):\n%s", next, err, diff)
	}
}

func TestArticle(t *testing.T) {
	t.Parallel()
	w, stock := mocked(t)
	stock.GetItem(gomock.Any(), message(&stockv1.GetItemRequest{Sku: "a"})).
		Return(&stockv1.GetItemResponse{Item: &stockv1.Item{Sku: "a", Available: 7}}, nil)
	got, err := w.Article(t.Context(), "a")
	if want := (cart.Article{SKU: "a", Available: 7}); got != want || err != nil {
		t.Errorf("article %v, error %v; want %v", got, err, want)
	}
}

func TestReserveAndCommit(t *testing.T) {
	t.Parallel()
	w, stock := mocked(t)
	stock.Reserve(gomock.Any(), message(&stockv1.ReserveRequest{
		IdempotencyKey: "k", Lines: []*stockv1.Line{{Sku: "a", Quantity: 2}, {Sku: "b", Quantity: 99}},
	})).Return(&stockv1.ReserveResponse{}, nil)
	stock.Commit(gomock.Any(), message(&stockv1.CommitRequest{IdempotencyKey: "k"})).Return(&stockv1.CommitResponse{}, nil)
	lines := []cart.Line{{SKU: "a", Quantity: 2}, {SKU: "b", Quantity: 99}}
	if err := errors.Join(w.Reserve(t.Context(), "k", lines), w.Commit(t.Context(), "k")); err != nil {
		t.Error(err)
	}
}

// known are the errors that a caller may branch on.
var known = []error{
	cart.ErrNoArticle, cart.ErrRefused, cart.ErrRejected, cart.ErrNoReservation, cart.ErrUnavailable,
	context.DeadlineExceeded, context.Canceled,
}

// TestCodes has a row for every code that the stock's description names, and
// for one that it does not.
func TestCodes(t *testing.T) {
	t.Parallel()
	invalid := errors.New("a *cart.InvalidError")
	methods := []struct {
		name  string
		call  func(context.Context, *warehouse.Warehouse) error
		known map[codes.Code]error // nil: none of the known errors
	}{
		{
			"Articles", func(ctx context.Context, w *warehouse.Warehouse) error {
				_, _, err := w.Articles(ctx, 1, "")
				return err
			},
			map[codes.Code]error{codes.InvalidArgument: invalid, codes.NotFound: nil, codes.FailedPrecondition: nil, codes.AlreadyExists: nil},
		},
		{
			"Article", func(ctx context.Context, w *warehouse.Warehouse) error { _, err := w.Article(ctx, "a"); return err },
			map[codes.Code]error{codes.InvalidArgument: nil, codes.NotFound: cart.ErrNoArticle, codes.FailedPrecondition: nil, codes.AlreadyExists: nil},
		},
		{
			"Reserve", func(ctx context.Context, w *warehouse.Warehouse) error { return w.Reserve(ctx, "k", nil) },
			map[codes.Code]error{codes.InvalidArgument: cart.ErrRejected, codes.NotFound: cart.ErrRefused, codes.FailedPrecondition: cart.ErrRefused, codes.AlreadyExists: cart.ErrRejected},
		},
		{
			"Commit", func(ctx context.Context, w *warehouse.Warehouse) error { return w.Commit(ctx, "k") },
			map[codes.Code]error{codes.InvalidArgument: nil, codes.NotFound: cart.ErrNoReservation, codes.FailedPrecondition: cart.ErrRefused, codes.AlreadyExists: nil},
		},
	}
	always := map[codes.Code]error{
		codes.Unavailable:       cart.ErrUnavailable,
		codes.DeadlineExceeded:  cart.ErrUnavailable, // the call's time is over, the caller's is not
		codes.Canceled:          nil,
		codes.ResourceExhausted: nil,
		codes.Internal:          nil,
		codes.Unauthenticated:   nil,
	}
	for _, method := range methods {
		for _, table := range []map[codes.Code]error{method.known, always} {
			for code, want := range table {
				err := method.call(t.Context(), failing(t, code))
				if err == nil || !strings.Contains(err.Error(), "the stock's words") {
					t.Errorf("%s, %v: error %v does not tell the cause", method.name, code, err)
				}
				if got := meaning(err, invalid); !errors.Is(got, want) {
					t.Errorf("%s, %v: error %v means %v, want %v", method.name, code, err, got, want)
				}
			}
		}
	}
}

// failing returns a warehouse whose stock answers every call with a code.
func failing(t *testing.T, code codes.Code) *warehouse.Warehouse {
	t.Helper()
	w, stock := mocked(t)
	err := status.Error(code, "the stock's words")
	stock.ListItems(gomock.Any(), gomock.Any()).Return(nil, err).AnyTimes()
	stock.GetItem(gomock.Any(), gomock.Any()).Return(nil, err).AnyTimes()
	stock.Reserve(gomock.Any(), gomock.Any()).Return(nil, err).AnyTimes()
	stock.Commit(gomock.Any(), gomock.Any()).Return(nil, err).AnyTimes()
	return w
}

// meaning is the known error that err is, if any.
func meaning(err, invalid error) error {
	if errors.As(err, new(*cart.InvalidError)) {
		return invalid
	}
	for _, k := range known {
		if errors.Is(err, k) {
			return k
		}
	}
	return nil
}

// Whoever gave up is told so, whatever the stock's client made of it.
func TestTheEndOfTheCallersTime(t *testing.T) {
	t.Parallel()
	w, stock := mocked(t)
	ctx, cancel := context.WithCancel(t.Context())
	stock.GetItem(gomock.Any(), gomock.Any()).DoAndReturn(
		func(context.Context, *stockv1.GetItemRequest, ...grpc.CallOption) (*stockv1.GetItemResponse, error) {
			cancel()
			return nil, status.Error(codes.Canceled, "gone")
		})
	if _, err := w.Article(ctx, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
}
