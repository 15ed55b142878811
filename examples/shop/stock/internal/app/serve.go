package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"

	"gitlab.com/selfcontained/shop/stock/internal/server"
	"gitlab.com/selfcontained/shop/stock/internal/stock"
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
	seed, err := c.loadSeed()
	if err != nil {
		return err
	}
	db, err := store.Open(c.data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := sow(ctx, db, seed, log); err != nil {
		return err
	}
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

// loadSeed reads the file of --seed; what is wrong inside it is wrong usage.
func (c *config) loadSeed() (stock.Seed, error) {
	if c.seed == "" {
		return nil, nil
	}
	data, err := os.ReadFile(c.seed)
	if err != nil {
		return nil, fmt.Errorf("read seed: %w", err)
	}
	seed, err := stock.ParseSeed(data)
	if err != nil {
		return nil, &usageError{fmt.Sprintf("--seed %s: %v", c.seed, err)}
	}
	return seed, nil
}

// sow puts the articles of the seed that do not exist yet.
func sow(ctx context.Context, db *store.DB, seed stock.Seed, log *slog.Logger) error {
	if len(seed) == 0 {
		return nil
	}
	created, err := db.Seed(ctx, seed)
	if err != nil {
		return fmt.Errorf("seed: %w", err)
	}
	log.Info("seeded", "articles", len(seed), "created", created)
	return nil
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
	log.Info("serving", "version", a.Version, "address", l.Addr().String(), "tls", c.useTLS)
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
