package client

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// call is one request of the API.
type call struct {
	method, path string
	body         []byte
}

// commands are in the order of the help text.
var commands = []struct {
	name, args, help string
	least, most      int
	parse            func(args []string) (call, error)
}{
	{"list", "[PAGE_TOKEN]", "show what the shop offers", 0, 1, parseList},
	{"show", "CART", "show a cart", 1, 1, parseShow},
	{"put", "CART SKU QUANTITY", "set how many pieces of an article a cart holds", 3, 3, parsePut},
	{"remove", "CART SKU", "take an article out of a cart", 2, 2, parseRemove},
	{"checkout", "CART", "order what a cart holds", 1, 1, parseCheckout},
}

func usage() string {
	var b strings.Builder
	b.WriteString("web-client calls the shop's HTTP API and prints its answer.\n\nUsage: web-client [flags] COMMAND\n\nCommands:\n")
	for _, c := range commands {
		fmt.Fprintf(&b, "  %-23s  %s\n", c.name+" "+c.args, c.help)
	}
	b.WriteString("\nFlags:\n" + new(config).flags().FlagUsages())
	b.WriteString("\nExit codes: 0 done, 1 the call failed, 2 wrong usage.\n")
	return b.String()
}

// parseCall checks numbers and the number of arguments; all else is for the
// server to check.
func parseCall(args []string) (call, error) {
	if len(args) == 0 {
		return call{}, errors.New("no command is given")
	}
	for _, c := range commands {
		if c.name != args[0] {
			continue
		}
		if n := len(args) - 1; n < c.least || n > c.most {
			return call{}, fmt.Errorf("usage: web-client %s %s", c.name, c.args)
		}
		return c.parse(args[1:])
	}
	return call{}, fmt.Errorf("unknown command %q", args[0])
}

func parseList(args []string) (call, error) {
	query := url.Values{"page_token": {strings.Join(args, "")}}
	return call{method: http.MethodGet, path: "/api/articles?" + query.Encode()}, nil
}

func parseShow(args []string) (call, error) {
	return call{method: http.MethodGet, path: cartPath(args)}, nil
}

func parsePut(args []string) (call, error) {
	quantity, err := strconv.ParseInt(args[2], 10, 32)
	if err != nil {
		return call{}, fmt.Errorf("quantity: %w", err)
	}
	return call{http.MethodPut, linePath(args), fmt.Appendf(nil, `{"quantity":%d}`, quantity)}, nil
}

func parseRemove(args []string) (call, error) {
	return call{method: http.MethodDelete, path: linePath(args)}, nil
}

func parseCheckout(args []string) (call, error) {
	return call{method: http.MethodPost, path: cartPath(args) + "/checkout"}, nil
}

func cartPath(args []string) string { return "/api/carts/" + url.PathEscape(args[0]) }

func linePath(args []string) string { return cartPath(args) + "/lines/" + url.PathEscape(args[1]) }
