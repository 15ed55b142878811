package chart_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"gitlab.com/selfcontained/pipeline/stages/container/chart"
)

// open writes files below a new folder and opens it.
func open(t *testing.T, files map[string]string) *os.Root {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root
}

const chartYAML = "apiVersion: v2\nname: shop\nversion: 0.1.0\nappVersion: '0'\n"

func TestStamp(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ in, want string }{
		"plain": {
			"# top\nversion: 0.1.0 # here\nname: x\nappVersion: \"0\"   # there\n",
			"# top\nversion: 1.2.3-dev.h0 # here\nname: x\nappVersion: \"1.2.3-dev.h0\"   # there\n",
		},
		"no appVersion":      {"version: '1'\nname: x\n", "version: '1.2.3-dev.h0'\nappVersion: \"1.2.3-dev.h0\"\nname: x\n"},
		"at the end":         {"name: x\nversion: 1", "name: x\nversion: 1.2.3-dev.h0\nappVersion: \"1.2.3-dev.h0\""},
		"windows":            {"version: 1\r\nname: x\r\n", "version: 1.2.3-dev.h0\r\nappVersion: \"1.2.3-dev.h0\"\r\nname: x\r\n"},
		"nested":             {"dependencies:\n- {name: a, version: 9}\nversion: 1\nappVersion: 2\n", "dependencies:\n- {name: a, version: 9}\nversion: 1.2.3-dev.h0\nappVersion: 1.2.3-dev.h0\n"},
		"characters":         {"{ü: ä, version: 1.0.0 }\n", ""},
		"folded":             {"version: >\n  1\n", ""},
		"anchor":             {"version: &v 1\nappVersion: *v\nx: *v\n", ""},
		"no version":         {"name: x\n", ""},
		"no mapping":         {"- a\n", ""},
		"duplicate":          {"version: 1\nversion: 2\n", ""},
		"hash in the quotes": {"version: \"a # b\" # c\nappVersion: 1\n", "version: \"1.2.3-dev.h0\" # c\nappVersion: 1.2.3-dev.h0\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := chart.Stamp("Chart.yaml", []byte(test.in), "1.2.3-dev.h0")
			var wrong *chart.Error
			if test.want == "" && !errors.As(err, &wrong) {
				t.Fatalf("got %q, %v; want an error", got, err)
			}
			if diff := cmp.Diff(test.want, string(got)); diff != "" {
				t.Errorf("(-want +got) %v\n%s", err, diff)
			}
		})
	}
}

func FuzzStamp(f *testing.F) {
	for _, seed := range []string{
		chartYAML, "version: 1\r\n", "{version: 1, appVersion: 2}", "version: !!str 1\n", "a: \u2028\nversion: 1",
		"version: &a 'x''y'\nappVersion: *a", "? version\n: 1\n", "version:\n  1\n", "\ufeffversion: 1\n", "a: b\rversion: 1\r",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		out, err := chart.Stamp("Chart.yaml", []byte(in), "1.2.3")
		if err != nil {
			return
		}
		var got map[string]any
		if err := yaml.Unmarshal(out, &got); err != nil {
			t.Fatalf("%q became %q: %v", in, out, err)
		}
		if got["version"] != "1.2.3" || got["appVersion"] != "1.2.3" {
			t.Fatalf("%q became %q", in, out)
		}
		again, err := chart.Stamp("Chart.yaml", out, "1.2.3")
		if err != nil || !bytes.Equal(again, out) {
			t.Fatalf("stamping twice: %q became %q, then %q, %v", in, out, again, err)
		}
	})
}

