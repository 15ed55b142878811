// Package app is the program around the server: flags, logs, TLS files, the
// connection to the stock, and their order. Everything from outside comes in by the fields of
// App, so that tests run the whole program without a network.
package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"

	"google.golang.org/grpc"
)

// Exit codes of the program.
const (
	ExitOK     = 0
	ExitFailed = 1
	ExitUsage  = 2
)

// App runs the program.
type App struct {
	// Version is what --version prints.
	Version string
	// Stdout receives results, Stderr logs and errors.
	Stdout, Stderr io.Writer
	// Listen opens the server's listener, then that of the health port.
	Listen func(ctx context.Context, network, address string) (net.Listener, error)
	// Dial are additional options of the health probe's connection, DialStock of
	// the one to the stock.
	Dial, DialStock []grpc.DialOption
}

// New returns an App that uses the network of the machine.
func New(version string, stdout, stderr io.Writer) App {
	return App{
		Version: version,
		Stdout:  stdout,
		Stderr:  stderr,
		Listen:  new(net.ListenConfig).Listen,
	}
}

// Run does what args ask for, until it is done or ctx ends, and returns the
// exit code. The end of ctx is the ordinary end of a server: code 0.
func (a App) Run(ctx context.Context, args []string) int {
	c, err := parse(args)
	if err == nil {
		err = a.run(ctx, c)
	}
	if err == nil {
		return ExitOK
	}
	fmt.Fprintln(a.Stderr, "cart:", err)
	if errors.As(err, new(*usageError)) {
		return ExitUsage
	}
	return ExitFailed
}

func (a App) run(ctx context.Context, c config) error {
	switch {
	case c.help:
		_, err := fmt.Fprint(a.Stdout, usage())
		return err
	case c.version:
		_, err := fmt.Fprintln(a.Stdout, "cart", a.Version)
		return err
	case c.command == healthCommand:
		return a.probe(ctx, c)
	}
	return a.serve(ctx, c)
}
