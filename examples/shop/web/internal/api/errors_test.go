package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/mock/gomock"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"

	cartv1 "gitlab.com/selfcontained/shop/web/gen/cart/v1"
	"gitlab.com/selfcontained/shop/web/internal/openapitest"
)

// failing returns an API whose cart service answers everything with err.
func failing(t *testing.T, err error) *harness {
	t.Helper()
	h := start(t)
	h.cart.ListArticles(gomock.Any(), gomock.Any()).Return(nil, err).AnyTimes()
	h.cart.GetCart(gomock.Any(), gomock.Any()).Return(nil, err).AnyTimes()
	h.cart.SetLine(gomock.Any(), gomock.Any()).Return(nil, err).AnyTimes()
	h.cart.Checkout(gomock.Any(), gomock.Any()).Return(nil, err).AnyTimes()
	return h
}

// statusError is what a server that gives details sends.
func statusError(t *testing.T, code codes.Code, message string, details ...protoadapt.MessageV1) error {
	t.Helper()
	s, err := status.New(code, message).WithDetails(details...)
	if err != nil {
		t.Fatal(err)
	}
	return s.Err()
}

func TestCodes(t *testing.T) {
	t.Parallel()
	for code, want := range map[codes.Code]struct {
		status int
		kind   string
		tells  bool // the cart service's words
	}{
		codes.InvalidArgument:    {400, "invalid-argument", true},
		codes.FailedPrecondition: {409, "conflict", true},
		codes.ResourceExhausted:  {429, "too-many", false},
		codes.Unavailable:        {503, "unavailable", false},
		codes.DeadlineExceeded:   {504, "timeout", false},
		codes.NotFound:           {404, "not-found", true},
		codes.Canceled:           {500, "internal", false},
		codes.Unknown:            {500, "internal", false},
		codes.Aborted:            {500, "internal", false},
		codes.Unimplemented:      {500, "internal", false},
		codes.Internal:           {500, "internal", false},
		codes.DataLoss:           {500, "internal", false},
		codes.PermissionDenied:   {500, "internal", false},
	} {
		t.Run(code.String(), func(t *testing.T) {
			t.Parallel()
			h := failing(t, fmt.Errorf("wrapped: %w", status.Error(code, "at 10.0.0.1")))
			got := h.do(t, parse(`PUT /api/carts/c/lines/a {"quantity":1}`))
			h.close()
			p := got.problem(t)
			if got.status != want.status || p.Type != want.kind || strings.Contains(p.Detail, "at 10.0.0.1") != want.tells {
				t.Errorf("%d %s, want %v", got.status, got.body, want)
			}
			if logged := strings.Contains(h.log.String(), "at 10.0.0.1"); logged != (want.status >= 500) {
				t.Errorf("the cause is logged: %v\n%s", logged, h.log)
			}
			if retry := got.header.Get("Retry-After"); (retry != "") != (want.status == 503) {
				t.Errorf("Retry-After %q", retry)
			}
		})
	}
}

func TestDetails(t *testing.T) {
	t.Parallel()
	field := func(name, description string) *errdetails.BadRequest {
		return &errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{
			{Field: name, Description: description}, {Field: "second"},
		}}
	}
	skus := &errdetails.PreconditionFailure{Violations: []*errdetails.PreconditionFailure_Violation{{Subject: "a"}, {Subject: "b"}}}
	for _, test := range []struct {
		err           error
		field, detail string
		skus          []string
	}{
		{statusError(t, codes.InvalidArgument, "cart_id: too long", field("cart_id", "too long")), "cart", "too long", nil},
		{statusError(t, codes.InvalidArgument, "bad", field("page_token", "")), "page_token", "bad", nil},
		{statusError(t, codes.InvalidArgument, "bad", &errdetails.BadRequest{}), "", "bad", nil},
		{statusError(t, codes.FailedPrecondition, "too few", skus), "", "too few", []string{"a", "b"}},
		{statusError(t, codes.FailedPrecondition, "is empty", &errdetails.ErrorInfo{Reason: "x"}), "", "is empty", nil},
	} {
		p := failing(t, test.err).do(t, parse("POST /api/carts/c/checkout")).problem(t)
		if p.Field != test.field || p.Detail != test.detail || !cmp.Equal(p.SKUs, test.skus) {
			t.Errorf("%v: %+v, want %+v", test.err, p, test)
		}
	}
}

// Each answer that the description has is one that the service gives.
func TestDescribedAnswersAreGiven(t *testing.T) {
	t.Parallel()
	doc := openapitest.Load(t)
	through := func(h *harness) *harness { h.seen = doc.Transport(t, http.DefaultTransport); return h }
	requests := []string{
		`PUT /api/carts/c/lines/a {"quantity":1}`, "DELETE /api/carts/c/lines/a",
		"POST /api/carts/c/checkout", "GET /api/carts/c", "GET /api/articles", "GET /healthz",
	}
	for code, upTo := range map[codes.Code]int{ // how many of the requests it is for
		codes.NotFound: 2, codes.FailedPrecondition: 3, codes.InvalidArgument: 5, codes.ResourceExhausted: 5,
		codes.Internal: 5, codes.Unavailable: 5, codes.DeadlineExceeded: 5,
	} {
		h := through(failing(t, status.Error(code, "no")))
		for _, line := range requests[:upTo] {
			h.do(t, parse(line))
		}
	}
	h := through(working(t))
	for _, line := range requests {
		r := parse(line)
		h.do(t, r)
		r.header = http.Header{"Sec-Fetch-Site": {"cross-site"}}
		h.do(t, r)
	}
	h.do(t, parse("PUT /api/carts/c/lines/a "+strings.Repeat(" ", 5000)))
	h.do(t, parse("PUT /api/carts/c/lines/a"))
	if unseen := doc.Unseen(); len(unseen) > 0 {
		t.Errorf("described, but not seen: %q", unseen)
	}
}

// working returns an API whose cart service does all that it is asked for.
func working(t *testing.T) *harness {
	t.Helper()
	h := start(t)
	h.cart.ListArticles(gomock.Any(), gomock.Any()).Return(&cartv1.ListArticlesResponse{}, nil).AnyTimes()
	h.cart.GetCart(gomock.Any(), gomock.Any()).Return(&cartv1.GetCartResponse{Cart: filled}, nil).AnyTimes()
	h.cart.SetLine(gomock.Any(), gomock.Any()).Return(&cartv1.SetLineResponse{Cart: filled}, nil).AnyTimes()
	h.cart.Checkout(gomock.Any(), gomock.Any()).Return(&cartv1.CheckoutResponse{Cart: ordered}, nil).AnyTimes()
	return h
}
