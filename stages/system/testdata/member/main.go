// Command member is a service of the systems that the tests of this package
// make. What it answers lies in its image; how it behaves, its environment says.
package main

import (
	"fmt"
	"net/http"
	"os"
)

func main() {
	answer, err := os.ReadFile("/answer")
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write(answer) })
	http.HandleFunc("/ready", func(w http.ResponseWriter, r *http.Request) {
		if why := unready(); why != "" {
			fmt.Println("not ready:", why)
			http.Error(w, why, http.StatusServiceUnavailable)
		}
	})
	fmt.Println("listening on :8080")
	fmt.Println(http.ListenAndServe(":8080", nil))
	os.Exit(1)
}

// unready says why the service is not ready: it was told not to be, or the one
// that it needs does not answer.
func unready() string {
	if os.Getenv("MODE") == "unready" {
		return "the answer is not known yet"
	}
	peer := os.Getenv("PEER")
	if peer == "" {
		return ""
	}
	r, err := http.Get("http://" + peer + ":8080/")
	if err != nil {
		return err.Error()
	}
	r.Body.Close()
	return ""
}
