package kind

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gitlab.com/selfcontained/pipeline/kindtest"
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

func TestNew(t *testing.T) {
	p := newTest(t, Options{})
	if p.Name() != "kind-pipeline" || len(p.options.Patches) == 0 {
		t.Errorf("%+v", p.options)
	}
	if _, err := New(Options{Cluster: "../x"}); err == nil {
		t.Error("a path is accepted as a name")
	}
}

// TestLock checks that the second one waits, says for whom, and can be
// cancelled.
func TestLock(t *testing.T) {
	var log bytes.Buffer
	p := newTest(t, Options{Log: &log})
	unlock, err := p.lock(context.Background(), "making cluster x")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	if _, err := p.lock(ctx, "y"); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "making cluster x since") {
		t.Errorf("second lock: %v", err)
	}
	if !strings.Contains(log.String(), "waiting for process") {
		t.Errorf("log: %q", log.String())
	}
	taken := make(chan error, 1)
	go func() {
		release, err := p.lock(context.Background(), "y")
		if err == nil {
			release()
		}
		taken <- err
	}()
	unlock()
	if err := <-taken; err != nil {
		t.Error(err)
	}
}

func TestState(t *testing.T) {
	p := newTest(t, Options{})
	if s := p.files.state(); s != (state{}) {
		t.Errorf("%+v", s)
	}
	want := state{Phase: phaseReady, Image: "i", Engine: "docker", Created: time.Unix(1, 0).UTC()}
	if err := p.files.write(want); err != nil || p.files.state() != want {
		t.Errorf("%+v, %v", p.files.state(), err)
	}
	if err := os.WriteFile(p.files.statePath, []byte(`{"phase":"re`), 0o600); err != nil || p.files.state() != (state{}) {
		t.Errorf("%+v, %v", p.files.state(), err)
	}
	if err := errors.Join(p.files.remove(), p.files.remove()); err != nil {
		t.Error(err)
	}
}

func TestNoEngine(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := newTest(t, Options{}).Ensure(context.Background())
	var e *kindtest.EnvironmentError
	if !errors.As(err, &e) || !strings.Contains(err.Error(), "none of docker, podman and nerdctl is installed") || e.Remedy == "" {
		t.Errorf("%v", err)
	}
}

// fakeEngine puts a docker into PATH that does what the script says.
func fakeEngine(t *testing.T, script string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "docker"), []byte("#!/bin/sh\n"+script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":/usr/bin:/bin")
}

func TestNoImage(t *testing.T) {
	fakeEngine(t, `case "$1 $2" in
info*) echo id;;
ps*) ;;
"image inspect") exit 1;;
pull*) echo "no such host" >&2; exit 1;;
esac`)
	_, err := newTest(t, Options{Image: "example/node:1"}).Ensure(context.Background())
	var e *kindtest.EnvironmentError
	if !errors.As(err, &e) || !strings.Contains(err.Error(), "example/node:1 is not there and cannot be pulled") || !strings.Contains(err.Error(), "no such host") {
		t.Errorf("%v", err)
	}
}

func TestOtherImage(t *testing.T) {
	fakeEngine(t, `case "$1" in
info) echo id;;
ps) echo abc;;
inspect) echo '[{"Name":"/pipeline-control-plane","State":{"Status":"running"},"Config":{"Image":"old:1"}}]';;
esac`)
	_, err := newTest(t, Options{Image: "new:1"}).Ensure(context.Background())
	if err == nil || !strings.Contains(err.Error(), "made of node image old:1, not new:1; delete it") {
		t.Errorf("%v", err)
	}
}

func TestRemoteHost(t *testing.T) {
	for value, want := range map[string]string{"": "", "unix:///run/x.sock": "", "tcp://docker:2375": "docker", "tcp://127.0.0.1:2375": "", "tcp://localhost:1": "", "ssh://me@there": ""} {
		t.Setenv("DOCKER_HOST", value)
		if got := remoteHost("docker"); got != want {
			t.Errorf("%q: %q, want %q", value, got, want)
		}
	}
	config, err := newTest(t, Options{}).config(&engine{name: "docker", host: "docker"}, nil)
	if err != nil || !strings.Contains(string(config), "0.0.0.0") || !strings.Contains(string(config), "certSANs") {
		t.Errorf("%s, %v", config, err)
	}
	kubeconfig := "apiVersion: v1\nkind: Config\nclusters: [{name: c, cluster: {server: \"https://0.0.0.0:4711\"}}]\n"
	got, err := (&engine{host: "docker"}).reachable([]byte(kubeconfig))
	if err != nil || !strings.Contains(string(got), "https://docker:4711") {
		t.Errorf("%s, %v", got, err)
	}
}

func TestParseInspect(t *testing.T) {
	got, err := parseInspect([]byte(`[{"Name":"t-control-plane","ImageName":"localhost/node:1","State":{"Status":"exited","StartedAt":"1970-01-01T00:00:01Z"},"Config":{}}]`))
	if err != nil || len(got) != 1 || got[0] != (nodeContainer{Name: "t-control-plane", State: "exited", Image: "localhost/node:1", Started: time.Unix(1, 0).UTC()}) {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := parseInspect([]byte("{")); err == nil {
		t.Error("nonsense is accepted")
	}
}
