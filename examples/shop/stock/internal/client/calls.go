package client

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	stockv1 "gitlab.com/selfcontained/shop/stock/gen/stock/v1"
)

// call is one call of the API with its request.
type call func(context.Context, stockv1.StockServiceClient) (proto.Message, error)

// commands are in the order of the help text.
var commands = []struct {
	name, args, help string
	least, most      int
	parse            func(args []string) (call, error)
}{
	{"put", "SKU ON_HAND", "set the pieces on hand of an article", 2, 2, parsePut},
	{"get", "SKU", "show an article", 1, 1, parseGet},
	{"list", "[PAGE_TOKEN]", "show articles", 0, 1, parseList},
	{"reserve", "KEY SKU=QUANTITY...", "set pieces aside", 2, 101, parseReserve},
	{"release", "KEY", "make the pieces of a reservation available again", 1, 1, parseRelease},
	{"commit", "KEY", "take the pieces of a reservation off the stock", 1, 1, parseCommit},
}

func usage() string {
	var b strings.Builder
	b.WriteString("stock-client calls the stock service and prints its answer as JSON.\n\nUsage: stock-client [flags] COMMAND\n\nCommands:\n")
	for _, c := range commands {
		fmt.Fprintf(&b, "  %-27s  %s\n", c.name+" "+c.args, c.help)
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
			return nil, fmt.Errorf("usage: stock-client %s %s", c.name, c.args)
		}
		return c.parse(args[1:])
	}
	return nil, fmt.Errorf("unknown command %q", args[0])
}

func parsePut(args []string) (call, error) {
	onHand, err := strconv.ParseInt(args[1], 10, 64)
	if err != nil {
		return nil, fmt.Errorf("pieces on hand: %w", err)
	}
	return func(ctx context.Context, c stockv1.StockServiceClient) (proto.Message, error) {
		return c.PutItem(ctx, &stockv1.PutItemRequest{Sku: args[0], OnHand: onHand})
	}, nil
}

func parseGet(args []string) (call, error) {
	return func(ctx context.Context, c stockv1.StockServiceClient) (proto.Message, error) {
		return c.GetItem(ctx, &stockv1.GetItemRequest{Sku: args[0]})
	}, nil
}

func parseList(args []string) (call, error) {
	token := strings.Join(args, "")
	return func(ctx context.Context, c stockv1.StockServiceClient) (proto.Message, error) {
		return c.ListItems(ctx, &stockv1.ListItemsRequest{PageToken: token})
	}, nil
}

func parseReserve(args []string) (call, error) {
	request := &stockv1.ReserveRequest{IdempotencyKey: args[0]}
	for _, arg := range args[1:] {
		line, err := parseLine(arg)
		if err != nil {
			return nil, err
		}
		request.Lines = append(request.Lines, line)
	}
	return func(ctx context.Context, c stockv1.StockServiceClient) (proto.Message, error) {
		return c.Reserve(ctx, request)
	}, nil
}

// parseLine reads SKU=QUANTITY.
func parseLine(arg string) (*stockv1.Line, error) {
	sku, number, found := strings.Cut(arg, "=")
	quantity, err := strconv.ParseInt(number, 10, 64)
	if !found || err != nil {
		return nil, fmt.Errorf("%q is not SKU=QUANTITY", arg)
	}
	return &stockv1.Line{Sku: sku, Quantity: quantity}, nil
}

func parseRelease(args []string) (call, error) {
	return func(ctx context.Context, c stockv1.StockServiceClient) (proto.Message, error) {
		return c.Release(ctx, &stockv1.ReleaseRequest{IdempotencyKey: args[0]})
	}, nil
}

func parseCommit(args []string) (call, error) {
	return func(ctx context.Context, c stockv1.StockServiceClient) (proto.Message, error) {
		return c.Commit(ctx, &stockv1.CommitRequest{IdempotencyKey: args[0]})
	}, nil
}
