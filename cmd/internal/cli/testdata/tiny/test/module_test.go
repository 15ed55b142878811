//go:build module || integration

package test

import (
	"io"
	"net/http"
	"os"
	"testing"
)

func TestDouble(t *testing.T) {
	addr := os.Getenv("PIPELINE_ADDR")
	if addr == "" {
		t.Fatal("PIPELINE_ADDR is not set")
	}
	res, err := http.Get("http://" + addr + "/double/21")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || string(body) != "42\n" {
		t.Errorf("got %q, %v, want 42", body, err)
	}
}
