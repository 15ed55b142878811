package server

import (
	"context"

	cartv1 "gitlab.com/selfcontained/shop/cart/gen/cart/v1"
	"gitlab.com/selfcontained/shop/cart/internal/cart"
)

// Shop is what the service offers to its clients. Its methods are safe for
// concurrent use, may be repeated, and get arguments that were checked. They
// fail with the errors of package cart; any other error is an internal one.
type Shop interface {
	// Articles returns a page of up to size articles and the token of the next.
	Articles(ctx context.Context, size int32, token string) ([]cart.Article, string, error)
	// Cart returns a cart, empty or not.
	Cart(ctx context.Context, id string) (cart.Cart, error)
	// SetLine sets a line, or with quantity 0 takes it out.
	SetLine(ctx context.Context, id string, line cart.Line) (cart.Cart, error)
	// Checkout orders a cart.
	Checkout(ctx context.Context, id string) (cart.Cart, error)
}

const (
	defaultPageSize = 100
	maxPageSize     = 1000
)

// service implements the API: check the request, ask the shop, convert the
// answer. Errors become gRPC statuses in an interceptor.
type service struct {
	cartv1.UnimplementedCartServiceServer
	shop Shop
}

func (s *service) ListArticles(ctx context.Context, r *cartv1.ListArticlesRequest) (*cartv1.ListArticlesResponse, error) {
	size, err := pageSize(r.GetPageSize())
	if err != nil {
		return nil, err
	}
	articles, next, err := s.shop.Articles(ctx, size, r.GetPageToken())
	if err != nil {
		return nil, err
	}
	return &cartv1.ListArticlesResponse{Articles: protoArticles(articles), NextPageToken: next}, nil
}

// pageSize returns how many articles a page has at most.
func pageSize(asked int32) (int32, error) {
	switch {
	case asked < 0:
		return 0, &cart.InvalidError{Field: "page_size", Reason: "expected 0 or more"}
	case asked == 0:
		return defaultPageSize, nil
	}
	return min(asked, maxPageSize), nil
}

func (s *service) GetCart(ctx context.Context, r *cartv1.GetCartRequest) (*cartv1.GetCartResponse, error) {
	if err := cart.CheckID(r.GetCartId()); err != nil {
		return nil, err
	}
	c, err := s.shop.Cart(ctx, r.GetCartId())
	if err != nil {
		return nil, err
	}
	return &cartv1.GetCartResponse{Cart: protoCart(c)}, nil
}

func (s *service) SetLine(ctx context.Context, r *cartv1.SetLineRequest) (*cartv1.SetLineResponse, error) {
	line := cart.Line{SKU: r.GetSku(), Quantity: r.GetQuantity()}
	if err := cart.CheckID(r.GetCartId()); err != nil {
		return nil, err
	}
	if err := cart.CheckLine(line); err != nil {
		return nil, err
	}
	c, err := s.shop.SetLine(ctx, r.GetCartId(), line)
	if err != nil {
		return nil, err
	}
	return &cartv1.SetLineResponse{Cart: protoCart(c)}, nil
}

func (s *service) Checkout(ctx context.Context, r *cartv1.CheckoutRequest) (*cartv1.CheckoutResponse, error) {
	if err := cart.CheckID(r.GetCartId()); err != nil {
		return nil, err
	}
	c, err := s.shop.Checkout(ctx, r.GetCartId())
	if err != nil {
		return nil, err
	}
	return &cartv1.CheckoutResponse{Cart: protoCart(c)}, nil
}
