package server

import (
	"google.golang.org/protobuf/types/known/timestamppb"

	cartv1 "gitlab.com/selfcontained/shop/cart/gen/cart/v1"
	"gitlab.com/selfcontained/shop/cart/internal/cart"
)

func protoArticles(articles []cart.Article) []*cartv1.Article {
	result := make([]*cartv1.Article, len(articles))
	for i, a := range articles {
		result[i] = &cartv1.Article{Sku: a.SKU, Available: a.Available}
	}
	return result
}

func protoCart(c cart.Cart) *cartv1.Cart {
	result := &cartv1.Cart{
		CartId: c.ID,
		Lines:  make([]*cartv1.Line, len(c.Lines)),
		State:  protoState(c.State),
		Pieces: c.Pieces(),
	}
	for i, line := range c.Lines {
		result.Lines[i] = &cartv1.Line{Sku: line.SKU, Quantity: line.Quantity}
	}
	if !c.OrderTime.IsZero() {
		result.OrderTime = timestamppb.New(c.OrderTime)
	}
	return result
}

func protoState(s cart.State) cartv1.Cart_State {
	switch s {
	case cart.Open:
		return cartv1.Cart_STATE_OPEN
	case cart.Ordering:
		return cartv1.Cart_STATE_ORDERING
	case cart.Ordered:
		return cartv1.Cart_STATE_ORDERED
	}
	return cartv1.Cart_STATE_UNSPECIFIED
}