func TestArchive(t *testing.T) {
	t.Parallel()
	root := open(t, map[string]string{
		"c/Chart.yaml":                        chartYAML + "dependencies:\n- name: one\n  version: 1.0.0\n- name: two\n  version: 1.0.0\n",
		"c/templates/a.yaml":                  "a: {{ include \"x\" . | nindent 4 }}",
		"c/templates/.swp":                    "junk",
		"c/charts/one/Chart.yaml":             "apiVersion: v2\nname: one\nversion: 1.0.0\n",
		"c/charts/two-1.0.0.tgz":              "archive",
		"c/.helmignore":                       "# junk\n*.bak\n/notes/\n",
		"c/x.bak":                             "junk",
		"c/notes/a":                           "junk",
		"c/files/notes/a":                     "kept",
		"c/values.yaml":                       "a: 1\n",
		"c/files/a-file-with-a-name-as-long-": "",
	})
	c, err := chart.Load(root, "c", "1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	var packed bytes.Buffer
	if err := c.Archive(&packed); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"shop/.helmignore", "shop/Chart.yaml", "shop/charts/one/Chart.yaml", "shop/charts/two-1.0.0.tgz",
		"shop/files/a-file-with-a-name-as-long-", "shop/files/notes/a", "shop/templates/a.yaml", "shop/values.yaml",
	}
	if diff := cmp.Diff(want, names(t, &packed)); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
	if !strings.Contains(string(c.Metadata), `"appVersion":"1.2.3"`) {
		t.Errorf("metadata %s", c.Metadata)
	}
}

func names(t *testing.T, r io.Reader) []string {
	t.Helper()
	z, err := gzip.NewReader(r)
	if err != nil {
		t.Fatal(err)
	}
	if z.ModTime.Unix() > 0 || z.Name != "" {
		t.Errorf("gzip header %v", z.Header)
	}
	var list []string
	for tr := tar.NewReader(z); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.ModTime.Unix() != 0 || h.Uid != 0 || h.Uname != "" || h.Mode != 0o644 {
			t.Errorf("header %+v", h)
		}
		list = append(list, h.Name)
	}
}

func TestLint(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		files map[string]string
		want  string
	}{
		"empty":         {map[string]string{"c/x": ""}, "c/Chart.yaml: is missing"},
		"syntax":        {map[string]string{"c/Chart.yaml": "a: b\n c: d\n"}, "c/Chart.yaml:2: is not valid YAML"},
		"name":          {map[string]string{"c/Chart.yaml": "apiVersion: v2\nversion: 1.0.0\n"}, "c/Chart.yaml:1: has no name"},
		"templates":     {map[string]string{"c/Chart.yaml": chartYAML}, "c/templates: is missing or empty"},
		"values":        {map[string]string{"c/values.yaml": "a: 1\nb: [\n"}, "c/values.yaml:"},
		"values list":   {map[string]string{"c/values.yaml": "- a\n"}, "c/values.yaml:1: is not valid YAML"},
		"template":      {map[string]string{"c/templates/x.yaml": "a\n{{ end }}\n"}, "c/templates/x.yaml:2: template: unexpected {{end}}"},
		"dependency":    {map[string]string{"c/Chart.yaml": chartYAML + "dependencies:\n- name: db\n"}, "c/Chart.yaml:6: dependency db is not in charts/"},
		"schema":        {map[string]string{"c/values.schema.json": "{"}, "c/values.schema.json: is not valid JSON"},
		"bad pattern":   {map[string]string{"c/.helmignore": "a\n[\n"}, "c/.helmignore:2: not a pattern"},
		"double star":   {map[string]string{"c/.helmignore": "a/**\n"}, "c/.helmignore:1: Helm does not know"},
		"not versioned": {map[string]string{"c/Chart.yaml": "apiVersion: v2\nname: x\n"}, "c/Chart.yaml:1: has no version"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := chart.Load(open(t, test.files), "c", "1.2.3")
			var wrong *chart.Error
			if !errors.As(err, &wrong) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}

func TestLinkedDependency(t *testing.T) {
	t.Parallel()
	root := open(t, map[string]string{
		"c/Chart.yaml":       chartYAML + "dependencies:\n- name: lib\n",
		"c/templates/a.yaml": "a: b",
		"c/charts/x":         "",
		"lib/Chart.yaml":     "apiVersion: v2\nname: lib\nversion: 1.0.0\n",
	})
	if err := root.Symlink("../../lib", "c/charts/lib"); err != nil {
		t.Fatal(err)
	}
	if _, err := chart.Load(root, "c", "1.2.3"); err != nil {
		t.Error(err)
	}
}

func TestBadVersion(t *testing.T) {
	t.Parallel()
	if _, err := chart.Stamp("Chart.yaml", []byte(chartYAML), "v1"); err == nil {
		t.Error("v1 was taken for a semantic version")
	}
}
