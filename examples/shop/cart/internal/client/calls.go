package client

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	cartv1 "gitlab.com/selfcontained/shop/cart/gen/cart/v1"
)

// call is one call of the API with its request.
type call func(context.Context, cartv1.CartServiceClient) (proto.Message, error)

// commands are in the order of the help text.
var commands = []struct {
	name, args, help string
	least, most      int
	parse            func(args []string) (call, error)
}{
	{"list", "[PAGE_TOKEN]", "show what can be had", 0, 1, parseList},
	{"show", "CART", "show a cart", 1, 1, parseShow},
	{"set", "CART SKU QUANTITY", "set how many pieces of an article a cart holds", 3, 3, parseSet},
	{"checkout", "CART", "order a cart", 1, 1, parseCheckout},
}

func usage() string {
	var b strings.Builder
	b.WriteString("cart-client calls the cart service and prints its answer as JSON.\n\nUsage: cart-client [flags] COMMAND\n\nCommands:\n")
	for _, c := range commands {
		fmt.Fprintf(&b, "  %-21s  %s\n", c.name+" "+c.args, c.help)
	}
	b.WriteString("\nFlags:\n" + new(config).flags().FlagUsages())
	b.WriteString("\nExit codes: 0 done, 1 the call failed, 2 wrong usage.\n")
	return b.String()
}

// parseCall checks numbers and the number of arguments; all else is for the
// server to check.
func parseCall(args []string) (call, error) {
	if len(args) == 0 {
		return nil, errors.New("no command is given")
	}
	for _, c := range commands {
		if c.name != args[0] {
			continue
		}
		if n := len(args) - 1; n < c.least || n > c.most {
			return nil, fmt.Errorf("usage: cart-client %s %s", c.name, c.args)
		}
		return c.parse(args[1:])
	}
	return nil, fmt.Errorf("unknown command %q", args[0])
}

func parseList(args []string) (call, error) {
	token := strings.Join(args, "")
	return func(ctx context.Context, c cartv1.CartServiceClient) (proto.Message, error) {
		return c.ListArticles(ctx, &cartv1.ListArticlesRequest{PageToken: token})
	}, nil
}

func parseShow(args []string) (call, error) {
	return func(ctx context.Context, c cartv1.CartServiceClient) (proto.Message, error) {
		return c.GetCart(ctx, &cartv1.GetCartRequest{CartId: args[0]})
	}, nil
}

func parseSet(args []string) (call, error) {
	quantity, err := strconv.ParseInt(args[2], 10, 32)
	if err != nil {
		return nil, fmt.Errorf("quantity: %w", err)
	}
	return func(ctx context.Context, c cartv1.CartServiceClient) (proto.Message, error) {
		return c.SetLine(ctx, &cartv1.SetLineRequest{CartId: args[0], Sku: args[1], Quantity: int32(quantity)})
	}, nil
}

func parseCheckout(args []string) (call, error) {
	return func(ctx context.Context, c cartv1.CartServiceClient) (proto.Message, error) {
		return c.Checkout(ctx, &cartv1.CheckoutRequest{CartId: args[0]})
	}, nil
}
