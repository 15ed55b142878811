package app

import (
	"fmt"
	"log/slog"
	"net"

	"github.com/spf13/pflag"
)

// config is what the command line says.
type config struct {
	port       uint16
	cart       string
	cartCAFile string
	useTLS     bool
	certFile   string
	keyFile    string
	caFile     string
	logDir     string
	logLevel   slog.Level
	dryRun     bool
	version    bool
	help       bool
}

// usageError is a mistake in the command line.
type usageError struct{ reason string }

func (e *usageError) Error() string { return e.reason + "; see web --help" }

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
	f := pflag.NewFlagSet("web", pflag.ContinueOnError)
	f.SortFlags = false
	f.Usage = func() {} // Run reports a mistake once
	f.Uint16VarP(&c.port, "port", "p", 8080, "port to listen on; 0: any that is free")
	f.StringVar(&c.cart, "cart", "cart:50052", "`host:port` of the cart service")
	f.StringVar(&c.cartCAFile, "cart-cafile", "", "PEM file with the CA of the cart service's certificate;\nempty: plain text")
	f.BoolVarP(&c.useTLS, "usetls", "t", false, "serve HTTPS only; needs --certfile and --privkeyfile")
	f.StringVarP(&c.certFile, "certfile", "c", "", "PEM file with the server's certificate chain")
	f.StringVarP(&c.keyFile, "privkeyfile", "k", "", "PEM file with the server's private key")
	f.StringVarP(&c.caFile, "cafile", "a", "", "PEM file with CA certificates; clients' certificates,\nif they show one, are verified against them")
	f.StringVarP(&c.logDir, "logdir", "d", "", "folder for a copy of the log, web.log")
	f.TextVarP(&c.logLevel, "loglevel", "l", slog.LevelInfo, "least `level` to log: debug, info, warn or error")
	f.BoolVarP(&c.dryRun, "dry-run", "n", false, "set up everything, do not listen, exit")
	f.BoolVarP(&c.version, "version", "v", false, "print the version")
	f.BoolVarP(&c.help, "help", "h", false, "print this help")
	return f
}

func (c *config) check(args []string) error {
	if len(args) > 0 {
		return &usageError{fmt.Sprintf("unexpected arguments %q", args)}
	}
	if host, port, err := net.SplitHostPort(c.cart); err != nil || host == "" || port == "" {
		return &usageError{fmt.Sprintf("--cart must be host:port, not %q", c.cart)}
	}
	return c.checkTLS()
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

func usage() string {
	return `web is the shop's page and HTTP API. It calls the cart service over gRPC.

Usage:
  web [flags]            serve until SIGTERM or SIGINT

Flags:
` + new(config).flags().FlagUsages() + `
Exit codes: 0 done, 1 failed, 2 wrong usage.
The demo client, web-client, has --client-ip and --client-port.
`
}
