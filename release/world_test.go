package release_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/attach/repository"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/sign"
	"gitlab.com/selfcontained/pipeline/pipeline/gitrepo"
	"gitlab.com/selfcontained/pipeline/release"
	"gitlab.com/selfcontained/pipeline/release/gitlab"
	"gitlab.com/selfcontained/pipeline/release/gitlab/gitlabtest"
	"gitlab.com/selfcontained/pipeline/release/policy"
	"gitlab.com/selfcontained/pipeline/release/registry"
	"gitlab.com/selfcontained/pipeline/release/registry/loopback"
)

// world is what a release changes: a registry, a GitLab, and a clone. It is
// written down as JSON for the processes that release.
type world struct {
	Registry string // repository of the bundle
	Server   string // GitLab
	Token    string
	Clone    string
	Commit   string
	Layout   string
	Key      string // private key as PEM
	// ByGit makes the tag with git, and nothing in GitLab.
	ByGit bool

	double   *gitlabtest.Server
	project  *gitlabtest.Project
	registry string // folder
}

const projectPath = "shop/stock"

// newWorld makes a world in which nothing is released. The bundle and the key
// are given, so that equal releases leave equal bytes.
func newWorld(t *testing.T, bundle, key string, byGit bool) *world {
	t.Helper()
	w := &world{Layout: bundle, Key: key, ByGit: byGit, registry: t.TempDir()}
	r, err := loopback.Open(w.registry, "")
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(r)
	t.Cleanup(func() { server.Close(); r.Close() })
	w.Registry = strings.TrimPrefix(server.URL, "http://") + "/shop/stock"
	w.double = gitlabtest.New(t)
	w.Server = w.double.URL
	if w.project, err = w.double.Project(projectPath); err != nil {
		t.Fatal(err)
	}
	if w.Commit, err = w.project.Commit("main", "dev", "feat: begin", map[string]string{"README.md": "stock\n"}); err != nil {
		t.Fatal(err)
	}
	w.Token = w.project.AccessToken(gitlabtest.Maintainer, "api")
	if byGit {
		w.Clone = filepath.Join(t.TempDir(), "clone")
		git(t, "", "clone", "-q", w.project.Dir(), w.Clone)
	}
	return w
}

func git(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return string(out)
}

// newBundle writes a layout with an image and a chart.
func newBundle(t *testing.T) (dir string) { return bundleOf(t, "program") }

func newOtherBundle(t *testing.T) (dir string) { return bundleOf(t, "another program") }

func bundleOf(t *testing.T, program string) (dir string) {
	t.Helper()
	image, err := mutate.AppendLayers(mutate.MediaType(empty.Image, types.OCIManifestSchema1), static.NewLayer([]byte(program), types.OCILayer))
	if err != nil {
		t.Fatal(err)
	}
	chart := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), "application/vnd.cncf.helm.config.v1+json")
	if chart, err = mutate.AppendLayers(chart, static.NewLayer([]byte("chart"), "application/vnd.cncf.helm.chart.content.v1.tar+gzip")); err != nil {
		t.Fatal(err)
	}
	index := mutate.AppendManifests(mutate.IndexMediaType(empty.Index, types.OCIImageIndex), mutate.IndexAddendum{Add: image}, mutate.IndexAddendum{Add: chart})
	dir = t.TempDir()
	l, err := layout.Write(dir, empty.Index)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.AppendIndex(index); err != nil {
		t.Fatal(err)
	}
	return dir
}

// releaser is one process's way to the world. effect is told each change before
// (done is false) and after it.
type releaser struct {
	*world
	effect func(what string, done bool)
}

// plan is the release of version 1.2.0, from fixed facts.
func (r *releaser) plan() (*release.Plan, error) {
	l, err := registry.OpenLayout(r.Layout)
	if err != nil {
		return nil, err
	}
	p := &release.Plan{Layout: l, Draft: &release.Draft{
		Service: "stock", Version: "1.2.0", Tag: "v1.2.0", Commit: r.Commit, Bundle: l.Digest(), Notes: "First release.\n",
	}}
	journal := func(e repository.Effect, done bool) error {
		r.effect("registry "+e.Kind+" "+e.Target, done)
		return nil
	}
	if p.Registry, err = repository.Open(r.Registry, repository.Options{Journal: journal, Jobs: 1}); err != nil {
		return nil, err
	}
	if p.Chart, err = chartOf(l); err != nil {
		return nil, err
	}
	if p.ChartRegistry, err = registry.ChartRepository(p.Registry, "stock"); err != nil {
		return nil, err
	}
	if p.Statements, err = r.statements(p); err != nil {
		return nil, err
	}
	if r.ByGit {
		p.Tagger = &journaledTag{r, r.tag("")}
		return p, nil
	}
	for _, name := range []string{"stock-1.2.0.tgz", "stock-1.2.0.sha256"} {
		data := []byte("content of " + name)
		p.Assets = append(p.Assets, gitlab.Asset{Package: "stock", Version: "1.2.0", Name: name, Content: data, SHA256: evidence.Sum(data).Hex()})
	}
	p.Forge, err = gitlab.New(gitlab.Config{
		Server: r.Server, Project: projectPath, Token: gitlab.NewToken(gitlab.KindAccess, r.Token), Pause: time.Millisecond,
		Transport: journaledTransport{r},
	})
	return p, err
}

