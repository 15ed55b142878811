//go:build integration

package integration

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"

	cartv1 "gitlab.com/selfcontained/shop/cart/gen/cart/v1"
)

func TestHealth(t *testing.T) {
	t.Parallel()
	health := healthv1.NewHealthClient(dial(t, "PIPELINE_ADDR", creds(t)))
	answer, err := health.Check(t.Context(), &healthv1.HealthCheckRequest{})
	if err != nil || answer.GetStatus() != healthv1.HealthCheckResponse_SERVING {
		t.Errorf("health %v, error %v", answer.GetStatus(), err)
	}
}

func TestClientsThatDoNotProveTheServerAreRefused(t *testing.T) {
	t.Parallel()
	if os.Getenv("PIPELINE_TLS_CA") == "" {
		t.Skip("PIPELINE_TLS_CA is not set: the service speaks plain text")
	}
	// A server hangs up on who does not speak TLS; through a tunnel that may take
	// a while to be seen.
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	for name, creds := range map[string]credentials.TransportCredentials{
		"without TLS":        insecure.NewCredentials(),
		"trusting other CAs": credentials.NewTLS(&tls.Config{RootCAs: x509.NewCertPool()}),
	} {
		client := cartv1.NewCartServiceClient(dial(t, "PIPELINE_ADDR", creds))
		_, err := client.GetCart(ctx, &cartv1.GetCartRequest{CartId: unique()})
		if code := status.Code(err); code != codes.Unavailable && code != codes.DeadlineExceeded {
			t.Errorf("client %s: error %v, want %v", name, err, codes.Unavailable)
		}
	}
}

func TestArticlesAreWhatTheStockHas(t *testing.T) {
	t.Parallel()
	c, sku := newCustomer(t), newStorekeeper(t).offer(t, 7)
	var found []*cartv1.Article
	request := &cartv1.ListArticlesRequest{PageSize: 5}
	for {
		answer, err := c.client.ListArticles(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, answer.GetArticles()...)
		if request.PageToken = answer.GetNextPageToken(); request.PageToken == "" {
			break
		}
	}
	if !slices.IsSortedFunc(found, func(a, b *cartv1.Article) int { return strings.Compare(a.GetSku(), b.GetSku()) }) {
		t.Error("the articles are not sorted")
	}
	at := slices.IndexFunc(found, func(a *cartv1.Article) bool { return a.GetSku() == sku })
	if at < 0 || found[at].GetAvailable() != 7 {
		t.Errorf("the article is at %d of %v, want it with 7 available", at, found)
	}
}

func TestAnOrderTakesPiecesOffTheStock(t *testing.T) {
	t.Parallel()
	c, keeper := newCustomer(t), newStorekeeper(t)
	apple, pear := keeper.offer(t, 5), keeper.offer(t, 9)
	for sku, quantity := range map[string]int32{apple: 2, pear: 9} {
		if err := c.set(t, sku, quantity); err != nil {
			t.Fatal(err)
		}
	}
	lines := []*cartv1.Line{{Sku: apple, Quantity: 2}, {Sku: pear, Quantity: 9}}
	slices.SortFunc(lines, func(a, b *cartv1.Line) int { return strings.Compare(a.GetSku(), b.GetSku()) })
	want := &cartv1.Cart{CartId: c.cart, Lines: lines, State: cartv1.Cart_STATE_OPEN, Pieces: 11}
	if diff := cmp.Diff(want, c.get(t), protocmp.Transform()); diff != "" {
		t.Errorf("open cart (-want +got):\n%s", diff)
	}
	ordered, err := c.checkout(t)
	if err != nil {
		t.Fatal(err)
	}
	want.State, want.OrderTime = cartv1.Cart_STATE_ORDERED, ordered.GetOrderTime()
	if diff := cmp.Diff(want, ordered, protocmp.Transform()); diff != "" || ordered.GetOrderTime() == nil {
		t.Errorf("ordered cart at %v (-want +got):\n%s", ordered.GetOrderTime(), diff)
	}
	keeper.want(t, apple, 3)
	keeper.want(t, pear, 0)
	if err := c.set(t, apple, 1); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("change of an ordered cart: error %v, want %v", err, codes.FailedPrecondition)
	}
}

