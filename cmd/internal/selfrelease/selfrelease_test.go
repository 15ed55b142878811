package selfrelease

import (
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"encoding/json"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// TestRelease is one run through all of it: each step needs the one before.
func TestRelease(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles the tool, a minute for the first time")
	}
	for _, tool := range []string{"go", "git", "sha256sum", "tar"} {
		need(t, tool)
	}
	w := newWorld(t)
	w.must("run", "build", "container", "module")
	if out := w.must("release", "--forge", "gitlab", "--registry", w.image); !strings.Contains(out, "released pipeline 0.1.0\n") {
		t.Errorf("the release says:\n%s", out)
	}
	files := w.download()
	w.checkSums(files)
	w.checkNames(files)
	program := w.unpack("pipeline-0.1.0-linux-" + runtime.GOARCH + ".tar.gz")
	w.checkProgram(program)
	w.checkImage(program)
	w.checkSBOM(program)
	w.checkAgain()
	w.checkSecrets()
}

// checkSums checks the downloads with the file that lies beside them.
func (w *world) checkSums(files []string) {
	w.t.Helper()
	out := w.exec(w.files, "sha256sum", "--check", "--strict", "pipeline-0.1.0.sha256")
	if n := strings.Count(out, ": OK\n"); n != len(files)-1 {
		w.t.Errorf("%d of %d files have a checksum:\n%s", n, len(files)-1, out)
	}
}

// checkNames proves each file by the signed statement, which names all but
// itself and the checksums.
func (w *world) checkNames(files []string) {
	w.t.Helper()
	want := []string{"pipeline-0.1.0-linux-" + runtime.GOARCH + ".tar.gz", "pipeline-0.1.0.cdx.json", "pipeline-0.1.0.intoto.jsonl", "pipeline-0.1.0.sha256"}
	if !slices.Equal(files, want) {
		w.t.Errorf("the release has the files %q; expected %q", files, want)
	}
	head := strings.TrimSpace(w.exec(w.clone, "git", "rev-parse", "HEAD"))
	for _, name := range want[:2] {
		var proved struct{ Digest, Version, Tag, Commit string }
		out := w.must("verify", filepath.Join(w.files, name), "--key", w.key+".pub", "--json")
		if err := json.Unmarshal([]byte(out), &proved); err != nil {
			w.t.Fatal(err)
		}
		if proved.Digest != "sha256:"+sum(w.t, filepath.Join(w.files, name)) || proved.Version != "0.1.0" || proved.Tag != "v0.1.0" || proved.Commit != head {
			w.t.Errorf("%s is proved to be %+v", name, proved)
		}
	}
}

// unpack unpacks an archive as its user would, and returns the program.
func (w *world) unpack(name string) string {
	w.t.Helper()
	dir := w.t.TempDir()
	w.exec(dir, "tar", "-xzf", filepath.Join(w.files, name))
	for _, document := range []string{"LICENSE", "README.md"} {
		if sum(w.t, filepath.Join(dir, document)) != sum(w.t, filepath.Join(w.clone, document)) {
			w.t.Errorf("%s in the archive is not that of the repository", document)
		}
	}
	return filepath.Join(dir, "pipeline")
}

// checkProgram runs the released program.
func (w *world) checkProgram(program string) {
	w.t.Helper()
	if out := w.exec(filepath.Dir(program), "./pipeline", "version"); !strings.HasPrefix(out, "pipeline 0.1.0 linux/") {
		w.t.Errorf("it says %q", out)
	}
	tiny := w.t.TempDir()
	for name, text := range map[string]string{"go.mod": "module example.com/tiny\n\ngo 1.24\n", "main.go": "package main\n\nfunc main() {}\n"} {
		if err := os.WriteFile(filepath.Join(tiny, name), []byte(text), 0o644); err != nil {
			w.t.Fatal(err)
		}
	}
	w.exec(tiny, program, "run", "build", "container")
	if out := w.exec(tiny, program, "plan", "container"); strings.Count(out, "up to date") != 2 {
		w.t.Errorf("after a run of the released program its plan is\n%s", out)
	}
}

// checkSBOM compares the list of ingredients with what the linker has left in
// the program.
func (w *world) checkSBOM(program string) {
	w.t.Helper()
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		w.t.Fatal(err)
	}
	if info.GoVersion == "" || len(info.Deps) < 50 {
		w.t.Errorf("the program has %d modules", len(info.Deps))
	}
	bom, err := os.ReadFile(filepath.Join(w.files, "pipeline-0.1.0.cdx.json"))
	if err != nil {
		w.t.Fatal(err)
	}
	var doc struct {
		Components []struct{ Name, Version string }
	}
	if err := json.Unmarshal(bom, &doc); err != nil {
		w.t.Fatal(err)
	}
	listed := map[string]bool{}
	for _, c := range doc.Components {
		listed[c.Name+" "+c.Version] = true
	}
	for _, d := range info.Deps {
		if d.Replace == nil && !listed[d.Path+" "+d.Version] {
			w.t.Errorf("the SBOM has no %s %s", d.Path, d.Version)
		}
	}
}

// checkAgain releases a second time: nothing is left to do.
func (w *world) checkAgain() {
	w.t.Helper()
	before := w.dump()
	out := w.must("release", "--forge", "gitlab", "--registry", w.image)
	if !strings.Contains(out, "pipeline 0.1.0 is released already; nothing was done") {
		w.t.Errorf("the second release says:\n%s", out)
	}
	if w.dump() != before {
		w.t.Error("the second release changed something")
	}
}

// checkSecrets looks for the key, its password and the token in all that was
// printed, kept and published.
func (w *world) checkSecrets() {
	w.t.Helper()
	looked := 0
	look := func(where string, data []byte) {
		looked++
		for what, secret := range w.secrets {
			if bytes.Contains(data, []byte(secret)) {
				w.t.Errorf("%s has %s", where, what)
			}
		}
	}
	look("the output", w.printed.Bytes())
	for _, dir := range []string{filepath.Join(w.clone, ".pipeline"), w.files, w.registry, filepath.Join(w.gitlabDir, "blobs")} {
		err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			data, err := os.ReadFile(name)
			look(name, data)
			return err
		})
		if err != nil {
			w.t.Error(err)
		}
	}
	if looked < 20 {
		w.t.Errorf("only %d files were looked at", looked)
	}
}

// need looks for a program that the test cannot do without.
func need(t *testing.T, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err == nil && runtime.GOOS == "linux" {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("needs %s on Linux", name)
	}
	t.Skipf("needs %s on Linux", name)
}

func sum(t *testing.T, name string) string {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// get asks GitLab as somebody with a token would.
func (w *world) get(address string) []byte {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, address, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("PRIVATE-TOKEN", w.secrets["the token"])
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		w.t.Fatalf("GET %s: %s, %v", address, resp.Status, err)
	}
	return data
}