func chartOf(l *registry.Layout) (evidence.Digest, error) {
	m, err := l.Manifest(context.Background(), string(l.Digest()))
	if err != nil {
		return "", err
	}
	var index struct {
		Manifests []struct{ Digest evidence.Digest }
	}
	err = json.Unmarshal(m.Raw, &index)
	return index.Manifests[1].Digest, err
}

func (r *releaser) statements(p *release.Plan) ([][]byte, error) {
	signer, err := sign.ReadPrivate(r.Key, nil)
	if err != nil {
		return nil, err
	}
	at := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	var stages []release.StageVerdict
	for _, stage := range []string{"build", "module"} {
		stages = append(stages, release.StageVerdict{Stage: stage, Status: "passed", Verdict: &evidence.Verdict{
			Key: evidence.Sum([]byte(stage)), Run: "run", Started: at, Duration: time.Second,
		}})
	}
	about := sign.Subject{Name: "stock", Digest: p.Draft.Bundle}
	return p.Draft.Statements(signer, about, stages, policy.Release("main", []string{"build", "module"}), map[string]evidence.Digest{"chart": p.Chart})
}

func (r *releaser) tag(remote string) *release.GitTag {
	return &release.GitTag{Repo: &gitrepo.Repo{Root: r.Clone}, Remote: remote}
}

// journaledTag tells of the two effects of a tag that is pushed.
type journaledTag struct {
	r *releaser
	*release.GitTag
}

func (j *journaledTag) Has(ctx context.Context, tag, commit string) (bool, error) {
	return j.r.tag("origin").Has(ctx, tag, commit)
}

func (j *journaledTag) Make(ctx context.Context, tag, commit string) error {
	j.r.effect("git tag", false)
	if err := j.r.tag("").Make(ctx, tag, commit); err != nil {
		return err
	}
	j.r.effect("git tag", true)
	j.r.effect("git push", false)
	if err := j.r.tag("origin").Make(ctx, tag, commit); err != nil {
		return err
	}
	j.r.effect("git push", true)
	return nil
}

// journaledTransport tells of the requests to GitLab that are no reads.
type journaledTransport struct{ r *releaser }

func (j journaledTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method == http.MethodGet || req.Method == http.MethodHead {
		return http.DefaultTransport.RoundTrip(req)
	}
	what := "gitlab " + req.Method + " " + req.URL.EscapedPath()
	j.r.effect(what, false)
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err == nil {
		j.r.effect(what, true)
	}
	return resp, err
}

func testContext() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), time.Minute)
}

// run releases.
func (r *releaser) run(ctx context.Context) error {
	p, err := r.plan()
	if err != nil {
		return err
	}
	steps := p.Steps()
	if _, err := release.Check(ctx, steps); err != nil {
		return err
	}
	return release.Apply(ctx, steps, func(release.Step, bool) {})
}

// state is everything that a release leaves behind, as text.
func (w *world) state(t *testing.T) string {
	t.Helper()
	forge, err := w.double.Dump()
	if err != nil {
		t.Fatal(err)
	}
	refs := ""
	if w.ByGit {
		refs = git(t, w.Clone, "for-each-ref", "--format=%(refname) %(objectname)")
	}
	return fmt.Sprintf("%s\n%s\n%s", files(t, w.registry), forge, refs)
}

// files lists the files of a registry with their digests. The host's port is
// the one thing in it that differs from world to world.
func files(t *testing.T, dir string) string {
	t.Helper()
	var lines []string
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == "lock" {
			return err
		}
		data, err := os.ReadFile(name)
		lines = append(lines, strings.TrimPrefix(name, dir)+" "+evidence.Sum(data).Hex())
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}
