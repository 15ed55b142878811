package module

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/stages/module/instance"
)

// probe is one way to ask whether a program is ready.
type probe struct {
	name  string
	check func(ctx context.Context, inst instance.Instance) error
}

// probeTime bounds one question.
const probeTime = 2 * time.Second

// probeOf returns the probe that a setting names: "grpc", "tcp" (also when it
// is empty) or "http:/path".
func probeOf(setting string) (probe, error) {
	kind, path, _ := strings.Cut(setting, ":")
	switch {
	case setting == "", setting == "tcp":
		return probe{"tcp", func(ctx context.Context, inst instance.Instance) error { return answers(ctx, inst, likely) }}, nil
	case setting == "grpc":
		return probe{"grpc", func(ctx context.Context, inst instance.Instance) error { return grpcServing(ctx, inst.Addr()) }}, nil
	case kind == "http" && strings.HasPrefix(path, "/"):
		return probe{setting, func(ctx context.Context, inst instance.Instance) error { return httpOK(ctx, inst.Addr(), path) }}, nil
	}
	return probe{}, &pipeline.NotTested{
		Why:    fmt.Sprintf("stages.module.ready: %q is no probe", setting),
		Remedy: `write "grpc", "tcp" or "http:/path"`,
	}
}

// httpOK asks for a path and wants a status of the class 2xx.
func httpOK(ctx context.Context, addr, path string) error {
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+path, nil)
	if err != nil {
		return err
	}
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("GET %s: %s", path, resp.Status)
	}
	return nil
}

// grpcServing asks grpc.health.v1.Health/Check about the server as a whole.
//
// The one call is made of what it consists of (gRPC over HTTP/2, "PROTOCOL-
// HTTP2.md"; health.proto): request and answer are a message of a five-byte
// prefix, an empty HealthCheckRequest and a HealthCheckResponse whose field 1
// is the status, 1 meaning SERVING.
func grpcServing(ctx context.Context, addr string) error {
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+addr+"/grpc.health.v1.Health/Check", bytes.NewReader(make([]byte, 5)))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/grpc")
	req.Header.Set("TE", "trailers")
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	defer transport.CloseIdleConnections()
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return fmt.Errorf("gRPC health check: %w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
	if err != nil {
		return fmt.Errorf("gRPC health check: %w", err)
	}
	return healthStatus(resp, body)
}

func healthStatus(resp *http.Response, body []byte) error {
	status, message := resp.Trailer.Get("Grpc-Status"), resp.Trailer.Get("Grpc-Message")
	if status == "" { // an answer without a message has them in the header
		status, message = resp.Header.Get("Grpc-Status"), resp.Header.Get("Grpc-Message")
	}
	switch {
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("gRPC health check: HTTP status %s", resp.Status)
	case status == "12":
		return fmt.Errorf("gRPC health check: the server does not implement grpc.health.v1.Health (%s)", message)
	case status != "0":
		return fmt.Errorf("gRPC health check: status %q %s", status, message)
	case len(body) < 7 || body[5] != 1<<3 || body[6] != 1:
		return fmt.Errorf("gRPC health check: not SERVING (%x)", body)
	}
	return nil
}
