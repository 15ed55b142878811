//go:build integration

// Package integration tests the service as its chart installs it in Kubernetes,
// beside a real stock service: over TLS, through the cluster's network, with
// many customers at once.
//
// PIPELINE_ADDR is host:port of the service, PIPELINE_ADDR_STOCK of the stock.
// PIPELINE_TLS_CA is a PEM file with the CA of their certificates; unset means
// that both speak plain text.
package integration

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"os"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	cartv1 "gitlab.com/selfcontained/shop/cart/gen/cart/v1"
	stockv1 "gitlab.com/selfcontained/shop/cart/gen/stock/v1"
)

func dial(t *testing.T, variable string, creds credentials.TransportCredentials) *grpc.ClientConn {
	t.Helper()
	address := os.Getenv(variable)
	if address == "" {
		t.Fatal(variable + " is not set: it must be host:port of an installed service")
	}
	conn, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(creds), grpc.WithNoProxy())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// creds verify a server against PIPELINE_TLS_CA, if that is set. Its name is
// the host of the address, which gRPC takes by itself.
func creds(t *testing.T) credentials.TransportCredentials {
	t.Helper()
	file := os.Getenv("PIPELINE_TLS_CA")
	if file == "" {
		return insecure.NewCredentials()
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		t.Fatal("PIPELINE_TLS_CA: ", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		t.Fatalf("PIPELINE_TLS_CA: %s holds no PEM certificate", file)
	}
	return credentials.NewTLS(&tls.Config{RootCAs: pool})
}

// customer has a connection and a cart of his own.
type customer struct {
	client cartv1.CartServiceClient
	cart   string
}

func newCustomer(t *testing.T) customer {
	t.Helper()
	return customer{cartv1.NewCartServiceClient(dial(t, "PIPELINE_ADDR", creds(t))), unique()}
}

func (c customer) set(t *testing.T, sku string, quantity int32) error {
	t.Helper()
	_, err := c.client.SetLine(t.Context(), &cartv1.SetLineRequest{CartId: c.cart, Sku: sku, Quantity: quantity})
	return err
}

func (c customer) checkout(t *testing.T) (*cartv1.Cart, error) {
	t.Helper()
	answer, err := c.client.Checkout(t.Context(), &cartv1.CheckoutRequest{CartId: c.cart})
	return answer.GetCart(), err
}

func (c customer) get(t *testing.T) *cartv1.Cart {
	t.Helper()
	answer, err := c.client.GetCart(t.Context(), &cartv1.GetCartRequest{CartId: c.cart})
	if err != nil {
		t.Fatal(err)
	}
	return answer.GetCart()
}

// storekeeper fills the stock and counts it.
type storekeeper struct{ client stockv1.StockServiceClient }

func newStorekeeper(t *testing.T) storekeeper {
	t.Helper()
	return storekeeper{stockv1.NewStockServiceClient(dial(t, "PIPELINE_ADDR_STOCK", creds(t)))}
}

// offer puts pieces of a new article into the stock.
func (k storekeeper) offer(t *testing.T, pieces int64) (sku string) {
	t.Helper()
	sku = unique()
	k.put(t, sku, pieces)
	return sku
}

func (k storekeeper) put(t *testing.T, sku string, pieces int64) {
	t.Helper()
	if _, err := k.client.PutItem(t.Context(), &stockv1.PutItemRequest{Sku: sku, OnHand: pieces}); err != nil {
		t.Fatal(err)
	}
}

// want checks what is on hand; after every test nothing may be reserved.
func (k storekeeper) want(t *testing.T, sku string, onHand int64) {
	t.Helper()
	answer, err := k.client.GetItem(t.Context(), &stockv1.GetItemRequest{Sku: sku})
	if err != nil {
		t.Fatal(err)
	}
	if item := answer.GetItem(); item.GetOnHand() != onHand || item.GetReserved() != 0 {
		t.Errorf("the stock has %d on hand and %d reserved, want %d and none", item.GetOnHand(), item.GetReserved(), onHand)
	}
}

// unique makes a name that no other run used, so that runs may share services.
func unique() string { return "integration-" + rand.Text() }
