package server

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/peer"
)

// unaryChain is read from top to bottom: the first sees a request first and
// its answer last. The log sees the cause of an error, the client its status.
func unaryChain(log *slog.Logger, maxCall time.Duration) grpc.ServerOption {
	return grpc.ChainUnaryInterceptor(
		convertErrors,
		logCalls(log),
		recoverPanics,
		limitTime(maxCall),
	)
}

func convertErrors(ctx context.Context, request any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	answer, err := next(ctx, request)
	if err != nil {
		return nil, toStatus(err).Err()
	}
	return answer, nil
}

// logCalls logs one line for each call, never a payload and never metadata:
// they may hold what is secret.
func logCalls(log *slog.Logger) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, request any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		start := time.Now()
		answer, err := next(ctx, request)
		logCall(ctx, log, info.FullMethod, time.Since(start), err)
		return answer, err
	}
}

func logCall(ctx context.Context, log *slog.Logger, method string, duration time.Duration, err error) {
	code := toStatus(err).Code()
	attrs := []slog.Attr{
		slog.String("method", method),
		slog.String("code", code.String()),
		slog.Float64("duration_ms", float64(duration)/float64(time.Millisecond)),
		slog.String("peer", peerAddress(ctx)),
	}
	if levelOf(method, code) >= slog.LevelWarn {
		attrs = append(attrs, slog.Any("error", err))
	}
	log.LogAttrs(ctx, levelOf(method, code), "call", attrs...)
}

// levelOf keeps probes, which come every second, out of ordinary logs. Warnings
// and errors are logged with their cause.
func levelOf(method string, code codes.Code) slog.Level {
	switch {
	case code == codes.Internal:
		return slog.LevelError
	case code == codes.Unavailable:
		return slog.LevelWarn
	case strings.HasPrefix(method, "/"+healthv1.Health_ServiceDesc.ServiceName+"/"):
		return slog.LevelDebug
	}
	return slog.LevelInfo
}

func peerAddress(ctx context.Context) string {
	if p, ok := peer.FromContext(ctx); ok {
		return p.Addr.String()
	}
	return ""
}

// recoverPanics lets one faulty request fail alone.
func recoverPanics(ctx context.Context, request any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (answer any, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = panicError(p)
		}
	}()
	return next(ctx, request)
}

// recoverStreamPanics is recoverPanics for streams: the health service has one.
func recoverStreamPanics(service any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = toStatus(panicError(p)).Err()
		}
	}()
	return next(service, stream)
}

// panicError names the panic and where it happened. The value of a panic that
// the runtime did not raise may hold a payload: only its type is told.
func panicError(p any) error {
	what := fmt.Sprintf("%T", p)
	if err, ok := p.(runtime.Error); ok {
		what = err.Error()
	}
	return fmt.Errorf("panic: %s\n%s", what, debug.Stack())
}

// limitTime bounds calls of clients that set no deadline, or a very long one.
func limitTime(limit time.Duration) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, request any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		ctx, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		return next(ctx, request)
	}
}
