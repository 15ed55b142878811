// Package api is the HTTP API: it reads requests, calls the cart service and
// writes JSON. It decides nothing about articles and carts.
//
// api/web.openapi.yaml describes it; a test holds the two together. Errors of
// the cart service become problems in one place, errors.go.
package api

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	cartv1 "gitlab.com/selfcontained/shop/web/gen/cart/v1"
	"gitlab.com/selfcontained/shop/web/internal/problem"
)

// maxCall bounds the calls for one request: longer than the cart service takes
// when it is well, shorter than people wait.
const maxCall = 5 * time.Second

// API answers requests with the help of the cart service.
type API struct {
	cart    cartv1.CartServiceClient
	log     *slog.Logger
	maxCall time.Duration
}

// New returns an API that asks cart and logs what cannot be told to clients.
func New(cart cartv1.CartServiceClient, log *slog.Logger) *API {
	return &API{cart: cart, log: log, maxCall: maxCall}
}

// Routes are the handlers by their patterns, as http.ServeMux understands them.
func (a *API) Routes() map[string]http.Handler {
	return map[string]http.Handler{
		"GET /api/articles":                    a.handler(a.listArticles),
		"GET /api/carts/{cart}":                a.handler(a.getCart),
		"PUT /api/carts/{cart}/lines/{sku}":    a.handler(a.setLine),
		"DELETE /api/carts/{cart}/lines/{sku}": a.handler(a.removeLine),
		"POST /api/carts/{cart}/checkout":      a.handler(a.checkout),
	}
}

// endpoint turns a request into what is sent as JSON. Its errors are problems or
// statuses of gRPC; any other is an internal one.
type endpoint func(*http.Request) (any, error)

func (a *API) handler(e endpoint) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), a.maxCall)
		defer cancel()
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		answer, err := e(r.WithContext(ctx))
		if err == nil {
			err = writeJSON(w, answer)
		}
		if err != nil {
			a.fail(w, r, err)
		}
	})
}

// writeJSON writes all or, if the value cannot be encoded, nothing.
func writeJSON(w http.ResponseWriter, value any) error {
	body, err := json.Marshal(value)
	if err != nil {
		return err
	}
	body = append(body, '\n')
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body) // a client that has gone needs no answer
	return nil
}

// fail sends the problem. What failed behind this service is told to the log
// alone: the text may name addresses.
func (a *API) fail(w http.ResponseWriter, r *http.Request, err error) {
	p := problemOf(err)
	if p.Kind.Status() >= 500 && !errors.Is(r.Context().Err(), context.Canceled) {
		a.log.WarnContext(r.Context(), "the cart service failed a request",
			"request_id", w.Header().Get(problem.RequestIDHeader), "error", err)
	}
	p.Write(w)
}
