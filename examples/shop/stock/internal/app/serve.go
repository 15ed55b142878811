package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"

	"gitlab.com/selfcontained/shop/stock/internal/server"
	"gitlab.com/selfcontained/shop/stock/internal/store"
)

// serve sets everything up, in an order in which each step can still fail
// without a client noticing, and listens last.
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
	db, err := store.Open(c.data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	s := server.New(db, server.Config{Log: log, TLS: tlsConfig})
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
	return server.LoadTLS(c.certFile, c.keyFile, c.caFile)
}

func (a App) listenAndServe(ctx context.Context, c config, s *server.Server, log *slog.Logger) error {
	l, err := a.Listen(ctx, "tcp", net.JoinHostPort("", strconv.Itoa(int(c.port))))
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	log.Info("serving", "version", a.Version, "address", l.Addr().String(), "tls", c.useTLS)
	if err := s.Serve(ctx, l); err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	log.Info("stopped")
	return nil
}
