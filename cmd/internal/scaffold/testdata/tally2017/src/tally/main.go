// Tally counts things by name.
package main

import (
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"tally/counter"
	"tally/handler"
)

var version = "dev"

func main() {
	port := flag.Int("port", 8080, "port to listen on")
	greeting := flag.String("greeting", "hello", "answer to GET /")
	showVersion := flag.Bool("version", false, "print the version")
	flag.Parse()
	if *showVersion {
		fmt.Println("tally", version)
		return
	}
	max, err := strconv.Atoi(os.Getenv("TALLY_MAX"))
	if err != nil {
		max = 1 << 20
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, os.Interrupt)
	failed := make(chan error, 1)
	go func() {
		failed <- http.ListenAndServe(fmt.Sprintf(":%d", *port), handler.New(counter.New(max), *greeting))
	}()
	log.Printf("tally %s listens on port %d", version, *port)
	select {
	case err := <-failed:
		log.Fatal(err)
	case <-stop:
		log.Print("stopped")
	}
}
