package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"strconv"

	"google.golang.org/grpc"

	cartv1 "gitlab.com/selfcontained/shop/web/gen/cart/v1"
	"gitlab.com/selfcontained/shop/web/internal/api"
	"gitlab.com/selfcontained/shop/web/internal/cart"
	"gitlab.com/selfcontained/shop/web/internal/page"
	"gitlab.com/selfcontained/shop/web/internal/server"
	"gitlab.com/selfcontained/shop/web/internal/tlsfiles"
)

// serve sets everything up, in an order in which each step can still fail
// without a client noticing, and listens last. The cart service is not called:
// this one may start first.
func (a App) serve(ctx context.Context, c config) (err error) {
	log, closeLog, err := openLog(a.Stderr, c.logDir, c.logLevel)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeLog()) }()
	tlsConfig, err := c.tls()
	if err != nil {
		return err
	}
	conn, err := cart.Dial(c.cart, c.cartCAFile, a.Dial...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	all, err := routes(conn, log)
	if err != nil {
		return err
	}
	s := server.New(all, server.Config{Log: log, TLS: tlsConfig})
	if c.dryRun {
		log.Info("dry run: everything is set up", "version", a.Version)
		return nil
	}
	return a.listenAndServe(ctx, c, s, log)
}

func (c *config) tls() (*tls.Config, error) {
	if !c.useTLS {
		return nil, nil
	}
	return tlsfiles.Server(c.certFile, c.keyFile, c.caFile)
}

// routes are those of the page and of the API.
func routes(conn grpc.ClientConnInterface, log *slog.Logger) (map[string]http.Handler, error) {
	all, err := page.Routes()
	if err != nil {
		return nil, err
	}
	maps.Copy(all, api.New(cartv1.NewCartServiceClient(conn), log).Routes())
	return all, nil
}

func (a App) listenAndServe(ctx context.Context, c config, s *server.Server, log *slog.Logger) error {
	l, err := a.Listen(ctx, "tcp", net.JoinHostPort("", strconv.Itoa(int(c.port))))
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	log.Info("serving", "version", a.Version, "address", l.Addr().String(), "tls", c.useTLS, "cart", c.cart, "cart_tls", c.cartCAFile != "")
	if err := s.Serve(ctx, l); err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	log.Info("stopped")
	return nil
}
