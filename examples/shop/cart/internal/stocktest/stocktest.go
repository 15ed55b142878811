// Package stocktest is a stock service for tests: the real gRPC stack in front
// of a map. It keeps the promises that the cart service relies on, all or none
// and once for each key, and can be told to fail.
package stocktest

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	stockv1 "gitlab.com/selfcontained/shop/cart/gen/stock/v1"
)

// Fault decides the fate of a call, nil is a good one. It is asked twice, before
// the call is served and, with done, when only the answer can still get lost.
// method is its name without the service's.
type Fault func(method string, done bool) error

// Stock is a running stock service. It is safe for concurrent use.
type Stock struct {
	stockv1.UnimplementedStockServiceServer
	listener *bufconn.Listener

	mu           sync.Mutex
	fault        Fault
	items        map[string]*stockv1.Item
	reservations map[string]*stockv1.Reservation
}

// New starts a stock with the pieces given for each SKU; the test's end ends it.
func New(t testing.TB, pieces map[string]int64, opts ...grpc.ServerOption) *Stock {
	t.Helper()
	s := &Stock{
		listener:     bufconn.Listen(1 << 20),
		items:        map[string]*stockv1.Item{},
		reservations: map[string]*stockv1.Reservation{},
	}
	for sku, n := range pieces {
		s.Put(sku, n)
	}
	server := grpc.NewServer(append(opts, grpc.UnaryInterceptor(s.intercept))...)
	stockv1.RegisterStockServiceServer(server, s)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(s.listener) // ends with the listener
	}()
	t.Cleanup(func() {
		server.Stop()
		<-done
	})
	return s
}

// Dialer makes a client reach the stock, whatever address it dials.
func (s *Stock) Dialer() grpc.DialOption {
	return grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
		return s.listener.DialContext(ctx)
	})
}

// DialerAfter is Dialer for a stock that cannot be reached by the first
// attempts. Every address that is dialled goes to the channel.
func (s *Stock) DialerAfter(attempts int64, dialled chan<- string) grpc.DialOption {
	var count atomic.Int64
	return grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
		dialled <- address
		if count.Add(1) <= attempts {
			return nil, errors.New("connection refused")
		}
		return s.listener.DialContext(ctx)
	})
}

// Put sets the pieces on hand.
func (s *Stock) Put(sku string, onHand int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.items[sku] = &stockv1.Item{Sku: sku, OnHand: onHand, Available: onHand, Revision: 1}
}

// Pieces returns how many pieces are on hand and how many of them reserved.
func (s *Stock) Pieces(sku string) (onHand, reserved int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.items[sku].GetOnHand(), s.items[sku].GetReserved()
}

// Fail has the fault decide every call from now on; nil ends that.
func (s *Stock) Fail(fault Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = fault
}

func (s *Stock) intercept(ctx context.Context, request any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	method := info.FullMethod[strings.LastIndex(info.FullMethod, "/")+1:]
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.fate(method, false); err != nil {
		return nil, err
	}
	answer, err := next(ctx, request)
	if lost := s.fate(method, true); lost != nil {
		return nil, lost
	}
	return answer, err
}

func (s *Stock) fate(method string, done bool) error {
	if s.fault == nil {
		return nil
	}
	return s.fault(method, done)
}

// GetItem implements the API.
func (s *Stock) GetItem(_ context.Context, r *stockv1.GetItemRequest) (*stockv1.GetItemResponse, error) {
	item := s.items[r.GetSku()]
	if item == nil {
		return nil, status.Error(codes.NotFound, "no such article")
	}
	return &stockv1.GetItemResponse{Item: item}, nil
}

// ListItems implements the API; there is one page, and no token.
func (s *Stock) ListItems(_ context.Context, r *stockv1.ListItemsRequest) (*stockv1.ListItemsResponse, error) {
	if r.GetPageToken() != "" {
		return nil, status.Error(codes.InvalidArgument, "page_token")
	}
	answer := &stockv1.ListItemsResponse{}
	for _, item := range s.items {
		answer.Items = append(answer.Items, item)
	}
	slices.SortFunc(answer.Items, func(a, b *stockv1.Item) int { return strings.Compare(a.GetSku(), b.GetSku()) })
	return answer, nil
}

// Reserve implements the API.
func (s *Stock) Reserve(_ context.Context, r *stockv1.ReserveRequest) (*stockv1.ReserveResponse, error) {
	if held := s.reservations[r.GetIdempotencyKey()]; held != nil {
		if held.GetState() != stockv1.Reservation_STATE_HELD {
			return nil, status.Error(codes.FailedPrecondition, "settled")
		}
		return &stockv1.ReserveResponse{Reservation: held}, nil
	}
	for _, line := range r.GetLines() {
		if item := s.items[line.GetSku()]; item == nil {
			return nil, status.Error(codes.NotFound, "no such article")
		} else if item.GetAvailable() < line.GetQuantity() {
			return nil, status.Error(codes.FailedPrecondition, "too few")
		}
	}
	for _, line := range r.GetLines() {
		s.change(line.GetSku(), 0, line.GetQuantity())
	}
	held := &stockv1.Reservation{IdempotencyKey: r.GetIdempotencyKey(), Lines: r.GetLines(), State: stockv1.Reservation_STATE_HELD}
	s.reservations[r.GetIdempotencyKey()] = held
	return &stockv1.ReserveResponse{Reservation: held}, nil
}

// Commit implements the API.
func (s *Stock) Commit(_ context.Context, r *stockv1.CommitRequest) (*stockv1.CommitResponse, error) {
	held := s.reservations[r.GetIdempotencyKey()]
	switch {
	case held == nil:
		return nil, status.Error(codes.NotFound, "no such reservation")
	case held.GetState() == stockv1.Reservation_STATE_HELD:
		for _, line := range held.GetLines() {
			s.change(line.GetSku(), -line.GetQuantity(), -line.GetQuantity())
		}
	}
	held = &stockv1.Reservation{IdempotencyKey: held.GetIdempotencyKey(), Lines: held.GetLines(), State: stockv1.Reservation_STATE_COMMITTED}
	s.reservations[r.GetIdempotencyKey()] = held
	return &stockv1.CommitResponse{Reservation: held}, nil
}

// change replaces an article: answers that are on their way keep the old one.
func (s *Stock) change(sku string, onHand, reserved int64) {
	old := s.items[sku]
	item := &stockv1.Item{Sku: sku, OnHand: old.GetOnHand() + onHand, Reserved: old.GetReserved() + reserved, Revision: old.GetRevision() + 1}
	item.Available = item.GetOnHand() - item.GetReserved()
	s.items[sku] = item
}
