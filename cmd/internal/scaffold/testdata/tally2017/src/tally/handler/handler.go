// Package handler is the HTTP interface.
package handler

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"

	"tally/counter"
)

// Answer is what /count/NAME answers.
type Answer struct {
	Name string `json:"name"`
	Sum  int    `json:"sum"`
}

// New returns the handler of all paths.
func New(c *counter.Counter, greeting string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, greeting+"\n") })
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "ok\n") })
	mux.HandleFunc("/count/", func(w http.ResponseWriter, r *http.Request) { count(c, w, r) })
	return mux
}

func count(c *counter.Counter, w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, "/count/")
	sum := c.Sum(name)
	if r.Method == http.MethodPost {
		var err error
		if sum, err = c.Add(name); err != nil {
			http.Error(w, err.Error(), http.StatusInsufficientStorage)
			return
		}
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(Answer{Name: name, Sum: sum})
}
