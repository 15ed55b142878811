//go:build linux

package main

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

// TestRelayPackets asks an upstream through the relay, twice at once.
func TestRelayPackets(t *testing.T) {
	upstream := listenPacket(t)
	go func() {
		buf := make([]byte, 512)
		for {
			n, from, err := upstream.ReadFrom(buf)
			if err != nil {
				return
			}
			_, _ = upstream.WriteTo(append([]byte("answer to "), buf[:n]...), from)
		}
	}()
	front := listenPacket(t)
	ended := make(chan error, 1)
	go func() { ended <- relayPackets(front, upstream.LocalAddr().String()) }()
	for _, q := range []string{"one", "two"} {
		got, err := exchange([]byte(q), front.LocalAddr().String())
		if err != nil || string(got) != "answer to "+q {
			t.Errorf("%q, %v", got, err)
		}
	}
	_ = front.Close()
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("ended with %v", err)
	}
}

func TestRelayStreams(t *testing.T) {
	upstream, front := listen(t), listen(t)
	go func() {
		c, err := upstream.Accept()
		if err != nil {
			return
		}
		defer func() { _ = c.Close() }()
		query, _ := io.ReadAll(c) // ends when the relay hands the end on
		_, _ = c.Write(append([]byte("answer to "), query...))
	}()
	ended := make(chan error, 1)
	go func() { ended <- relayStreams(front, upstream.Addr().String()) }()
	c, err := net.Dial("tcp", front.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if err := c.SetDeadline(time.Now().Add(queryTime)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write([]byte("question")); err != nil {
		t.Fatal(err)
	}
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(c); err != nil || string(got) != "answer to question" {
		t.Errorf("%q, %v", got, err)
	}
	_ = front.Close()
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("ended with %v", err)
	}
}

// TestRelayStreamWithoutUpstream wants the client's connection closed.
func TestRelayStreamWithoutUpstream(t *testing.T) {
	closed := listen(t)
	_ = closed.Close()
	client, server := net.Pipe()
	go relayStream(server, closed.Addr().String())
	if _, err := client.Read(make([]byte, 1)); err == nil {
		t.Error("read from a relay without upstream")
	}
}

func TestRelayNeedsTheAddress(t *testing.T) {
	taken := listen(t)
	if err := relay(taken.Addr().String(), "127.0.0.1:1", newLogger(io.Discard)); err == nil {
		t.Error("no error for an address in use")
	}
}

func listenPacket(t *testing.T) net.PacketConn {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pc.Close() })
	return pc
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}
