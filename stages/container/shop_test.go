package container_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"

	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/pipeline/config"
	"gitlab.com/selfcontained/pipeline/stages/container"
)

// tree writes files below a new folder and returns it.
func tree(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		write(t, filepath.Join(dir, name), content)
	}
	return dir
}

func write(t testing.TB, name, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// built makes what the build stage leaves behind.
func built(t testing.TB, name string, programs map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	type bin struct {
		Platform string `json:"platform"`
		Path     string `json:"path"`
		SHA256   string `json:"sha256"`
		Size     int    `json:"size"`
	}
	doc := map[string]any{"name": name, "version": "1.2.3", "module": "example.com/" + name}
	var bins []bin
	for platform, content := range programs {
		path := strings.ReplaceAll(platform, "/", "_") + "/" + name
		write(t, filepath.Join(dir, path), content)
		sum := sha256.Sum256([]byte(content))
		bins = append(bins, bin{platform, path, hex.EncodeToString(sum[:]), len(content)})
	}
	doc["binaries"] = bins
	data, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "build.json"), string(data))
	write(t, filepath.Join(dir, "modules.json"),
		`[{"path":"golang.org/x/Net","version":"v0.61.0","sum":"h1:AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA="},
		  {"path":"example.com/old","version":"v2.0.0+incompatible","sum":""}]`)
	return dir
}

func shop(t testing.TB) (dir string, service config.Service) {
	t.Helper()
	dir = tree(t, map[string]string{
		"chart/Chart.yaml":               "# the chart\napiVersion: v2\nname: shop\nversion: 0.0.0 # stamped\nappVersion: \"0\"\n",
		"chart/values.yaml":              "replicas: 1\n",
		"chart/templates/service.yaml":   "kind: Service\nmetadata:\n  name: {{ .Release.Name }}\n",
		"chart/.helmignore":              "*.bak\n",
		"chart/values.yaml.bak":          "old",
		"api/shop.yaml":                  "openapi: 3.1.0\n",
		"web/index.html":                 "<h1>shop</h1>",
		"web/js/app.js":                  "alert(1)",
		"config/default.conf":            "a=b\n",
		"cmd/shop/main.go":               "package main\nfunc main() {}\n",
		"go.mod":                         "module example.com/shop\n",
		"docs/unrelated-documentation.x": "x",
	})
	return dir, config.Service{
		Name: "shop", Main: "./cmd/shop", Module: "example.com/shop", Dir: dir, Chart: "chart",
		API: config.API{Provides: []string{"api/shop.yaml"}, Uses: []string{"api/shop.yaml"}},
		Image: config.Image{
			Files: map[string]string{"/srv/web": "web", "/etc/shop/": "config/default.conf"},
			Env:   map[string]string{"B": "2", "A": "1"}, Ports: []int{8080},
		},
	}
}

// two is the build of shop for two platforms.
func two(t testing.TB) string {
	return built(t, "shop", map[string]string{"linux/arm64": "an arm program", "linux/amd64": "an amd program"})
}

// run runs the stage and returns its job.
func run(t testing.TB, service config.Service, build string) (*pipeline.Job, error) {
	t.Helper()
	return runLogged(t, service, build, io.Discard)
}

func runLogged(t testing.TB, service config.Service, build string, log io.Writer) (*pipeline.Job, error) {
	t.Helper()
	node := &pipeline.Node{Name: "shop/container", Service: "shop", Kind: "container", Dir: service.Dir}
	needs := map[string]string{}
	if build != "" {
		needs["shop/build"] = build
	}
	job := pipeline.NewJob(node, "run", service.Dir, t.TempDir(), t.TempDir(), t.TempDir(), log, needs)
	stage := container.New(container.Options{Service: service, Version: "1.2.3", Ports: []int{9090, 8080}})
	return job, stage.Run(t.Context(), job)
}

func mustRun(t testing.TB, service config.Service, build string) (*container.Bundle, string) {
	t.Helper()
	job, err := run(t, service, build)
	if err != nil {
		t.Fatalf("%v\n%s", err, cause(err))
	}
	bundle, err := container.ReadBundle(job.Out)
	if err != nil {
		t.Fatal(err)
	}
	return bundle, job.Out
}

func cause(err error) string {
	var failure *pipeline.Failure
	if errors.As(err, &failure) {
		return failure.Cause
	}
	return ""
}

// open returns the bundle's index and its manifests.
func open(t testing.TB, out string) (v1.ImageIndex, *v1.IndexManifest) {
	t.Helper()
	top, err := layout.ImageIndexFromPath(filepath.Join(out, "oci"))
	if err != nil {
		t.Fatal(err)
	}
	list, err := top.IndexManifest()
	if err != nil || len(list.Manifests) != 1 {
		t.Fatalf("index.json: %v, %v; expected one manifest", list, err)
	}
	index, err := top.ImageIndex(list.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	m, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	return index, m
}
