package container_test

import (
	"os"
	"path/filepath"
	"testing"

	"gitlab.com/selfcontained/pipeline/pipeline/config"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/stages/container"
)

func key(t *testing.T, service config.Service, version string, ports ...int) evidence.Digest {
	t.Helper()
	var in evidence.Inputs
	stage := container.New(container.Options{Service: service, Version: version, Ports: ports})
	if err := stage.Key(t.Context(), &in); err != nil {
		t.Fatal(err)
	}
	return in.Key()
}

func TestKey(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(dir string, s *config.Service) error
		moves  bool
	}{
		"nothing":       {func(string, *config.Service) error { return nil }, false},
		"documentation": {func(dir string, _ *config.Service) error { return put(dir, "README.md") }, false},
		"source":        {func(dir string, _ *config.Service) error { return put(dir, "cmd/shop/main.go") }, false},
		"ignored chart": {func(dir string, _ *config.Service) error { return put(dir, "chart/values.yaml.bak") }, false},
		"chart":         {func(dir string, _ *config.Service) error { return put(dir, "chart/values.yaml") }, true},
		"api":           {func(dir string, _ *config.Service) error { return put(dir, "api/shop.yaml") }, true},
		"file":          {func(dir string, _ *config.Service) error { return put(dir, "web/new.html") }, true},
		"executable": {func(dir string, _ *config.Service) error {
			return os.Chmod(filepath.Join(dir, "web/index.html"), 0o755)
		}, true},
		"user":    {func(_ string, s *config.Service) error { s.Image.User = "1:1"; return nil }, true},
		"env":     {func(_ string, s *config.Service) error { s.Image.Env["A"] = "3"; return nil }, true},
		"missing": {func(_ string, s *config.Service) error { s.Image.Files["/x"] = "nowhere"; return nil }, true},
		"link": {func(dir string, s *config.Service) error {
			return os.Symlink("index.html", filepath.Join(dir, "web/link"))
		}, true},
		"builder": {func(_ string, s *config.Service) error { s.Image.Builder = []string{"x"}; return nil }, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, service := shop(t)
			before := key(t, service, "1.2.3")
			if err := test.change(dir, &service); err != nil {
				t.Fatal(err)
			}
			if moved := key(t, service, "1.2.3") != before; moved != test.moves {
				t.Errorf("key moved: %v, want %v", moved, test.moves)
			}
		})
	}
}

func TestKeyOfVersionAndPorts(t *testing.T) {
	t.Parallel()
	_, service := shop(t)
	one := key(t, service, "1.2.3")
	if one == key(t, service, "1.2.4") || one == key(t, service, "1.2.3", 1) {
		t.Error("version or ports do not count")
	}
}

func put(dir, name string) error {
	return os.WriteFile(filepath.Join(dir, name), []byte("openapi: 3.2.0 # new\n"), 0o644)
}
