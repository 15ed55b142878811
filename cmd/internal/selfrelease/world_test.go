package selfrelease

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"gitlab.com/selfcontained/pipeline/release/gitlab/gitlabtest"
	"gitlab.com/selfcontained/pipeline/release/registry/loopback"
)

// top is the root of this repository.
const top = "../../.."

const projectPath = "selfcontained/pipeline"

// world is a repository of the tool with a GitLab and a registry.
type world struct {
	t       *testing.T
	clone   string
	program string // of this commit
	files   string // folder of what was downloaded
	key     string // path without extension
	env     []string
	secrets map[string]string // by what they are
	printed bytes.Buffer

	image    string // repository of the bundle
	registry string // folder
	gitlab   *gitlabtest.Server
	// gitlabDir is the folder of its state.
	gitlabDir string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, clone: filepath.Join(t.TempDir(), "pipeline"), files: t.TempDir(), registry: t.TempDir(), gitlabDir: t.TempDir()}
	w.key = filepath.Join(t.TempDir(), "release")
	w.secrets = map[string]string{"the password": "correct horse battery staple"}
	w.env = append(cleanEnvironment(), "PIPELINE_CACHE="+t.TempDir(), "PIPELINE_SIGNING_PASSWORD="+w.secrets["the password"],
		"GIT_AUTHOR_NAME=A Developer", "GIT_AUTHOR_EMAIL=dev@example.com", "GIT_COMMITTER_NAME=A Developer", "GIT_COMMITTER_EMAIL=dev@example.com")
	w.build()
	host := w.serveRegistry()
	w.image = host + "/" + projectPath
	w.copyTree()
	w.configure(host)
	w.startGitLab()
	w.newKey()
	return w
}

// cleanEnvironment is that of this process without what a CI job or a user sets
// for the tool.
func cleanEnvironment() []string {
	return slices.DeleteFunc(os.Environ(), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return name == "CI" || strings.HasPrefix(name, "CI_") || strings.HasPrefix(name, "GITLAB_") || strings.HasPrefix(name, "PIPELINE_") || strings.HasPrefix(name, "GIT_")
	})
}

// exec runs a command that has to succeed, and returns its stdout.
func (w *world) exec(dir string, args ...string) string {
	w.t.Helper()
	cmd := exec.CommandContext(w.t.Context(), args[0], args[1:]...)
	cmd.Dir, cmd.Env = dir, w.env
	var out, all bytes.Buffer
	cmd.Stdout, cmd.Stderr = io.MultiWriter(&out, &all), &all
	err := cmd.Run()
	w.printed.Write(all.Bytes())
	if err != nil {
		w.t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, all.Bytes())
	}
	return out.String()
}

// must runs the program in the clone.
func (w *world) must(args ...string) string {
	w.t.Helper()
	begin := time.Now()
	defer func() { w.t.Logf("%.1f s: pipeline %s", time.Since(begin).Seconds(), args[0]) }()
	return w.exec(w.clone, append([]string{w.program}, args...)...)
}

// build makes the program of this commit, with the flags of the Makefile: what
// was compiled for that is found again.
func (w *world) build() {
	w.t.Helper()
	w.program = filepath.Join(w.t.TempDir(), "pipeline")
	cmd := exec.CommandContext(w.t.Context(), "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", w.program, "./cmd/pipeline")
	cmd.Dir, cmd.Env = top, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		w.t.Fatalf("go build: %v\n%s", err, out)
	}
}

// serveRegistry serves a registry that has a base image.
func (w *world) serveRegistry() (host string) {
	w.t.Helper()
	r, err := loopback.Open(w.registry, "")
	if err != nil {
		w.t.Fatal(err)
	}
	server := httptest.NewServer(r)
	w.t.Cleanup(func() { server.Close(); r.Close() })
	host = strings.TrimPrefix(server.URL, "http://")
	ref, err := name.ParseReference(host + "/base/golang:1")
	if err != nil {
		w.t.Fatal(err)
	}
	index := mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: baseImage(w.t)})
	if err := remote.WriteIndex(ref, index); err != nil {
		w.t.Fatal(err)
	}
	return host
}

// baseFile is what tells the base image in others.
const baseFile = "usr/local/go/VERSION"

func baseImage(t *testing.T) v1.Image {
	t.Helper()
	var layer bytes.Buffer
	a := tar.NewWriter(&layer)
	err := errors.Join(a.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: baseFile, Mode: 0o644, Size: 2}), ignoreCount(a.Write([]byte("go"))), a.Close())
	if err != nil {
		t.Fatal(err)
	}
	l, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(layer.Bytes())), nil })
	if err != nil {
		t.Fatal(err)
	}
	image, err := mutate.AppendLayers(empty.Image, l)
	if err != nil {
		t.Fatal(err)
	}
	file, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	file = file.DeepCopy()
	file.OS, file.Architecture = "linux", runtime.GOARCH
	if image, err = mutate.ConfigFile(image, file); err != nil {
		t.Fatal(err)
	}
	return image
}

func ignoreCount(_ int, err error) error { return err }

