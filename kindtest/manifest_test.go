package kindtest

import (
	"errors"
	"testing"
)

const twoObjects = `# a comment

---
apiVersion: v1
kind: ConfigMap
metadata: {name: a}
data: {text: "--- no separator"}
--- # the second
# another comment
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: Secret, metadata: {name: b}}
- {apiVersion: apps/v1, kind: Deployment, metadata: {name: c}, spec: {replicas: 3}}
---
`

func TestSplitManifests(t *testing.T) {
	got, err := splitManifests("f.yaml", []byte(twoObjects))
	if err != nil {
		t.Fatal(err)
	}
	want := []struct {
		number, line int
		name         string
	}{{2, 4, "configmap/a"}, {3, 10, "secret/b"}, {3, 10, "deployment/c"}}
	if len(got) != len(want) {
		t.Fatalf("%d objects: %+v", len(got), got)
	}
	for i, w := range want {
		if got[i].number != w.number || got[i].line != w.line || got[i].name() != w.name {
			t.Errorf("object %d: %d, line %d, %s; want %+v", i, got[i].number, got[i].line, got[i].name(), w)
		}
	}
	if replicas := got[2].object.Object["spec"].(map[string]any)["replicas"]; replicas != int64(3) {
		t.Errorf("replicas is a %T", replicas)
	}
}

func TestSplitManifestsErrors(t *testing.T) {
	for _, c := range []struct {
		name, text     string
		document, line int
	}{
		{"tab", "apiVersion: v1\nkind: X\nmetadata: {name: web}\n---\napiVersion: v1\nkind: X\n\tname: y\n", 2, 7},
		{"duplicate key", "apiVersion: v1\nkind: X\nkind: Y\n", 1, 3},
		{"no kind", "# c\n\napiVersion: v1\n", 1, 3},
		{"no name", "---\napiVersion: v1\nkind: X\n", 1, 2},
		{"scalar", "---\nhello\n", 1, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := splitManifests("f.yaml", []byte(c.text))
			var e *ManifestError
			if !errors.As(err, &e) || e.Document != c.document || e.Line != c.line {
				t.Errorf("%v (%+v), want document %d, line %d", err, e, c.document, c.line)
			}
		})
	}
}

func FuzzSplitManifests(f *testing.F) {
	f.Add([]byte(twoObjects))
	f.Add([]byte("---\n---\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, err := splitManifests("f", data); err != nil {
			var e *ManifestError
			if !errors.As(err, &e) || e.Line < 1 {
				t.Errorf("%#v", err)
			}
		}
	})
}
