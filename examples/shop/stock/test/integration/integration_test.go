//go:build integration

// Package integration tests the service as its chart installs it in Kubernetes:
// over TLS, through the cluster's network, with many clients at once.
//
// PIPELINE_ADDR is host:port of the service. PIPELINE_TLS_CA is a PEM file with
// the CA of its certificate; unset means that the service speaks plain text.
package integration

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	stockv1 "gitlab.com/selfcontained/shop/stock/gen/stock/v1"
)

func dial(t *testing.T, creds credentials.TransportCredentials) *grpc.ClientConn {
	t.Helper()
	address := os.Getenv("PIPELINE_ADDR")
	if address == "" {
		t.Fatal("PIPELINE_ADDR is not set: it must be host:port of the installed service")
	}
	conn, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(creds), grpc.WithNoProxy())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// creds verify the server against PIPELINE_TLS_CA, if that is set. Its name is
// the host of PIPELINE_ADDR, which gRPC takes by itself.
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

func client(t *testing.T) stockv1.StockServiceClient {
	t.Helper()
	return stockv1.NewStockServiceClient(dial(t, creds(t)))
}

// unique makes a name that no other run used, so that runs may share a service.
func unique(prefix string) string { return prefix + "-" + rand.Text() }

func put(t *testing.T, c stockv1.StockServiceClient, onHand int64) (sku string) {
	t.Helper()
	sku = unique("integration")
	if _, err := c.PutItem(t.Context(), &stockv1.PutItemRequest{Sku: sku, OnHand: onHand}); err != nil {
		t.Fatal(err)
	}
	return sku
}

func get(t *testing.T, c stockv1.StockServiceClient, sku string) *stockv1.Item {
	t.Helper()
	answer, err := c.GetItem(t.Context(), &stockv1.GetItemRequest{Sku: sku})
	if err != nil {
		t.Fatal(err)
	}
	return answer.GetItem()
}

func TestHealth(t *testing.T) {
	t.Parallel()
	answer, err := healthv1.NewHealthClient(dial(t, creds(t))).Check(t.Context(), &healthv1.HealthCheckRequest{})
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
		_, err := stockv1.NewStockServiceClient(dial(t, creds)).ListItems(ctx, &stockv1.ListItemsRequest{})
		if code := status.Code(err); code != codes.Unavailable && code != codes.DeadlineExceeded {
			t.Errorf("client %s: error %v, want %v", name, err, codes.Unavailable)
		}
	}
}

func TestOneClientSeesWhatAnotherWrote(t *testing.T) {
	t.Parallel()
	sku := put(t, client(t), 7)
	item := get(t, client(t), sku)
	if item.GetOnHand() != 7 || item.GetAvailable() != 7 || item.GetRevision() != 1 {
		t.Errorf("item %v, want 7 on hand, 7 available, revision 1", item)
	}
}

func TestManyClientsNeverOversell(t *testing.T) {
	t.Parallel()
	const pieces, clients, tries = 40, 8, 10
	c := client(t)
	sku := put(t, c, pieces)
	var group sync.WaitGroup
	var sold atomic.Int64
	for range clients {
		own := client(t)
		group.Go(func() {
			for range tries {
				if reserve(t, own, unique("key"), sku) {
					sold.Add(1)
				}
			}
		})
	}
	group.Wait()
	if item := get(t, c, sku); sold.Load() != pieces || item.GetReserved() != pieces || item.GetAvailable() != 0 {
		t.Errorf("sold %d, item %v; want %d sold and reserved", sold.Load(), item, pieces)
	}
}

// reserve tells whether it got one piece; sold out is the only allowed error.
func reserve(t *testing.T, c stockv1.StockServiceClient, key, sku string) bool {
	_, err := c.Reserve(t.Context(), &stockv1.ReserveRequest{
		IdempotencyKey: key, Lines: []*stockv1.Line{{Sku: sku, Quantity: 1}},
	})
	if err != nil && status.Code(err) != codes.FailedPrecondition {
		t.Error(err)
	}
	return err == nil
}

func TestOneKeyReservesOnce(t *testing.T) {
	t.Parallel()
	c, key := client(t), unique("key")
	sku := put(t, c, 100)
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() { reserve(t, c, key, sku) })
	}
	group.Wait()
	if item := get(t, c, sku); item.GetReserved() != 1 {
		t.Errorf("%d reserved, want 1", item.GetReserved())
	}
}

func TestReleaseAndCommit(t *testing.T) {
	t.Parallel()
	c, released, committed := client(t), unique("key"), unique("key")
	sku := put(t, c, 5)
	if !reserve(t, c, released, sku) || !reserve(t, c, committed, sku) {
		t.Fatal("nothing reserved")
	}
	if _, err := c.Release(t.Context(), &stockv1.ReleaseRequest{IdempotencyKey: released}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Commit(t.Context(), &stockv1.CommitRequest{IdempotencyKey: committed}); err != nil {
		t.Fatal(err)
	}
	if item := get(t, c, sku); item.GetOnHand() != 4 || item.GetReserved() != 0 {
		t.Errorf("item %v, want 4 on hand, none reserved", item)
	}
}
