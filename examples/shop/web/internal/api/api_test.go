package api_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/mock/gomock"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	cartv1 "gitlab.com/selfcontained/shop/web/gen/cart/v1"
	"gitlab.com/selfcontained/shop/web/internal/api"
	"gitlab.com/selfcontained/shop/web/internal/openapitest"
	"gitlab.com/selfcontained/shop/web/internal/server"
)

var (
	filled = &cartv1.Cart{
		CartId: "c", State: cartv1.Cart_STATE_OPEN, Pieces: 5,
		Lines: []*cartv1.Line{{Sku: "a", Quantity: 2}, {Sku: "b", Quantity: 3}},
	}
	ordered = &cartv1.Cart{
		CartId: "c", State: cartv1.Cart_STATE_ORDERED, Pieces: 1, Lines: []*cartv1.Line{{Sku: "a", Quantity: 1}},
		OrderTime: timestamppb.New(time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC)),
	}
	filledJSON = `{"cartId":"c","state":"open","lines":[{"sku":"a","quantity":2},{"sku":"b","quantity":3}],"pieces":5}`
)

func TestAnswers(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		request string
		expect  func(*MockCartServiceClientMockRecorder)
		want    string
	}{
		{
			"GET /api/articles", func(c *MockCartServiceClientMockRecorder) {
				c.ListArticles(gomock.Any(), equal(&cartv1.ListArticlesRequest{})).Return(&cartv1.ListArticlesResponse{}, nil)
			}, `{"articles":[]}`,
		},
		{
			"GET /api/articles?page_size=2&page_token=x%2Fy", func(c *MockCartServiceClientMockRecorder) {
				c.ListArticles(gomock.Any(), equal(&cartv1.ListArticlesRequest{PageSize: 2, PageToken: "x/y"})).Return(&cartv1.ListArticlesResponse{
					Articles:      []*cartv1.Article{{Sku: "a", Available: 1 << 53}, {Sku: "b"}},
					NextPageToken: "Yg",
				}, nil)
			}, `{"articles":[{"sku":"a","available":9007199254740992},{"sku":"b","available":0}],"nextPageToken":"Yg"}`,
		},
		{
			"GET /api/carts/c", func(c *MockCartServiceClientMockRecorder) {
				c.GetCart(gomock.Any(), equal(&cartv1.GetCartRequest{CartId: "c"})).Return(&cartv1.GetCartResponse{Cart: filled}, nil)
			}, filledJSON,
		},
		{
			"GET /api/carts/c%2Fd", func(c *MockCartServiceClientMockRecorder) {
				empty := &cartv1.Cart{CartId: "c/d", State: cartv1.Cart_STATE_ORDERING}
				c.GetCart(gomock.Any(), equal(&cartv1.GetCartRequest{CartId: "c/d"})).Return(&cartv1.GetCartResponse{Cart: empty}, nil)
			}, `{"cartId":"c/d","state":"ordering","lines":[],"pieces":0}`,
		},
		{
			`PUT /api/carts/c/lines/a {"quantity": 2}`, func(c *MockCartServiceClientMockRecorder) {
				c.SetLine(gomock.Any(), equal(&cartv1.SetLineRequest{CartId: "c", Sku: "a", Quantity: 2})).Return(&cartv1.SetLineResponse{Cart: filled}, nil)
			}, filledJSON,
		},
		{
			`PUT /api/carts/c/lines/a {"quantity":0}`, func(c *MockCartServiceClientMockRecorder) {
				c.SetLine(gomock.Any(), equal(&cartv1.SetLineRequest{CartId: "c", Sku: "a"})).Return(&cartv1.SetLineResponse{Cart: filled}, nil)
			}, filledJSON,
		},
		{
			"DELETE /api/carts/c/lines/a", func(c *MockCartServiceClientMockRecorder) {
				c.SetLine(gomock.Any(), equal(&cartv1.SetLineRequest{CartId: "c", Sku: "a"})).Return(&cartv1.SetLineResponse{Cart: filled}, nil)
			}, filledJSON,
		},
		{
			"POST /api/carts/c/checkout", func(c *MockCartServiceClientMockRecorder) {
				c.Checkout(gomock.Any(), equal(&cartv1.CheckoutRequest{CartId: "c"})).Return(&cartv1.CheckoutResponse{Cart: ordered}, nil)
			}, `{"cartId":"c","state":"ordered","lines":[{"sku":"a","quantity":1}],"pieces":1,"orderTime":"2026-02-03T04:05:06Z"}`,
		},
	} {
		t.Run(test.request, func(t *testing.T) {
			t.Parallel()
			h := start(t)
			test.expect(h.cart)
			got := h.do(t, parse(test.request))
			if got.status != http.StatusOK || got.header.Get("Content-Type") != "application/json" || got.header.Get("Cache-Control") != "no-store" {
				t.Errorf("status %d, header %v", got.status, got.header)
			}
			if diff := cmp.Diff(test.want, got.body); diff != "" {
				t.Errorf("body (-want +got):\n%s", diff)
			}
		})
	}
}

