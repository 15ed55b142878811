package config

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files")

// tree writes files below a new folder that is a repository.
func tree(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, ".git"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, content := range files {
		name = filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// shop is a service with everything that testdata/good/full.yaml names.
func shop(t testing.TB) string {
	return tree(t, map[string]string{
		"go.mod":            "module example.com/shop/stock/v2\n",
		"cmd/stock/main.go": "package main\n",
		"cmd/tool/main.go":  "package main\n",
		"api/stock.binpb":   "", "api/cart.binpb": "",
		"etc/stock.conf":                "",
		"deploy/chart/Chart.yaml":       "",
		"deploy/extra/queue.yaml":       "",
		"charts/postgres_db/Chart.yaml": "",
		"keys/ci.pub":                   "",
	})
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got; go test -update writes it):\n%s", file, diff)
	}
}

func read(t testing.TB, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestBadFiles(t *testing.T) {
	files, _ := filepath.Glob("testdata/bad/*.yaml")
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			dir := shop(t)
			_, err := Parse(file, read(t, file), dir)
			var problems Problems
			if !errors.As(err, &problems) {
				t.Fatalf("error %v is no Problems", err)
			}
			golden(t, strings.TrimSuffix(file, ".yaml")+".txt", strings.ReplaceAll(problems.Error(), dir, "DIR")+"\n")
		})
	}
}

func TestFullFile(t *testing.T) {
	t.Parallel()
	dir := shop(t)
	got, err := Parse("testdata/good/full.yaml", read(t, "testdata/good/full.yaml"), dir)
	if err != nil {
		t.Fatal(err)
	}
	no := false
	want := &Service{
		APIVersion: "pipeline/v1", Kind: "Service", Name: "stock", Main: "./cmd/stock",
		Platforms: []string{"linux/amd64", "linux/arm/v7", "darwin/arm64"},
		API:       API{Provides: []string{"api/stock.binpb"}, Uses: []string{"api/cart.binpb"}},
		Image: Image{
			Base: "registry.example.com/base@sha256:0123", Files: map[string]string{"/etc/stock": "etc"}, User: "1000",
			Env: map[string]string{"TZ": "UTC"}, Ports: []int{8080}, Builder: []string{"make", "oci"},
		},
		Chart: "deploy/chart",
		Stages: map[string]Stage{
			"build": {Generate: &no, Stamp: "example.com/shop/stock/v2/internal/app.version"},
			"unit": {
				Timeout: 90 * time.Second, Needs: []string{"build"}, Coverage: 80, Race: true,
				Waive: &Waive{Reason: "flaky clock", Until: time.Date(2026, 12, 31, 0, 0, 0, 0, time.UTC)},
			},
			"lint":      {Checks: []string{"all", "-ST1000"}},
			"container": {},
			"module": {
				Args: []string{"--port", "8080"}, Port: 8080, Ready: "http:/health", Stop: 5 * time.Second,
				Runtime: "sandbox", DryRun: []string{"check"},
			},
			"integration": {},
			"bench":       {Count: 6, BenchTime: "100x"},
			"contract": {
				Command: []string{"make", "contract"}, Inputs: []string{"api/*.binpb"}, Outputs: []string{"report"},
				Needs: []string{"build", "cart/container"}, After: []string{"unit"}, Env: map[string]string{"GOFLAGS": "-mod=mod"},
				Reports: Reports{JUnit: []string{"report/*.xml"}, Cobertura: []string{"cover.xml"}, CodeQuality: []string{"quality.json"}},
			},
		},
		Integration: Integration{
			With: []With{
				{Chart: "charts/postgres_db", Name: "postgres-db", Values: map[string]any{
					"auth":     map[string]any{"user": "stock", "since": "2020-01-01"},
					"replicas": 1, "on": true, "list": []any{1.5, nil},
				}},
				{Manifests: "deploy/extra", Name: "queue"},
				{Service: "cart", Name: "cart"},
				{Chart: "oci://registry.example.com/charts/redis:7.2", Name: "redis"},
			},
			Data: []string{"testdata/seed.yaml"}, Values: map[string]any{"logLevel": "debug"},
			Cluster: Cluster{Provider: "existing", Context: "dev", Registry: "registry.example.com/dev"}, Ready: 5 * time.Minute,
		},
		Release: Release{
			Branch: "trunk", TagPrefix: "stock/v", Registry: "registry.example.com/shop/stock", Forge: "gitlab",
			Require: []string{"unit", "contract", "build"}, Programs: true,
		},
		Trust: []string{"keys/ci.pub"},
		Dir:   dir, File: "testdata/good/full.yaml", Module: "example.com/shop/stock/v2",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Parse (-want +got):\n%s", diff)
	}
}

// A file that says nothing is the same as no file.
func TestGoodFiles(t *testing.T) {
	t.Parallel()
	dir := shop(t)
	bare, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"empty", "comment"} {
		got, err := Parse("pipeline.yaml", read(t, "testdata/good/"+name+".yaml"), dir)
		if err != nil {
			t.Fatal(err)
		}
		got.File = ""
		if diff := cmp.Diff(bare, got); diff != "" {
			t.Errorf("%s (-without a file +with):\n%s", name, diff)
		}
	}
	got, err := Parse("pipeline.yaml", read(t, "testdata/good/aliases.yaml"), dir)
	if err != nil {
		t.Fatal(err)
	}
	if lint, stop := got.Stages["lint"].Timeout, got.Stages["module"].Stop; lint != 5*time.Minute || stop != 10*time.Second {
		t.Errorf("aliased timeout %v, default of an empty key %v", lint, stop)
	}
}

