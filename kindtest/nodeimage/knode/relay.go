//go:build linux

package main

import (
	"io"
	"net"
	"time"
)

// queryTime is how long an upstream name server may take.
const queryTime = 5 * time.Second

// relay passes DNS over UDP and TCP from listen to upstream, from now on.
func relay(listen, upstream string, log *logger) error {
	packets, err := net.ListenPacket("udp", listen)
	if err != nil {
		return err
	}
	streams, err := net.Listen("tcp", listen)
	if err != nil {
		_ = packets.Close()
		return err
	}
	go func() { log.note(relayPackets(packets, upstream)) }()
	go func() { log.note(relayStreams(streams, upstream)) }()
	return nil
}

// relayPackets relays until the connection is closed.
func relayPackets(pc net.PacketConn, upstream string) error {
	buf := make([]byte, 65535)
	for {
		n, from, err := pc.ReadFrom(buf)
		if err != nil {
			return err
		}
		query := append([]byte(nil), buf[:n]...)
		go func() {
			if reply, err := exchange(query, upstream); err == nil {
				_, _ = pc.WriteTo(reply, from)
			}
			// No reply is what a resolver expects of a server that is away.
		}()
	}
}

func exchange(query []byte, upstream string) ([]byte, error) {
	c, err := net.DialTimeout("udp", upstream, queryTime)
	if err != nil {
		return nil, err
	}
	defer func() { _ = c.Close() }()
	if err := c.SetDeadline(time.Now().Add(queryTime)); err != nil {
		return nil, err
	}
	if _, err := c.Write(query); err != nil {
		return nil, err
	}
	reply := make([]byte, 65535)
	n, err := c.Read(reply)
	return reply[:n], err
}

// relayStreams relays until the listener is closed.
func relayStreams(l net.Listener, upstream string) error {
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go relayStream(c, upstream)
	}
}

func relayStream(c net.Conn, upstream string) {
	defer func() { _ = c.Close() }()
	u, err := net.DialTimeout("tcp", upstream, queryTime)
	if err != nil {
		return
	}
	defer func() { _ = u.Close() }()
	go func() {
		_, _ = io.Copy(u, c)
		if t, ok := u.(*net.TCPConn); ok {
			_ = t.CloseWrite()
		}
	}()
	_, _ = io.Copy(c, u)
}