// The cart service is not called for any of these.
func TestRefusedRequests(t *testing.T) {
	t.Parallel()
	const put = "PUT /api/carts/c/lines/a "
	h := start(t)
	for line, want := range map[string]struct {
		status      int
		kind, field string
	}{
		"GET /api/articles?page_size=x":          {400, "invalid-argument", "page_size"},
		"GET /api/articles?page_size=2147483648": {400, "invalid-argument", "page_size"},
		put + `{"quantity":"2"}`:                 {400, "invalid-argument", "quantity"},
		put + `{"quantity":1.5}`:                 {400, "invalid-argument", "quantity"},
		put + `{"quantity":null}`:                {400, "invalid-argument", "quantity"},
		put + `{"quantity":2147483648}`:          {400, "invalid-argument", "quantity"},
		put + `{"Quantity":1}`:                   {400, "malformed-body", ""},
		put + `{"quantity":1,"sku":"b"}`:         {400, "malformed-body", ""},
		put + `{"quantity":1}{}`:                 {400, "malformed-body", ""},
		put + `{}`:                               {400, "malformed-body", ""},
		put + `[]`:                               {400, "malformed-body", ""},
		put + `{"quantity":`:                     {400, "malformed-body", ""},
		put:                                      {415, "unsupported-media-type", ""},
		put + strings.Repeat(" ", 4097):          {413, "body-too-large", ""},
		"POST /api/carts/c/checkout {}":          {400, "malformed-body", ""},
		"DELETE /api/carts/c/lines/a {}":         {400, "malformed-body", ""},
		"GET /api":                               {404, "not-found", ""},
		"GET /api/carts":                         {404, "not-found", ""},
		"GET /api/carts/c/lines":                 {404, "not-found", ""},
		"POST /api/articles":                     {405, "method-not-allowed", ""},
		"GET /api/carts/c/checkout":              {405, "method-not-allowed", ""},
		"PATCH /api/carts/c/lines/a {}":          {405, "method-not-allowed", ""},
	} {
		got := h.do(t, parse(line))
		p := got.problem(t)
		if got.status != want.status || p.Type != want.kind || p.Field != want.field {
			t.Errorf("%.60s: %d %s, want %v", line, got.status, got.body, want)
		}
		if p.RequestID == "" || p.RequestID != got.header.Get("X-Request-Id") {
			t.Errorf("%.60s: request id %q, in the header %q", line, p.RequestID, got.header.Get("X-Request-Id"))
		}
	}
}

func TestContentTypeOfWrites(t *testing.T) {
	t.Parallel()
	h := start(t)
	h.cart.SetLine(gomock.Any(), gomock.Any()).Return(&cartv1.SetLineResponse{Cart: filled}, nil).AnyTimes()
	for media, want := range map[string]int{
		"application/json":                  200,
		"application/json; charset=utf-8":   200,
		"APPLICATION/JSON":                  200,
		"text/plain":                        415,
		"application/x-www-form-urlencoded": 415,
		"application/json; charset":         415,
		"":                                  415,
	} {
		r := request{"PUT", "/api/carts/c/lines/a", `{"quantity":1}`, http.Header{"Content-Type": {media}}}
		if got := h.do(t, r); got.status != want {
			t.Errorf("%q: status %d, want %d", media, got.status, want)
		}
	}
}

func TestAllowNamesTheMethods(t *testing.T) {
	t.Parallel()
	h := start(t)
	for line, want := range map[string]string{
		"POST /api/articles":         "GET, HEAD",
		"GET /api/carts/c/lines/a":   "DELETE, PUT",
		"DELETE /api/carts/c":        "GET, HEAD",
		"PUT /api/carts/c/checkout ": "POST",
	} {
		if got := h.do(t, parse(line)).header.Get("Allow"); got != want {
			t.Errorf("%s: Allow %q, want %q", line, got, want)
		}
	}
}

func TestLargeBodiesWithoutLength(t *testing.T) {
	t.Parallel()
	h := start(t)
	for _, method := range []string{"PUT /api/carts/c/lines/a", "POST /api/carts/c/checkout"} {
		m, path, _ := strings.Cut(method, " ")
		// A reader that tells no length is sent in chunks.
		r, err := http.NewRequestWithContext(t.Context(), m, h.url+path, struct{ *strings.Reader }{strings.NewReader(strings.Repeat(" ", 5000))})
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		response, err := h.seen.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		if want := map[string]int{"PUT": 413, "POST": 400}[m]; response.StatusCode != want {
			t.Errorf("%s: status %d, want %d", method, response.StatusCode, want)
		}
	}
}

func TestCallsAreBoundedInTime(t *testing.T) {
	t.Parallel()
	h := start(t, shortly)
	h.cart.GetCart(gomock.Any(), gomock.Any()).DoAndReturn(
		func(ctx context.Context, _ *cartv1.GetCartRequest, _ ...grpc.CallOption) (*cartv1.GetCartResponse, error) {
			<-ctx.Done()
			return nil, status.FromContextError(ctx.Err()).Err() // as gRPC does
		})
	if got := h.do(t, parse("GET /api/carts/c")); got.status != http.StatusGatewayTimeout {
		t.Errorf("status %d: %s", got.status, got.body)
	}
}

func TestUnknownStateIsAnInternalError(t *testing.T) {
	t.Parallel()
	h := start(t)
	h.cart.GetCart(gomock.Any(), gomock.Any()).Return(&cartv1.GetCartResponse{Cart: &cartv1.Cart{State: 9}}, nil)
	got := h.do(t, parse("GET /api/carts/c"))
	h.close()
	if got.status != http.StatusInternalServerError || strings.Contains(got.body, "9") || !strings.Contains(h.log.String(), "state 9") {
		t.Errorf("status %d: %s\nlog: %s", got.status, got.body, h.log)
	}
}

// The routes and the description name the same operations.
func TestRoutesAreDescribed(t *testing.T) {
	t.Parallel()
	routes := []string{server.HealthPattern}
	for pattern := range api.New(nil, nil).Routes() {
		routes = append(routes, pattern)
	}
	slices.Sort(routes)
	if diff := cmp.Diff(openapitest.Load(t).Operations(), routes); diff != "" {
		t.Errorf("operations (-described +routes):\n%s", diff)
	}
}
