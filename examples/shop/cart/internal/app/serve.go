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
	l, err := a.listen(ctx, c.port)
	if err != nil {
		return err
	}
	health, err := a.listenHealth(ctx, c.healthPort, log)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	log.Info("serving", "version", a.Version, "stock", c.stock, "address", l.Addr().String(), "tls", c.useTLS)
	if err := s.Serve(ctx, l, health); err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	log.Info("stopped")
	return nil
}

func (a App) listen(ctx context.Context, port uint16) (net.Listener, error) {
	l, err := a.Listen(ctx, "tcp", net.JoinHostPort("", strconv.Itoa(int(port))))
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	return l, nil
}

// listenHealth returns nil without a health port.
func (a App) listenHealth(ctx context.Context, port uint16, log *slog.Logger) (net.Listener, error) {
	if port == 0 {
		return nil, nil
	}
	l, err := a.listen(ctx, port)
	if err != nil {
		return nil, err
	}
	log.Info("serving health", "address", l.Addr().String())
	return l, nil
}
