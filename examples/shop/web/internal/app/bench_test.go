package app_test

import (
	"io"
	"net/http"
	"testing"
)

// The benchmarks measure the whole program with HTTP over the loopback interface
// on one side and gRPC in memory on the other; the cart service does nothing.

func BenchmarkGetCartOneClient(b *testing.B) {
	p := benchProgram(b)
	transport := p.transport(b)
	for b.Loop() {
		fetch(b, transport, "http://web/api/carts/c")
	}
}

func BenchmarkGetCartManyClients(b *testing.B) {
	p := benchProgram(b)
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		transport := p.transport(b) // a connection of its own
		for pb.Next() {
			fetch(b, transport, "http://web/api/carts/c")
		}
	})
}

func BenchmarkPageOneClient(b *testing.B) {
	p := benchProgram(b)
	transport := p.transport(b)
	for b.Loop() {
		fetch(b, transport, "http://web/")
	}
}

func BenchmarkPageManyClients(b *testing.B) {
	p := benchProgram(b)
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		transport := p.transport(b)
		for pb.Next() {
			fetch(b, transport, "http://web/")
		}
	})
}

func benchProgram(b *testing.B) *program {
	b.Helper()
	p := newProgram(b).withShop(b)
	p.serve(b, "--loglevel", "error")
	<-p.listening
	b.ReportAllocs()
	return p
}

func fetch(b *testing.B, transport http.RoundTripper, url string) {
	request, err := http.NewRequestWithContext(b.Context(), http.MethodGet, url, nil)
	if err != nil {
		b.Error(err)
		return
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		b.Error(err)
		return
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil || response.StatusCode != http.StatusOK {
		b.Errorf("status %d, error %v", response.StatusCode, err)
	}
}
