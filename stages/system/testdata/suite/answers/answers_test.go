//go:build acceptance

package answers

import (
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
)

func get(t *testing.T, addr string) string {
	t.Helper()
	r, err := http.Get("http://" + addr + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestStock(t *testing.T) {
	if got := get(t, os.Getenv("PIPELINE_ADDR_STOCK")); !strings.HasPrefix(got, "stock "+os.Getenv("PIPELINE_VERSION_STOCK")+" ") {
		t.Errorf("stock answers %q", got)
	}
}

func TestCart(t *testing.T) {
	if got := get(t, os.Getenv("PIPELINE_ADDR_CART")); !strings.HasPrefix(got, "cart "+os.Getenv("PIPELINE_VERSION_CART")+" ") {
		t.Errorf("cart answers %q", got)
	}
}
