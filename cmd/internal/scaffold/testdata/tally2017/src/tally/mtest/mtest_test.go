// Package mtest tests the running service.
package mtest

import (
	"flag"
	"fmt"
	"io/ioutil"
	"net/http"
	"strings"
	"testing"
)

var (
	ip   = flag.String("ip", "127.0.0.1", "address of the service")
	port = flag.Int("port", 8080, "port of the service")
)

func url(path string) string { return fmt.Sprintf("http://%s:%d%s", *ip, *port, path) }

func body(t *testing.T, resp *http.Response, err error) string {
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := ioutil.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestCounts(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a running service")
	}
	for _, want := range []string{`"sum":1`, `"sum":2`} {
		resp, err := http.Post(url("/count/module"), "text/plain", nil)
		if got := body(t, resp, err); !strings.Contains(got, want) {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
