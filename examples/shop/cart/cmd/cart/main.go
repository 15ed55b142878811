// Command cart keeps the carts of a shop and orders them; see README.md.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"gitlab.com/selfcontained/shop/cart/internal/app"
)

// version is set by the linker: -ldflags "-X main.version=1.2.3".
var version = "dev"

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	return app.New(version, os.Stdout, os.Stderr).Run(ctx, os.Args[1:])
}