func TestACheckoutThatIsRepeatedOrdersOnce(t *testing.T) {
	t.Parallel()
	c, keeper := newCustomer(t), newStorekeeper(t)
	sku := keeper.offer(t, 10)
	if err := c.set(t, sku, 3); err != nil {
		t.Fatal(err)
	}
	const times = 8
	orders := make([]*cartv1.Cart, times)
	var group sync.WaitGroup
	for i := range times {
		group.Go(func() {
			var err error
			if orders[i], err = c.checkout(t); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	for _, order := range orders {
		if diff := cmp.Diff(c.get(t), order, protocmp.Transform()); diff != "" {
			t.Errorf("order (-cart +got):\n%s", diff)
		}
	}
	keeper.want(t, sku, 7)
}

func TestTheLastPiecesAreSoldOnce(t *testing.T) {
	t.Parallel()
	const pieces, customers = 4, 12
	keeper := newStorekeeper(t)
	sku := keeper.offer(t, pieces)
	var filled, finished sync.WaitGroup
	var sold atomic.Int64
	filled.Add(customers)
	for range customers {
		c := newCustomer(t)
		finished.Go(func() {
			if err := c.set(t, sku, 1); err != nil {
				t.Error(err)
			}
			filled.Done()
			filled.Wait() // all go to the till at once
			if buys(t, c, sku) {
				sold.Add(1)
			}
		})
	}
	finished.Wait()
	if sold.Load() != pieces {
		t.Errorf("%d customers got a piece, want %d", sold.Load(), pieces)
	}
	keeper.want(t, sku, 0)
}

// buys tells whether the customer got the article; if not, it must be because
// it was sold out, and he keeps an open cart.
func buys(t *testing.T, c customer, sku string) bool {
	_, err := c.checkout(t)
	want := cartv1.Cart_STATE_ORDERED
	if err != nil {
		want = cartv1.Cart_STATE_OPEN
		wantShort(t, err, sku)
	}
	answer, getting := c.client.GetCart(t.Context(), &cartv1.GetCartRequest{CartId: c.cart})
	if got := answer.GetCart().GetState(); getting != nil || got != want {
		t.Errorf("the cart is %v, error %v; want %v", got, getting, want)
	}
	return err == nil
}

// wantShort checks that an error blames the SKUs and nothing else.
func wantShort(t *testing.T, err error, skus ...string) {
	t.Helper()
	var blamed []string
	for _, detail := range status.Convert(err).Details() {
		if failure, ok := detail.(*errdetails.PreconditionFailure); ok {
			for _, violation := range failure.GetViolations() {
				blamed = append(blamed, violation.GetSubject())
			}
		}
	}
	if status.Code(err) != codes.FailedPrecondition || !slices.Equal(blamed, skus) {
		t.Errorf("error %v blames %q; want %v, %q", err, blamed, codes.FailedPrecondition, skus)
	}
}

func TestAnOrderIsAllOrNothing(t *testing.T) {
	t.Parallel()
	c, keeper := newCustomer(t), newStorekeeper(t)
	plenty, scarce := keeper.offer(t, 10), keeper.offer(t, 4)
	for _, sku := range []string{plenty, scarce} {
		if err := c.set(t, sku, 4); err != nil {
			t.Fatal(err)
		}
	}
	keeper.put(t, scarce, 3) // one is broken
	_, err := c.checkout(t)
	wantShort(t, err, scarce)
	keeper.want(t, plenty, 10)
	keeper.want(t, scarce, 3)
	if err := c.set(t, scarce, 3); err != nil {
		t.Fatal(err)
	}
	if _, err := c.checkout(t); err != nil {
		t.Fatal(err)
	}
	keeper.want(t, plenty, 6)
	keeper.want(t, scarce, 0)
}

func TestLinesThatTheStockDoesNotHave(t *testing.T) {
	t.Parallel()
	c, sku := newCustomer(t), newStorekeeper(t).offer(t, 2)
	wantShort(t, c.set(t, sku, 3), sku)
	if err := c.set(t, unique(), 1); status.Code(err) != codes.NotFound {
		t.Errorf("unknown article: error %v, want %v", err, codes.NotFound)
	}
	if got := c.get(t); len(got.GetLines()) > 0 {
		t.Errorf("the cart has lines: %v", got)
	}
}
