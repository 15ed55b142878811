package api

import (
	"net/http"

	cartv1 "gitlab.com/selfcontained/shop/web/gen/cart/v1"
)

func (a *API) listArticles(r *http.Request) (any, error) {
	size, err := pageSize(r)
	if err != nil {
		return nil, err
	}
	answer, err := a.cart.ListArticles(r.Context(), &cartv1.ListArticlesRequest{
		PageSize: size, PageToken: r.URL.Query().Get("page_token"),
	})
	if err != nil {
		return nil, err
	}
	return jsonArticles(answer), nil
}

func (a *API) getCart(r *http.Request) (any, error) {
	answer, err := a.cart.GetCart(r.Context(), &cartv1.GetCartRequest{CartId: r.PathValue("cart")})
	if err != nil {
		return nil, err
	}
	return jsonCart(answer.GetCart())
}

func (a *API) setLine(r *http.Request) (any, error) {
	quantity, err := readQuantity(r)
	if err != nil {
		return nil, err
	}
	return a.set(r, quantity)
}

func (a *API) removeLine(r *http.Request) (any, error) {
	if err := noBody(r); err != nil {
		return nil, err
	}
	return a.set(r, 0)
}

func (a *API) set(r *http.Request, quantity int32) (any, error) {
	answer, err := a.cart.SetLine(r.Context(), &cartv1.SetLineRequest{
		CartId: r.PathValue("cart"), Sku: r.PathValue("sku"), Quantity: quantity,
	})
	if err != nil {
		return nil, err
	}
	return jsonCart(answer.GetCart())
}

func (a *API) checkout(r *http.Request) (any, error) {
	if err := noBody(r); err != nil {
		return nil, err
	}
	answer, err := a.cart.Checkout(r.Context(), &cartv1.CheckoutRequest{CartId: r.PathValue("cart")})
	if err != nil {
		return nil, err
	}
	return jsonCart(answer.GetCart())
}
