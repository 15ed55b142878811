package existing

import (
	"context"
	"errors"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"gitlab.com/selfcontained/pipeline/kindtest"
	"gitlab.com/selfcontained/pipeline/kindtest/providertest"
)

func newTest(t *testing.T, o Options) *Provider {
	t.Helper()
	o.CacheDir = t.TempDir()
	p, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestEnsureErrors(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config")
	text := "apiVersion: v1\nkind: Config\nclusters: [{name: c, cluster: {server: \"http://127.0.0.1:1\"}}]\ncontexts: [{name: a, context: {cluster: c}}]\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ path, context, says string }{
		{file + ".no", "", "no such file"},
		{file, "b", "there is: a"},
		{file, "a", "cluster existing-a does not answer"},
	} {
		_, err := newTest(t, Options{Kubeconfig: c.path, Context: c.context}).Ensure(context.Background())
		var e *kindtest.EnvironmentError
		if !errors.As(err, &e) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestDeleteRefuses(t *testing.T) {
	var e *kindtest.EnvironmentError
	if err := newTest(t, Options{Context: "c"}).Delete(context.Background()); !errors.As(err, &e) {
		t.Errorf("%v", err)
	}
}

// TestPush checks that the bundle arrives as it is, and once.
func TestPush(t *testing.T) {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	bundle := providertest.BuildBundle(t, "pushed")
	host := strings.TrimPrefix(server.URL, "http://")
	l := loader{newTest(t, Options{Registry: host + "/team/"})}
	loaded, err := l.push(context.Background(), bundle.Layout, bundle.Digest, "pipeline.local/shop/web:1")
	if err != nil || loaded.Ref != host+"/team/web@"+bundle.Digest || loaded.Skipped {
		t.Fatalf("%+v, %v", loaded, err)
	}
	ref, err := name.ParseReference(loaded.Ref)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := remote.Index(ref); err != nil {
		t.Error(err)
	} else if m, err := got.IndexManifest(); err != nil || len(m.Manifests) != 3 {
		t.Errorf("%+v, %v", m, err)
	}
	again, err := l.push(context.Background(), bundle.Layout, bundle.Digest, "pipeline.local/shop/web:1")
	if err != nil || !again.Skipped || again.Ref != loaded.Ref {
		t.Errorf("%+v, %v", again, err)
	}
	server.Close()
	var e *kindtest.EnvironmentError
	if _, err := l.push(context.Background(), bundle.Layout, bundle.Digest, "web:1"); !errors.As(err, &e) {
		t.Errorf("%v", err)
	}
}
