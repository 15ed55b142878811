package server

import (
	"context"
	"time"

	stockv1 "gitlab.com/selfcontained/shop/stock/gen/stock/v1"
	"gitlab.com/selfcontained/shop/stock/internal/stock"
)

// Store is what the service needs of a database. Its methods are safe for
// concurrent use, all or nothing, and durable when they return. They fail with
// the errors of package stock; any other error is an internal one.
type Store interface {
	// Put sets the pieces on hand; expected, unless nil, is the revision that
	// the article must have.
	Put(ctx context.Context, sku string, onHand int64, expected *int64) (stock.Item, error)
	// Item returns an article.
	Item(ctx context.Context, sku string) (stock.Item, error)
	// Items returns up to limit articles whose SKU is above after, in order.
	Items(ctx context.Context, after string, limit int) ([]stock.Item, error)
	// Reserve stores a reservation or returns the one of the same request.
	Reserve(ctx context.Context, request stock.Reservation) (stock.Reservation, error)
	// Settle ends a reservation as stock.Released or stock.Committed.
	Settle(ctx context.Context, key string, outcome stock.State) (stock.Reservation, error)
}

// service implements the API: check the request, ask the store, convert the
// answer. Errors become gRPC statuses in an interceptor.
type service struct {
	stockv1.UnimplementedStockServiceServer
	store Store
}

func (s *service) PutItem(ctx context.Context, r *stockv1.PutItemRequest) (*stockv1.PutItemResponse, error) {
	if err := checkPut(r); err != nil {
		return nil, err
	}
	item, err := s.store.Put(ctx, r.GetSku(), r.GetOnHand(), r.ExpectedRevision)
	if err != nil {
		return nil, err
	}
	return &stockv1.PutItemResponse{Item: protoItem(item)}, nil
}

func checkPut(r *stockv1.PutItemRequest) error {
	if err := stock.CheckName("sku", r.GetSku()); err != nil {
		return err
	}
	return stock.CheckQuantity("on_hand", r.GetOnHand(), 0)
}

func (s *service) GetItem(ctx context.Context, r *stockv1.GetItemRequest) (*stockv1.GetItemResponse, error) {
	if err := stock.CheckName("sku", r.GetSku()); err != nil {
		return nil, err
	}
	item, err := s.store.Item(ctx, r.GetSku())
	if err != nil {
		return nil, err
	}
	return &stockv1.GetItemResponse{Item: protoItem(item)}, nil
}

func (s *service) ListItems(ctx context.Context, r *stockv1.ListItemsRequest) (*stockv1.ListItemsResponse, error) {
	p, err := parsePage(r.GetPageSize(), r.GetPageToken())
	if err != nil {
		return nil, err
	}
	// One article more than asked for tells whether there is a next page.
	items, err := s.store.Items(ctx, p.after, p.size+1)
	if err != nil {
		return nil, err
	}
	items, token := p.cut(items)
	return &stockv1.ListItemsResponse{Items: protoItems(items), NextPageToken: token}, nil
}

func (s *service) Reserve(ctx context.Context, r *stockv1.ReserveRequest) (*stockv1.ReserveResponse, error) {
	lines := stockLines(r.GetLines())
	if err := stock.CheckName("idempotency_key", r.GetIdempotencyKey()); err != nil {
		return nil, err
	}
	if err := stock.CheckLines(lines); err != nil {
		return nil, err
	}
	reservation, err := s.store.Reserve(ctx, stock.NewReservation(r.GetIdempotencyKey(), lines, time.Now().UTC()))
	if err != nil {
		return nil, err
	}
	return &stockv1.ReserveResponse{Reservation: protoReservation(reservation)}, nil
}

func (s *service) Release(ctx context.Context, r *stockv1.ReleaseRequest) (*stockv1.ReleaseResponse, error) {
	reservation, err := s.settle(ctx, r.GetIdempotencyKey(), stock.Released)
	return &stockv1.ReleaseResponse{Reservation: reservation}, err
}

func (s *service) Commit(ctx context.Context, r *stockv1.CommitRequest) (*stockv1.CommitResponse, error) {
	reservation, err := s.settle(ctx, r.GetIdempotencyKey(), stock.Committed)
	return &stockv1.CommitResponse{Reservation: reservation}, err
}

func (s *service) settle(ctx context.Context, key string, outcome stock.State) (*stockv1.Reservation, error) {
	if err := stock.CheckName("idempotency_key", key); err != nil {
		return nil, err
	}
	reservation, err := s.store.Settle(ctx, key, outcome)
	if err != nil {
		return nil, err
	}
	return protoReservation(reservation), nil
}
