package loopback

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
)

// start serves a folder until stop.
func start(t *testing.T, dir string) (host string, stop func()) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- Serve(ctx, dir, l) }()
	stop = func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		ended <- nil
	}
	t.Cleanup(stop)
	return l.Addr().String(), stop
}

func reference(t *testing.T, text string) name.Reference {
	t.Helper()
	ref, err := name.ParseReference(text)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

// send answers with status and body.
func send(t *testing.T, h http.Handler, method, target, contentType, body string) *httptest.ResponseRecorder {
	t.Helper()
	req := httptest.NewRequestWithContext(t.Context(), method, "http://127.0.0.1"+target, strings.NewReader(body))
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	return w
}

func open(t *testing.T, dir string) *Registry {
	t.Helper()
	r, err := Open(dir, "127.0.0.1:5000")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// What was pushed is there after a restart: index, images, blobs and tags.
func TestSurvivesARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	host, stop := start(t, dir)
	index, err := random.Index(1000, 2, 2)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.WriteIndex(reference(t, host+"/shop/stock:1.0.0"), index); err != nil {
		t.Fatal(err)
	}
	stop()
	host, _ = start(t, dir)
	got, err := remote.Index(reference(t, host+"/shop/stock:1.0.0"))
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(got); err != nil {
		t.Error(err)
	}
	want, _ := index.Digest()
	if d, err := got.Digest(); d != want || err != nil {
		t.Errorf("%s, %v; expected %s", d, err, want)
	}
	tags, err := remote.List(reference(t, host+"/shop/stock:x").Context())
	if diff := cmp.Diff([]string{"1.0.0"}, tags); diff != "" || err != nil {
		t.Errorf("tags (-want +got):\n%s%v", diff, err)
	}
}

func TestSecondProcessIsTold(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := open(t, dir)
	_, err := Open(dir, "127.0.0.1:6000")
	var used *InUse
	if !errors.As(err, &used) || used.Address != "127.0.0.1:5000" || used.PID != os.Getpid() {
		t.Fatalf("second: %v", err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, dir)
}

// killedVariable makes the test binary a registry that is killed in a write.
const killedVariable = "LOOPBACK_TEST_DIR"

// A process that is killed leaves the lock free and nothing half written.
func TestKilled(t *testing.T) {
	if dir := os.Getenv(killedVariable); dir != "" {
		r := open(t, dir)
		w := send(t, r, "PUT", "/v2/stock/manifests/1.0.0", string(types.OCIImageIndex), `{"schemaVersion":2,"manifests":[]}`)
		if w.Code != http.StatusCreated {
			t.Fatal(w.Body)
		}
		reader, writer := io.Pipe()
		go func() {
			_, _ = writer.Write(make([]byte, 100_000))
			_, _ = os.Stdout.WriteString("half written\n")
		}()
		_ = r.write(r.path("stock", "manifests", "half"), reader)
		return
	}
	t.Parallel()
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKilled$")
	cmd.Env = append(os.Environ(), killedVariable+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, len("half written\n"))
	if _, err := io.ReadFull(out, line); err != nil || string(line) != "half written\n" {
		t.Fatalf("%q, %v", line, err)
	}
	var used *InUse
	if _, err := Open(dir, ""); !errors.As(err, &used) || used.PID != cmd.Process.Pid {
		t.Errorf("while it lives: %v", err)
	}
	if left, err := os.ReadDir(filepath.Join(dir, "tmp")); err != nil || len(left) != 1 {
		t.Errorf("half written: %v, %v", left, err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	r := open(t, dir)
	if left, err := os.ReadDir(filepath.Join(dir, "tmp")); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
	if w := send(t, r, "GET", "/v2/stock/manifests/1.0.0", "", ""); w.Code != http.StatusOK {
		t.Errorf("1.0.0: %d", w.Code)
	}
	if _, err := os.Stat(r.path("stock", "manifests", "half")); err == nil {
		t.Error("the half written file has its name")
	}
}

const emptyIndex = `{"schemaVersion":2,"manifests":[]}`

func TestAnswers(t *testing.T) {
	t.Parallel()
	r := open(t, t.TempDir())
	digest := string(evidence.Sum([]byte(emptyIndex)))
	indexType := string(types.OCIImageIndex)
	missing := string(evidence.Sum([]byte("missing")))
	for _, c := range []struct {
		method, target, contentType, body string
		status                            int
		says                              string
	}{
		{"GET", "/v2/", "", "", 200, ""},
		{"GET", "/v2/stock/manifests/1", "", "", 404, "MANIFEST_UNKNOWN"},
		{"GET", "/v2/stock/tags/list", "", "", 404, "NAME_UNKNOWN"},
		{"PUT", "/v2/stock/manifests/1", indexType, emptyIndex, 201, ""},
		{"PUT", "/v2/stock/manifests/2", indexType, emptyIndex, 201, ""},
		{"PUT", "/v2/stock/manifests/" + digest, indexType, emptyIndex, 201, ""},
		{"PUT", "/v2/stock/manifests/" + missing, indexType, emptyIndex, 400, "DIGEST_INVALID"},
		{"PUT", "/v2/stock/manifests/3", indexType, "no JSON", 400, "MANIFEST_INVALID"},
		{"PUT", "/v2/stock/manifests/3", "", emptyIndex, 400, "MANIFEST_INVALID"},
		{"PUT", "/v2/stock/manifests/3", indexType, `{"manifests":[{"digest":"` + missing + `"}]}`, 404, "MANIFEST_BLOB_UNKNOWN"},
		{"PUT", "/v2/stock/manifests/3", string(types.OCIManifestSchema1), `{"layers":[{"mediaType":"` + string(types.OCILayer) + `","digest":"` + missing + `"}]}`, 404, "MANIFEST_BLOB_UNKNOWN"},
		{"PUT", "/v2/stock/manifests/3", indexType, strings.Repeat(" ", maxManifest+1), 413, "MANIFEST_INVALID"},
		{"PUT", "/v2/stock/manifests/..", indexType, emptyIndex, 400, "MANIFEST_INVALID"},
		{"PUT", "/v2/Stock/manifests/3", indexType, emptyIndex, 400, "NAME_INVALID"},
		{"PUT", "/v2/../../manifests/3", indexType, emptyIndex, 400, "NAME_INVALID"},
		{"GET", "/v2/stock/manifests/1", "", "", 200, emptyIndex},
		{"HEAD", "/v2/stock/manifests/" + digest, "", "", 200, ""},
		{"GET", "/v2/stock/tags/list", "", "", 200, `{"name":"stock","tags":["1","2"]}`},
		{"GET", "/v2/stock/tags/list?n=1", "", "", 200, `"tags":["1"]`},
		{"GET", "/v2/stock/tags/list?n=1&last=1", "", "", 200, `"tags":["2"]`},
		{"GET", "/v2/stock/tags/list?n=x", "", "", 400, "PAGINATION_NUMBER_INVALID"},
		{"GET", "/v2/_catalog", "", "", 200, `{"repositories":["stock"]}`},
		{"GET", "/v2/stock/referrers/" + missing, "", "", 200, `"manifests":[]`},
		{"GET", "/v2/stock/referrers/x", "", "", 400, "DIGEST_INVALID"},
		{"POST", "/v2/stock/manifests/1", "", "", 405, "UNSUPPORTED"},
		{"DELETE", "/v2/stock/manifests/1", "", "", 202, ""},
		{"DELETE", "/v2/stock/manifests/1", "", "", 404, "MANIFEST_UNKNOWN"},
		{"DELETE", "/v2/stock/manifests/" + digest, "", "", 202, ""},
		{"GET", "/v2/stock/manifests/2", "", "", 404, "MANIFEST_UNKNOWN"},
		{"GET", "/v2/stock/tags/list", "", "", 200, `"tags":[]`},
	} {
		w := send(t, r, c.method, c.target, c.contentType, c.body)
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.says) {
			t.Errorf("%s %s: %d %s; expected %d %s", c.method, c.target, w.Code, w.Body, c.status, c.says)
		}
	}
}

// A page on the web may give its own name our address; the name betrays it.
func TestOnlyForItsOwnMachine(t *testing.T) {
	t.Parallel()
	r := open(t, t.TempDir())
	for host, want := range map[string]int{
		"127.0.0.1:5000": 200, "localhost:5000": 200, "[::1]:5000": 200, "evil.example.com:5000": 403, "10.0.0.1:5000": 403,
	} {
		req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v2/", nil)
		req.Host = host
		w := httptest.NewRecorder()
		r.ServeHTTP(w, req)
		if w.Code != want {
			t.Errorf("%s: %d; expected %d", host, w.Code, want)
		}
	}
	l := &foreignListener{}
	if err := Serve(t.Context(), t.TempDir(), l); err == nil || !strings.Contains(err.Error(), "127.0.0.1") || !l.closed {
		t.Errorf("on every address: %v, closed %v", err, l.closed)
	}
}

// foreignListener listens where others see it.
type foreignListener struct{ closed bool }

func (*foreignListener) Accept() (net.Conn, error) { return nil, errors.New("asked") }
func (l *foreignListener) Close() error            { l.closed = true; return nil }
func (*foreignListener) Addr() net.Addr            { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 80} }

func TestReferrers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := open(t, dir)
	subject := evidence.Sum([]byte("subject"))
	for i, artifact := range []string{"a/b", "c/d", ""} {
		body, err := json.Marshal(v1.Manifest{
			SchemaVersion: 2, MediaType: types.OCIManifestSchema1, ArtifactType: artifact,
			Subject:     &v1.Descriptor{Digest: v1.Hash{Algorithm: "sha256", Hex: subject.Hex()}},
			Annotations: map[string]string{"n": string(rune('0' + i))},
		})
		if err != nil {
			t.Fatal(err)
		}
		body = bytes.Replace(body, []byte(`"config":{"mediaType":"","size":0,"digest":":"},`), nil, 1)
		w := send(t, r, "PUT", "/v2/stock/manifests/"+string(evidence.Sum(body)), string(types.OCIManifestSchema1), string(body))
		if w.Code != http.StatusCreated || w.Header().Get("OCI-Subject") != string(subject) {
			t.Fatalf("%d %s %v", w.Code, w.Body, w.Header())
		}
	}
	// One whose manifest never arrived is not listed.
	if err := r.writeBytes(r.path("stock", "referrers", subject.Hex(), strings.Repeat("0", 64)), nil); err != nil {
		t.Fatal(err)
	}
	list := func(query string) (index v1.IndexManifest) {
		w := send(t, r, "GET", "/v2/stock/referrers/"+string(subject)+query, "", "")
		if err := json.Unmarshal(w.Body.Bytes(), &index); err != nil || w.Header().Get("Content-Type") != string(types.OCIImageIndex) {
			t.Fatalf("%s, %v", w.Body, err)
		}
		return index
	}
	if all := list(""); len(all.Manifests) != 3 {
		t.Errorf("%d referrers", len(all.Manifests))
	}
	one := list("?artifactType=c/d")
	if len(one.Manifests) != 1 || one.Manifests[0].ArtifactType != "c/d" || one.Manifests[0].Annotations["n"] != "1" {
		t.Errorf("of c/d: %+v", one.Manifests)
	}
}

// Content that is not what it is called is refused, and damage on the disk is
// found.
func TestWrongContent(t *testing.T) {
	t.Parallel()
	r := open(t, t.TempDir())
	digest := evidence.Sum([]byte("right"))
	if w := send(t, r, "POST", "/v2/stock/blobs/uploads/?digest="+string(digest), "application/octet-stream", "wrong"); w.Code != http.StatusBadRequest {
		t.Errorf("a wrong blob: %d %s", w.Code, w.Body)
	}
	if w := send(t, r, "HEAD", "/v2/stock/blobs/"+string(digest), "", ""); w.Code != http.StatusNotFound {
		t.Errorf("is there: %d", w.Code)
	}
	if w := send(t, r, "PUT", "/v2/stock/manifests/1", string(types.OCIImageIndex), emptyIndex); w.Code != http.StatusCreated {
		t.Fatal(w.Body)
	}
	name := r.path("stock", "manifests", evidence.Sum([]byte(emptyIndex)).Hex())
	if err := os.WriteFile(name, []byte("t\n{}"), 0o644); err != nil {
		t.Fatal(err)
	}
	if w := send(t, r, "GET", "/v2/stock/manifests/1", "", ""); w.Code != http.StatusInternalServerError || !strings.Contains(w.Body.String(), "damaged") {
		t.Errorf("damaged: %d %s", w.Code, w.Body)
	}
}
