// Command gitlabdouble serves the in-process GitLab of gitlabtest on a port, for
// clients that are not written in Go and for trying things out by hand.
//
// It keeps its state in a folder and can be stopped and started again there.
// When it is ready it prints one line of JSON with the address and the tokens;
// SIGTERM or SIGINT ends it. Where PIPELINE_GITLAB_SPECS names the folder with
// GitLab's OpenAPI document, requests that do not fit it are reported on
// standard error. It is for tests: it has no TLS, and anybody who can reach it
// can do what the tokens allow.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
