package main

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files")

// lacking is a host without CAP_SYS_RESOURCE.
func lacking() limits {
	return limits{
		bounding:    ^uint64(1 << capSysResource),
		oomScoreAdj: 0,
		hard:        map[string]uint64{"RLIMIT_NOFILE": 4096},
	}
}

func full() limits { return limits{bounding: ^uint64(0), oomScoreAdj: 0, hard: lacking().hard} }

func TestCutWithoutSysResource(t *testing.T) {
	raw, err := os.ReadFile("testdata/config.json")
	if err != nil {
		t.Fatal(err)
	}
	got, changed, err := lacking().cut(raw, "process")
	if err != nil || !changed {
		t.Fatalf("changed = %v, err = %v", changed, err)
	}
	golden := filepath.Join("testdata", "config.lacking.json")
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if _, again, _ := lacking().cut(got, "process"); again {
		t.Error("cutting what was cut changed it again")
	}
}

func TestCutWithEverythingChangesNothing(t *testing.T) {
	raw, err := os.ReadFile("testdata/config.json")
	if err != nil {
		t.Fatal(err)
	}
	got, changed, err := full().cut(raw, "process")
	if err != nil || changed || string(got) != string(raw) {
		t.Errorf("changed = %v, err = %v", changed, err)
	}
}

func TestCutProcessFile(t *testing.T) {
	got, changed, err := lacking().cut([]byte(`{"capabilities":{"effective":["CAP_SYS_RESOURCE","CAP_NEWER"]}}`), "")
	if err != nil || !changed {
		t.Fatalf("changed = %v, err = %v", changed, err)
	}
	if want := "{\"capabilities\":{\"effective\":[]}}\n"; string(got) != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestCutLeavesOddDocumentsAlone(t *testing.T) {
	for _, doc := range []string{
		`{}`, `{"process":null}`, `{"process":[]}`, `{"process":{"capabilities":[],"rlimits":{},"oomScoreAdj":"x"}}`,
		`{"process":{"capabilities":{"effective":"no list"},"rlimits":[1,{"type":"RLIMIT_NOFILE","hard":-1}]}}`,
	} {
		got, changed, err := lacking().cut([]byte(doc), "process")
		if err != nil || changed || string(got) != doc {
			t.Errorf("%s: got %s, changed %v, %v", doc, got, changed, err)
		}
	}
	if _, _, err := lacking().cut([]byte(`{`), ""); err == nil {
		t.Error("no error for broken JSON")
	}
}

func FuzzCut(f *testing.F) {
	if raw, err := os.ReadFile("testdata/config.json"); err == nil {
		f.Add(raw, "process")
	}
	f.Add([]byte(`{"oomScoreAdj":-1e400}`), "")
	f.Fuzz(func(t *testing.T, raw []byte, key string) {
		out, changed, err := lacking().cut(raw, key)
		if err != nil {
			return
		}
		if changed && !json.Valid(out) {
			t.Errorf("not JSON: %q", out)
		}
		if _, again, err := lacking().cut(out, key); err != nil || again {
			t.Errorf("cut twice differs: %v", err)
		}
	})
}

func TestRewriteKeepsMode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.json")
	if err := os.WriteFile(path, []byte(`{"process":{"oomScoreAdj":-5}}`), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := lacking().rewrite(path, "process"); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(path)
	if err != nil || string(raw) != "{\"process\":{\"oomScoreAdj\":0}}\n" {
		t.Errorf("%q, %v", raw, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if err := lacking().rewrite(path+".missing", ""); err == nil {
		t.Error("no error for a missing file")
	}
}
