package kindtest

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/client-go/discovery"
)

// TestQuiet runs everything that asks an API server which is broken for what it
// offers, and looks that nobody wrote to stderr. It must not run beside tests
// that do.
func TestQuiet(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/version" {
			_, _ = io.WriteString(w, `{"gitVersion":"v1.36.3"}`)
			return
		}
		w.Header().Set("Warning", `299 - "this is old"`)
		http.Error(w, "broken", http.StatusServiceUnavailable)
	}))
	defer server.Close()
	path := filepath.Join(t.TempDir(), "config")
	text := strings.ReplaceAll("apiVersion: v1\nkind: Config\ncurrent-context: a\nclusters: [{name: c, cluster: {server: SERVER}}]\ncontexts: [{name: a, context: {cluster: c}}]\n", "SERVER", server.URL)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	written := captureStderr(t, func() {
		c, err := Open(context.Background(), "x", path, nil)
		if err != nil {
			t.Error(err)
			return
		}
		l := &Lease{Namespace: "n", cluster: c}
		if err := l.InstallChart(context.Background(), Chart{Release: "r", Path: writeChart(t, "a: b\n")}); err == nil {
			t.Error("a chart was installed in a broken cluster")
		}
		if err := l.Apply(context.Background(), "f", []byte("apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n")); err == nil {
			t.Error("a pod was applied to a broken cluster")
		}
		var d discovery.DiscoveryInterface = c.discovery
		_, err1 := d.ServerPreferredResources()
		_, err2 := d.ServerPreferredNamespacedResources()
		_, err3 := d.ServerResourcesForGroupVersion("v1")
		if err1 == nil || err2 == nil || err3 == nil {
			t.Errorf("%v, %v, %v", err1, err2, err3)
		}
	})
	if written != "" {
		t.Errorf("stderr: %s", written)
	}
}

func captureStderr(t *testing.T, do func()) string {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	read := make(chan string)
	go func() {
		var b bytes.Buffer
		_, _ = io.Copy(&b, r)
		read <- b.String()
	}()
	old := os.Stderr
	os.Stderr = w
	do()
	os.Stderr = old
	w.Close()
	return <-read
}
