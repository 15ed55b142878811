package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"

	stockv1 "gitlab.com/selfcontained/shop/cart/gen/stock/v1"
	"gitlab.com/selfcontained/shop/cart/internal/server"
	"gitlab.com/selfcontained/shop/cart/internal/shop"
	"gitlab.com/selfcontained/shop/cart/internal/store"
	"gitlab.com/selfcontained/shop/cart/internal/tlsfile"
	"gitlab.com/selfcontained/shop/cart/internal/warehouse"
)

// maxCarts bounds the memory: a cart with the most lines and the longest names
// takes 5 KiB, and the process then about 110 MiB; see the limit in the chart.
const maxCarts = 10_000

// serve sets everything up, in an order in which each step can still fail
// without a client noticing, and listens last. The stock is not called: a
// service can start before its neighbour does.
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
	conn, err := warehouse.Connect(c.stock, c.stockCA, a.DialStock...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	carts := shop.New(store.New(maxCarts, c.cartTTL), warehouse.New(stockv1.NewStockServiceClient(conn)))
	s := server.New(carts, server.Config{Log: log, TLS: tlsConfig})
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
	return tlsfile.Server(c.certFile, c.keyFile, c.caFile)
}

func (a App) listenAndServe(ctx context.Context, c config, s *server.Server, log *slog.Logger) error {
	l, err := a.Listen(ctx, "tcp", net.JoinHostPort("", strconv.Itoa(int(c.port))))
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	log.Info("serving", "version", a.Version, "stock", c.stock, "address", l.Addr().String(), "tls", c.useTLS)
	if err := s.Serve(ctx, l); err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	log.Info("stopped")
	return nil
}
