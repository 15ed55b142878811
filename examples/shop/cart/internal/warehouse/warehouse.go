// Package warehouse is this service's view of its neighbour, the stock service:
// the few methods that are used, in the terms of package cart. It converts what
// the stock answers; which of its codes mean that nothing happened, and which
// leave that open, is said here and nowhere else.
package warehouse

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	stockv1 "gitlab.com/selfcontained/shop/cart/gen/stock/v1"
	"gitlab.com/selfcontained/shop/cart/internal/cart"
)

// Warehouse calls the stock service; it is safe for concurrent use.
type Warehouse struct {
	stock stockv1.StockServiceClient
}

// New returns a warehouse that calls the given client.
func New(stock stockv1.StockServiceClient) *Warehouse { return &Warehouse{stock} }

// Articles returns a page of up to size articles and the token of the next
// page, which is the stock's. It fails with *cart.InvalidError for a token that
// no answer had.
func (w *Warehouse) Articles(ctx context.Context, size int32, token string) ([]cart.Article, string, error) {
	answer, err := w.stock.ListItems(ctx, &stockv1.ListItemsRequest{PageSize: size, PageToken: token})
	if err != nil {
		badToken := &cart.InvalidError{Field: "page_token", Reason: "expected the next_page_token of an answer"}
		return nil, "", failure(ctx, "list articles", err, meanings{codes.InvalidArgument: badToken})
	}
	articles := make([]cart.Article, len(answer.GetItems()))
	for i, item := range answer.GetItems() {
		articles[i] = article(item)
	}
	return articles, answer.GetNextPageToken(), nil
}

// Article returns an article or fails with cart.ErrNoArticle.
func (w *Warehouse) Article(ctx context.Context, sku string) (cart.Article, error) {
	answer, err := w.stock.GetItem(ctx, &stockv1.GetItemRequest{Sku: sku})
	if err != nil {
		return cart.Article{}, failure(ctx, "get article", err, meanings{codes.NotFound: cart.ErrNoArticle})
	}
	return article(answer.GetItem()), nil
}

func article(item *stockv1.Item) cart.Article {
	return cart.Article{SKU: item.GetSku(), Available: item.GetAvailable()}
}

// Reserve sets pieces aside, all or none, once for each key. It fails with
// cart.ErrRefused if an article is gone or has too few pieces, and with
// cart.ErrRejected if the stock does not accept the request.
func (w *Warehouse) Reserve(ctx context.Context, key string, lines []cart.Line) error {
	request := &stockv1.ReserveRequest{IdempotencyKey: key}
	for _, line := range lines {
		request.Lines = append(request.Lines, &stockv1.Line{Sku: line.SKU, Quantity: int64(line.Quantity)})
	}
	_, err := w.stock.Reserve(ctx, request)
	return failure(ctx, "reserve", err, meanings{
		codes.NotFound:           cart.ErrRefused,
		codes.FailedPrecondition: cart.ErrRefused,
		codes.InvalidArgument:    cart.ErrRejected,
		codes.AlreadyExists:      cart.ErrRejected,
	})
}

// Commit takes the pieces of a reservation off the stock; repeating it changes
// nothing. It fails with cart.ErrNoReservation, and with cart.ErrRefused if the
// reservation was released.
func (w *Warehouse) Commit(ctx context.Context, key string) error {
	_, err := w.stock.Commit(ctx, &stockv1.CommitRequest{IdempotencyKey: key})
	return failure(ctx, "commit", err, meanings{
		codes.NotFound:           cart.ErrNoReservation,
		codes.FailedPrecondition: cart.ErrRefused,
	})
}

// meanings say what a method's codes mean; they differ between methods.
type meanings map[codes.Code]error

// failure returns the error that stands for the stock's, which it wraps for the
// log, or nil for nil. Codes without meaning leave it open what happened.
func failure(ctx context.Context, what string, err error, known meanings) error {
	if err == nil {
		return nil
	}
	meaning := known[status.Code(err)]
	if meaning == nil {
		meaning = open(ctx, status.Code(err))
	}
	return fmt.Errorf("stock: %s: %w (%w)", what, meaning, err)
}

// errUnexpected: a code that the stock's description does not allow.
var errUnexpected = errors.New("unexpected answer")

// open returns what a code means whatever the method. The time that one call
// to the stock may take can be over before the caller's is.
func open(ctx context.Context, code codes.Code) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case code == codes.Unavailable, code == codes.DeadlineExceeded:
		return cart.ErrUnavailable
	}
	return errUnexpected
}
