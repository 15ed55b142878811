// Package itest tests the running service.
package itest

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

func TestGreeting(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a running service")
	}
	resp, err := http.Get(url("/"))
	if got := body(t, resp, err); got != "hello, cluster\n" {
		t.Errorf("got %q: these are not the arguments of the deployment", got)
	}
}

func TestUnknownName(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a running service")
	}
	resp, err := http.Get(url("/count/nothing"))
	if got := body(t, resp, err); !strings.Contains(got, `"sum":0`) {
		t.Errorf("got %s", got)
	}
}
