// Command tiny is the smallest service that has everything a stage looks at.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
)

var version = "dev"

func main() {
	showVersion := flag.Bool("version", false, "print the version")
	dryRun := flag.Bool("dry-run", false, "set up, do not listen")
	port := flag.String("port", "8080", "port to listen on")
	flag.Parse()
	if *showVersion {
		fmt.Println("tiny", version)
		return
	}
	if err := serve(*port, *dryRun); err != nil {
		fmt.Fprintln(os.Stderr, "tiny:", err)
		os.Exit(1)
	}
}

func serve(port string, dryRun bool) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	server := &http.Server{Handler: handler()}
	if dryRun {
		return nil
	}
	l, err := net.Listen("tcp", ":"+port)
	if err != nil {
		return err
	}
	go func() {
		<-ctx.Done()
		_ = server.Shutdown(context.Background())
	}()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
