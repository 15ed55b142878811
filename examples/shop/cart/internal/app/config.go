package app

import (
	"cmp"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/spf13/pflag"
)

// healthCommand is the only sub-command; without one the program serves.
const healthCommand = "health"

// config is what the command line says.
type config struct {
	command    string
	port       uint16
	healthPort uint16
	useTLS     bool
	certFile   string
	keyFile    string
	caFile     string
	stock      string
	stockCA    string
	cartTTL    time.Duration
	logDir     string
	logLevel   slog.Level
	dryRun     bool
	version    bool
	help       bool
}

// usageError is a mistake in the command line.
type usageError struct{ reason string }

func (e *usageError) Error() string { return e.reason + "; see cart --help" }

func parse(args []string) (config, error) {
	c := config{}
	flags := c.flags()
	if err := flags.Parse(args); err != nil {
		return c, &usageError{err.Error()}
	}
	if c.help || c.version {
		return c, nil
	}
	return c, c.check(flags.Args())
}

// flags binds the flags to c.
func (c *config) flags() *pflag.FlagSet {
	f := pflag.NewFlagSet("cart", pflag.ContinueOnError)
	f.SortFlags = false
	f.Usage = func() {} // Run reports a mistake once
	f.Uint16VarP(&c.port, "port", "p", 50052, "port to listen on; 0: any that is free")
	f.Uint16Var(&c.healthPort, "health-port", 0, "port that answers health checks alone, always in plain text;\n0: none")
	f.StringVar(&c.stock, "stock", "stock:50051", "address of the stock service, host:port")
	f.StringVar(&c.stockCA, "stock-cafile", "", "PEM file with CA certificates; the stock is called with TLS\nand verified against them; empty: plain text")
	f.DurationVar(&c.cartTTL, "cart-ttl", 24*time.Hour, "how long a cart that nobody touches is kept")
	f.BoolVarP(&c.useTLS, "usetls", "t", false, "serve TLS only; needs --certfile and --privkeyfile")
	f.StringVarP(&c.certFile, "certfile", "c", "", "PEM file with the server's certificate chain")
	f.StringVarP(&c.keyFile, "privkeyfile", "k", "", "PEM file with the server's private key")
	f.StringVarP(&c.caFile, "cafile", "a", "", "PEM file with CA certificates; clients' certificates,\nif they show one, are verified against them")
	f.StringVarP(&c.logDir, "logdir", "d", "", "folder for a copy of the log, cart.log")
	f.TextVarP(&c.logLevel, "loglevel", "l", slog.LevelInfo, "least `level` to log: debug, info, warn or error")
	f.BoolVarP(&c.dryRun, "dry-run", "n", false, "set up everything, do not listen, exit")
	f.BoolVarP(&c.version, "version", "v", false, "print the version")
	f.BoolVarP(&c.help, "help", "h", false, "print this help")
	return f
}

func (c *config) check(args []string) error {
	if len(args) > 1 || len(args) == 1 && args[0] != healthCommand {
		return &usageError{fmt.Sprintf("unexpected arguments %q", args)}
	}
	if len(args) == 1 {
		c.command = healthCommand
		return nil
	}
	return cmp.Or(c.checkPorts(), c.checkTLS(), c.checkValues())
}

// checkPorts lets both be 0: any that is free, and none.
func (c *config) checkPorts() error {
	if c.port != 0 && c.port == c.healthPort {
		return &usageError{"--port and --health-port must differ"}
	}
	return nil
}

// checkTLS refuses files without --usetls: whoever names a key expects TLS, and
// plain text would go unnoticed.
func (c *config) checkTLS() error {
	switch {
	case c.useTLS && (c.certFile == "" || c.keyFile == ""):
		return &usageError{"--usetls needs --certfile and --privkeyfile"}
	case !c.useTLS && c.certFile+c.keyFile+c.caFile != "":
		return &usageError{"--certfile, --privkeyfile and --cafile need --usetls"}
	}
	return nil
}

// checkValues: a cart must outlive the checkout that works on it.
func (c *config) checkValues() error {
	if _, _, err := net.SplitHostPort(c.stock); err != nil {
		return &usageError{fmt.Sprintf("--stock: expected host:port: %v", err)}
	}
	if c.cartTTL < time.Minute {
		return &usageError{"--cart-ttl: expected 1m or more"}
	}
	return nil
}

func usage() string {
	return `cart keeps the carts of a shop, orders them from the stock service, and
serves them over gRPC.

Usage:
  cart [flags]          serve until SIGTERM or SIGINT
  cart health [flags]   ask the server on --port of this machine for its health
                        (with --usetls over TLS); exit code 0: it is serving

Flags:
` + new(config).flags().FlagUsages() + `
Exit codes: 0 done, 1 failed, 2 wrong usage.
The demo client, cart-client, has --client-ip and --client-port.
`
}
