package server_test

import (
	"errors"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"gitlab.com/selfcontained/shop/stock/internal/server"
	"gitlab.com/selfcontained/shop/stock/internal/stock"
)

// FuzzPageToken: a token is accepted only if it is the one that an SKU has.
func FuzzPageToken(f *testing.F) {
	for _, seed := range []string{"", "YQ", "YR", "Y", "YQ==", "w6Q", "?", "\x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, token string) {
		sku, err := server.ParseToken(token)
		switch {
		case err != nil:
			if !errors.As(err, new(*stock.InvalidError)) || sku != "" {
				t.Errorf("SKU %q, error %v", sku, err)
			}
		case token != "" && server.FormatToken(sku) != token:
			t.Errorf("token %q is read as %q, whose token is %q", token, sku, server.FormatToken(sku))
		}
	})
}

func TestStreamPanicsAreRecovered(t *testing.T) {
	t.Parallel()
	err := server.RecoverStreamPanics(nil, nil, nil, func(any, grpc.ServerStream) error { panic("secret") })
	if status.Code(err) != codes.Internal || status.Convert(err).Message() != "internal error" {
		t.Errorf("error %v", err)
	}
}
