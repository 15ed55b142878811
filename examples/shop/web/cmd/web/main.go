// Command web is the shop's page and HTTP API; see README.md.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"gitlab.com/selfcontained/shop/web/internal/app"
)

// version is set by the linker: -ldflags "-X main.version=1.2.3".
var version = "dev"

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	return app.New(version, os.Stdout, os.Stderr).Run(ctx, os.Args[1:])
}
