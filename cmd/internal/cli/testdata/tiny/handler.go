package main

import (
	"fmt"
	"net/http"
)

func handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /double/{n}", func(w http.ResponseWriter, r *http.Request) {
		var n int
		if _, err := fmt.Sscan(r.PathValue("n"), &n); err != nil {
			http.Error(w, "n is no number", http.StatusBadRequest)
			return
		}
		fmt.Fprintln(w, double(n))
	})
	return mux
}

func double(n int) int { return 2 * n }
