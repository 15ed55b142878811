package kindtest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"k8s.io/client-go/kubernetes/fake"
)

// TestChartError takes Helm's messages from Helm, so that a new release with
// other words is noticed.
func TestChartError(t *testing.T) {
	lease := &Lease{Namespace: "n", cluster: &Cluster{Version: "v1.36.3", discovery: newDiscovery(fake.NewClientset().Discovery())}}
	for _, c := range []struct {
		name, template, file string
		line, column         int
	}{
		{"parse", "a: b\n{{ if }}\n", "templates/t.yaml", 2, 0},
		{"function", "{{ nothing }}\n", "templates/t.yaml", 1, 0},
		{"required", "a: b\nc: {{ required \"c is needed\" .Values.c }}\n", "templates/t.yaml", 2, 6},
		{"nil pointer", "a: {{ .Values.b.c.d }}\n", "templates/t.yaml", 1, 13},
		{"not YAML", "a: b\n  c: d\n", "templates/t.yaml", 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			chart := Chart{Release: "r", Path: writeChart(t, c.template), Values: map[string]any{"b": map[string]any{}}}
			ch, err := chart.load()
			if err != nil {
				t.Fatal(err)
			}
			_, err = lease.render(context.Background(), chart, ch)
			if err == nil {
				t.Fatal("it renders")
			}
			e := newChartError("deploy/chart", err)
			t.Log(e)
			if e.File != c.file || e.Line != c.line || e.Column != c.column || !errors.Is(e, err) {
				t.Errorf("%+v; want %s:%d:%d", e, c.file, c.line, c.column)
			}
		})
	}
}

func TestChartLoadErrors(t *testing.T) {
	dir := writeChart(t, "a: b\n")
	if err := os.WriteFile(filepath.Join(dir, "Chart.yaml"), []byte("apiVersion: v2\nname: c\nversion: 1.0.0\ndependencies: [{name: db, version: 1.0.0, repository: \"\"}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]Chart{
		"missing dependency": {Path: dir},
		"no chart":           {Path: t.TempDir()},
		"no archive":         {Archive: []byte("hello")},
		"both":               {Path: dir, Archive: []byte("x")},
	} {
		var e *ChartError
		err := (&Lease{cluster: &Cluster{}}).InstallChart(context.Background(), c)
		if !errors.As(err, &e) {
			t.Errorf("%s: %v", name, err)
		}
		t.Log(err)
	}
}

func writeChart(t *testing.T, template string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{"Chart.yaml": "apiVersion: v2\nname: c\nversion: 1.0.0\n", "templates/t.yaml": template} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