// copyTree copies what is or would be committed.
func (w *world) copyTree() {
	w.t.Helper()
	out, err := exec.Command("git", "-C", top, "ls-files", "-z", "--cached", "--others", "--exclude-standard").Output()
	if err != nil {
		w.t.Fatalf("git ls-files: %v", err)
	}
	for file := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		from, to := filepath.Join(top, file), filepath.Join(w.clone, file)
		info, err := os.Stat(from)
		if errors.Is(err, os.ErrNotExist) || err == nil && !info.Mode().IsRegular() {
			continue
		}
		data, readErr := os.ReadFile(from)
		if err := errors.Join(err, readErr, os.MkdirAll(filepath.Dir(to), 0o755)); err != nil {
			w.t.Fatal(err)
		}
		if err := os.WriteFile(to, data, info.Mode().Perm()); err != nil {
			w.t.Fatal(err)
		}
	}
}

// configure edits pipeline.yaml and makes the first commit.
func (w *world) configure(host string) {
	w.t.Helper()
	file := filepath.Join(w.clone, "pipeline.yaml")
	data, err := os.ReadFile(file)
	if err != nil {
		w.t.Fatal(err)
	}
	text := string(data)
	for old, edited := range map[string]string{
		"base: docker.io/library/golang:1.26-bookworm":                      "base: " + host + "/base/golang:1",
		"platforms: [linux/amd64, linux/arm64, darwin/amd64, darwin/arm64]": "platforms: [linux/" + runtime.GOARCH + "]",
		"require: [build, unit, lint, container, module]":                   "require: [build, container, module]",
	} {
		if strings.Count(text, old) != 1 {
			w.t.Fatalf("pipeline.yaml has no line %q to edit", old)
		}
		text = strings.Replace(text, old, edited, 1)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		w.t.Fatal(err)
	}
	w.exec(w.clone, "git", "init", "-q", "-b", "main")
	w.exec(w.clone, "git", "add", "-A")
	w.exec(w.clone, "git", "commit", "-q", "-m", "feat: begin")
}

// startGitLab starts one with the project, and pushes the clone.
func (w *world) startGitLab() {
	w.t.Helper()
	w.gitlab = gitlabtest.At(w.t, w.gitlabDir)
	p, err := w.gitlab.Project(projectPath)
	if err != nil {
		w.t.Fatal(err)
	}
	p.Member("maria", gitlabtest.Maintainer)
	token := w.gitlab.AccessToken("maria", "api", "write_repository")
	w.secrets["the token"] = token
	w.env = append(w.env, "PIPELINE_GITLAB_TOKEN="+token)
	w.exec(w.clone, "git", "push", "-q", strings.Replace(p.CloneURL(), "://", "://oauth2:"+token+"@", 1), "main")
	w.exec(w.clone, "git", "remote", "add", "origin", strings.Replace(p.CloneURL(), "://", "://oauth2:"+token+"@", 1))
}

// newKey makes a key with the program. A line of the private key is what is
// looked for later.
func (w *world) newKey() {
	w.t.Helper()
	w.must("keys", "new", w.key)
	private, err := os.ReadFile(w.key + ".key")
	if err != nil {
		w.t.Fatal(err)
	}
	w.secrets["the private key"] = strings.Split(string(private), "\n")[1]
	w.env = append(w.env, "PIPELINE_SIGNING_KEY="+string(private)) // as GitLab gives a variable
}

func (w *world) dump() string {
	w.t.Helper()
	data, err := w.gitlab.Dump()
	if err != nil {
		w.t.Fatal(err)
	}
	return string(data)
}

// download fetches all files that the release in GitLab links to, and returns
// their names, sorted.
func (w *world) download() []string {
	w.t.Helper()
	var release struct {
		Assets struct {
			Links []struct{ Name, URL string }
		}
	}
	project := w.gitlab.URL + "/api/v4/projects/" + strings.ReplaceAll(projectPath, "/", "%2F")
	if err := json.Unmarshal(w.get(project+"/releases/v0%2E1%2E0"), &release); err != nil {
		w.t.Fatal(err)
	}
	var names []string
	for _, l := range release.Assets.Links {
		names = append(names, l.Name)
		if err := os.WriteFile(filepath.Join(w.files, filepath.Base(l.Name)), w.get(l.URL), 0o644); err != nil {
			w.t.Fatal(err)
		}
	}
	slices.Sort(names)
	return names
}

// checkImage looks for the program and the base in the image that the registry
// has under the version.
func (w *world) checkImage(program string) {
	w.t.Helper()
	ref, err := name.ParseReference(w.image + ":0.1.0")
	if err != nil {
		w.t.Fatal(err)
	}
	image, err := remote.Image(ref, remote.WithPlatform(v1.Platform{OS: "linux", Architecture: runtime.GOARCH}))
	if err != nil {
		w.t.Fatal(err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		w.t.Fatal(err)
	}
	if c := config.Config; c.User != "65532:65532" || !slices.Equal(c.Entrypoint, []string{"/pipeline"}) || !slices.Contains(c.Env, "HOME=/data") {
		w.t.Errorf("the image has user %q, entrypoint %q, environment %q", c.User, c.Entrypoint, c.Env)
	}
	found := map[string]string{}
	content := mutate.Extract(image)
	defer content.Close()
	for r := tar.NewReader(content); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		sum := sha256.New()
		if _, copyErr := io.Copy(sum, r); errors.Join(err, copyErr) != nil {
			w.t.Fatal(errors.Join(err, copyErr))
		}
		found[h.Name] = hex.EncodeToString(sum.Sum(nil))
	}
	if found["pipeline"] != sum(w.t, program) {
		w.t.Error("the image has another program than the archive")
	}
	for _, file := range []string{baseFile, "usr/share/doc/pipeline/LICENSE"} {
		if found[file] == "" {
			w.t.Errorf("the image has no /%s", file)
		}
	}
}
