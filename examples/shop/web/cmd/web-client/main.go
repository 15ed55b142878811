// Command web-client is a demo client of the shop's HTTP API; see README.md.
package main

import (
	"context"
	"os"
	"os/signal"

	"gitlab.com/selfcontained/shop/web/internal/client"
)

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	return client.New(os.Stdout, os.Stderr).Run(ctx, os.Args[1:])
}