func TestSyntaxErrors(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, data, want string }{
		{"tab", "stages:\n\tunit:\n", "2:1: a tab in the indentation; expected spaces"},
		{"tab after spaces", "stages:\n  unit:\n  \ttimeout: 5m\n", "3:3: a tab in the indentation; expected spaces"},
		{"unclosed list", "name: stock\nplatforms: [linux/amd64\nmain: .\n", "2:1: did not find expected ',' or ']'; expected YAML"},
		{"bad nesting", "name: stock\n  main: .\n", "2:3: mapping values are not allowed in this context; expected YAML"},
		{"first line", "a: b: c", "1:1: mapping values are not allowed in this context; expected YAML"},
		{"dedent", "stages:\n    unit:\n        race: true\n  lint:\n", "4:3: did not find expected key; expected YAML"},
		{"unknown alias", "name: stock\n\nchart: *none\n", "3:1: unknown anchor 'none' referenced; expected YAML"},
		{"documents", "name: stock\n---\nname: cart\n", "2:1: a second document; expected one document in the file"},
		{"control character", "name: stock\nmain: a\x01\n", "2:8: a byte or control character that is no text; expected UTF-8"},
		{"latin-1", "name: stück\nmain: \xfc\n", "2:7: a byte or control character that is no text; expected UTF-8"},
		{"no mapping", "- a\n", "1:1: a list; expected a mapping with apiVersion, kind,"},
		{"system", "kind: System\nservices: []\n", "1:7: kind System in the file of a service; expected kind: Service here, and a system in scs.yaml"},
		{"alias of itself", "integration: {values: {a: &a [1, *a]}}\n", "1:34: the alias *a stands inside of its own anchor; expected no cycle"},
		{"tag", "name: !mine stock\n", `1:7: a value with the tag "!mine"; expected a DNS label`},
		{"null in a list", "trust: [~]\n", "1:9: an empty element; expected a value"},
		{"byte order mark", "\ufeffnam: x\n", `1:1: unknown key "nam" (did you mean "name"?)`},
		{"not JSON", "integration: {values: {a: .nan}}\n", `1:27: the number ".nan"; expected a value that JSON has`},
		{"too long", strings.Repeat("# long\n", maxFile/7+1), "1:1: the file has 1048579 bytes; expected at most 1048576"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := Parse("pipeline.yaml", []byte(test.data), tree(t, nil))
			if err == nil || !strings.HasPrefix(err.Error(), "pipeline.yaml:"+test.want) {
				t.Errorf("got  %v\nwant pipeline.yaml:%s", err, test.want)
			}
		})
	}
}

// Aliases that double at each step must neither fill the memory nor take long.
func TestAliasBomb(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("integration:\n  values:\n    a0: &a0 [x, x]\n")
	for i := range 40 {
		n, m := string(rune('A'+i/10))+string(rune('0'+i%10)), "a0"
		if i > 0 {
			m = string(rune('A'+(i-1)/10)) + string(rune('0'+(i-1)%10))
		}
		b.WriteString("    " + n + ": &" + n + " [*" + m + ", *" + m + "]\n")
	}
	_, err := Parse("pipeline.yaml", []byte(b.String()), tree(t, nil))
	if err == nil || !strings.Contains(err.Error(), "with the aliases expanded") || strings.Count(err.Error(), "\n") > 2 {
		t.Errorf("got %v", err)
	}
}

func TestLinkOutOfTheRepository(t *testing.T) {
	t.Parallel()
	dir := tree(t, map[string]string{"go.mod": "module stock\n", "pipeline.yaml": "chart: chart\ntrust: [loop]\n"})
	if err := os.Symlink(t.TempDir(), filepath.Join(dir, "chart")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("loop", filepath.Join(dir, "loop")); err != nil {
		t.Fatal(err)
	}
	_, err := Load(dir)
	if err == nil || !strings.Contains(err.Error(), `pipeline.yaml:1:8: "chart" is a link that leaves the repository`) ||
		!strings.Contains(err.Error(), `pipeline.yaml:2:9: "loop"`) {
		t.Errorf("got %v", err)
	}
}

func TestProblemsAreTypedAndWrapped(t *testing.T) {
	t.Parallel()
	dir := tree(t, map[string]string{"pipeline.yaml": "name: [x]\n"})
	_, err := Load(dir)
	var problems Problems
	if !errors.As(err, &problems) {
		t.Fatalf("got %v", err)
	}
	want := Problems{{filepath.Join(dir, "pipeline.yaml"), 1, 7, "a list; expected a DNS label: at most 63 lower-case letters, digits and -"}}
	if diff := cmp.Diff(want, problems); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func BenchmarkLoad(b *testing.B) {
	dir := shop(b)
	data := read(b, "testdata/good/full.yaml")
	for b.Loop() {
		if _, err := Parse("pipeline.yaml", data, dir); err != nil {
			b.Fatal(err)
		}
	}
}
