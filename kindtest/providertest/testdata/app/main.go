// Command app is what the tests run in pods. Its first argument says how it
// behaves: serve, unready, crash, get URL.
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
)

func main() {
	mode := "serve"
	if len(os.Args) > 1 {
		mode = os.Args[1]
	}
	switch mode {
	case "crash":
		fmt.Println("reading the configuration")
		fmt.Println("fatal: no route to the answer")
		os.Exit(7)
	case "get":
		os.Exit(get(os.Args[2]))
	}
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		name, _ := os.Hostname()
		fmt.Fprintf(w, "%s %s", os.Getenv("ANSWER"), name)
	})
	http.HandleFunc("/ready", func(w http.ResponseWriter, r *http.Request) {
		if mode == "unready" {
			http.Error(w, "the answer is not known yet", http.StatusServiceUnavailable)
		}
	})
	fmt.Println("listening on :8080")
	fmt.Println(http.ListenAndServe(":8080", nil))
	os.Exit(1)
}

func get(url string) int {
	r, err := http.Get(url)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer r.Body.Close()
	_, _ = io.Copy(os.Stdout, r.Body)
	return 0
}
