package sandbox

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"
)

// listen opens a loopback port of the host and relays what arrives there to
// the port inside. A connection that has no answer inside is reset.
func (p *process) listen(ctx context.Context) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("address for the sandbox: %w", err)
	}
	p.addr = l.Addr().String()
	go func() {
		select {
		case <-p.done:
		case <-ctx.Done():
		}
		l.Close()
	}()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go p.relay(ctx, conn)
		}
	}()
	return nil
}

func (p *process) relay(ctx context.Context, outside net.Conn) {
	defer outside.Close()
	inside, err := p.Dial(ctx)
	if err != nil {
		if tcp, ok := outside.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		return
	}
	defer inside.Close()
	stop := context.AfterFunc(ctx, func() {
		outside.Close()
		inside.Close()
	})
	defer stop()
	var both sync.WaitGroup
	both.Go(func() { pass(inside, outside) })
	both.Go(func() { pass(outside, inside) })
	both.Wait()
}

// pass copies one direction and passes its end on.
func pass(to, from net.Conn) {
	_, _ = io.Copy(to, from)
	if half, ok := to.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
}
