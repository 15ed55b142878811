package promote_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/attach"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/attach/repository"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/sign"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/sign/signtest"
	"gitlab.com/selfcontained/pipeline/pipeline/gitrepo"
	"gitlab.com/selfcontained/pipeline/release"
	"gitlab.com/selfcontained/pipeline/release/gitlab"
	"gitlab.com/selfcontained/pipeline/release/gitlab/gitlabtest"
	"gitlab.com/selfcontained/pipeline/release/registry"
	"gitlab.com/selfcontained/pipeline/release/registry/loopback"
	"gitlab.com/selfcontained/pipeline/release/scs"
	"gitlab.com/selfcontained/pipeline/release/scs/passport"
	"gitlab.com/selfcontained/pipeline/release/scs/promote"
)

// supplies are what all worlds begin with: bundles that were released with their
// evidence, in a registry, and locks of them.
type supplies struct {
	registry string // folder
	key      string // private key as PEM, trusted
	person   string // private key of an approver
	locks    []*scs.Lock
}

const projectPath = "shop/system"

// now is when everything happens.
func now() time.Time { return time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC) }

// newSupplies releases stock and cart, and locks three combinations of them:
// 0.1.0, 0.1.1 with another stock, and 0.1.2 with another cart.
func newSupplies(t testing.TB) *supplies {
	t.Helper()
	s := &supplies{registry: t.TempDir(), key: signtest.PEM(t), person: signtest.PEM(t)}
	host := serve(t, s.registry)
	lock := func(version string, members ...string) {
		c := scs.Combination{System: "shop", Suite: evidence.Sum([]byte("suite"))}
		for _, m := range members {
			c = c.With(s.released(t, host, m))
		}
		s.locks = append(s.locks, &scs.Lock{Version: version, Combination: c})
	}
	lock("0.1.0", "cart 0.2.0", "stock 0.1.0")
	lock("0.1.1", "cart 0.2.0", "stock 0.1.1")
	lock("0.1.2", "cart 0.2.1", "stock 0.1.0")
	return s
}

// serve starts a registry over a folder and returns its host.
func serve(t testing.TB, dir string) string {
	t.Helper()
	r, err := loopback.Open(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(r)
	t.Cleanup(func() { server.Close(); r.Close() })
	return strings.TrimPrefix(server.URL, "http://")
}

// released pushes the bundle of "stock 0.1.0" with the statements of its release.
func (s *supplies) released(t testing.TB, host, name string) scs.Member {
	t.Helper()
	service, version, _ := strings.Cut(name, " ")
	image, err := mutate.AppendLayers(mutate.MediaType(empty.Image, types.OCIManifestSchema1), static.NewLayer([]byte(name), types.OCILayer))
	if err != nil {
		t.Fatal(err)
	}
	l, err := layout.Write(t.TempDir(), empty.Index)
	if err == nil {
		err = l.AppendIndex(mutate.AppendManifests(mutate.IndexMediaType(empty.Index, types.OCIImageIndex), mutate.IndexAddendum{Add: image}))
	}
	if err != nil {
		t.Fatal(err)
	}
	bundle, err := registry.OpenLayout(string(l))
	if err != nil {
		t.Fatal(err)
	}
	to := open(t, host+"/shop/"+service, nil)
	if err := registry.Push(t.Context(), to, bundle, bundle.Digest()); err != nil {
		t.Fatal(err)
	}
	raw, err := to.Manifest(t.Context(), string(bundle.Digest()))
	if err != nil {
		t.Fatal(err)
	}
	about := sign.Subject{Name: service, Digest: bundle.Digest()}
	terms := sign.Terms{Issued: now(), Sequence: 1}
	for _, p := range []sign.Predicate{
		sign.Release{Terms: terms, Version: version, Commit: "c", Tag: "v" + version},
		sign.Verdict{Terms: terms, Stage: service + "/unit", Status: "passed", Inputs: evidence.Sum(nil), Started: now(), Version: version, Commit: "c"},
	} {
		if _, err := attach.Put(t.Context(), to, s.sign(t, s.key, about, p)); err != nil {
			t.Fatal(err)
		}
	}
	return scs.Member{Service: service, Version: version, Bundle: bundle.Digest(), Size: int64(len(raw.Raw)), Source: "registry.example.com/shop/" + service}
}

func open(t testing.TB, ref string, journal repository.Journal) *repository.Repository {
	t.Helper()
	r, err := repository.Open(ref, repository.Options{Journal: journal, Jobs: 1})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (s *supplies) sign(t testing.TB, key string, about sign.Subject, p sign.Predicate) []byte {
	t.Helper()
	signer, err := sign.ReadPrivate(key, nil)
	if err != nil {
		t.Fatal(err)
	}
	e, err := signer.Sign(about, p)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// world is what a promotion changes: a registry, a GitLab, and a clone. It is
// written down as JSON for the processes that promote.
type world struct {
	Registry string // host
	Server   string // GitLab
	Token    string
	Clone    string
	Remote   string
	Keys     [2]string // PEM: who promotes, who approves
	Lock     []byte
	Verdict  []byte // of the suite
	Env      string
	Commit   string
	By       string
	Now      time.Time
	Rollback bool

	double  *gitlabtest.Server
	project *gitlabtest.Project
	dirs    [2]string // of the registry and of GitLab
}

// newWorld makes a world in which nothing is promoted, to promote a lock.
func newWorld(t testing.TB, s *supplies, lock *scs.Lock, env string) *world {
	t.Helper()
	w := &world{Keys: [2]string{s.key, s.person}, Env: env, By: "anna", Now: now()}
	w.open(t, s.registry, "", "")
	var err error
	if w.Commit, err = w.project.Commit("main", "dev", "chore: lock", map[string]string{"scs.lock": string(lock.Encode())}); err != nil {
		t.Fatal(err)
	}
	w.Token = w.project.AccessToken(gitlabtest.Maintainer, "api")
	git(t, "", "clone", "-q", "--template=", w.Remote, w.Clone)
	w.wants(t, lock)
	return w
}

// copy makes another world that is as this one is now.
func (w *world) copy(t testing.TB) *world {
	t.Helper()
	other := *w
	other.open(t, w.dirs[0], w.dirs[1], w.Clone)
	return &other
}

// open starts the servers over copies of folders; "" is an empty one.
func (w *world) open(t testing.TB, registry, forge, clone string) {
	t.Helper()
	dir := t.TempDir()
	w.dirs, w.Clone = [2]string{filepath.Join(dir, "registry"), filepath.Join(dir, "gitlab")}, filepath.Join(dir, "clone")
	for to, from := range map[string]string{w.dirs[0]: registry, w.dirs[1]: forge, w.Clone: clone} {
		if from == "" {
			continue
		}
		if err := os.CopyFS(to, os.DirFS(from)); err != nil {
			t.Fatal(err)
		}
	}
	w.Registry = serve(t, w.dirs[0])
	w.double = gitlabtest.At(t, w.dirs[1])
	w.Server, w.project = w.double.URL, w.double.MustProject(projectPath)
	w.Remote = w.project.Dir()
}

// wants makes a lock the one that is promoted, with a verdict of the suite.
func (w *world) wants(t testing.TB, lock *scs.Lock) {
	t.Helper()
	w.Lock = lock.Encode()
	w.Verdict = (&supplies{}).sign(t, w.Keys[0], sign.Subject{Name: "shop", Digest: lock.ID()}, suite(lock, now().Add(90*24*time.Hour)))
}

func suite(lock *scs.Lock, until time.Time) sign.Verdict {
	return sign.Verdict{
		Terms: sign.Terms{System: "shop", Issued: now(), Expires: until, Sequence: 1}, Stage: "shop/suite", Status: "passed",
		Inputs: evidence.Sum(nil), Started: now(), Version: lock.Version, Commit: "c",
	}
}

func git(t testing.TB, dir string, args ...string) string {
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

// promoter is one process's way to the world. effect is told each change before
// (done is false) and after it.
type promoter struct {
	*world
	effect func(what string, done bool)
}

func (w *world) rules() (passport.Rules, *sign.Signer, error) {
	signer, err := sign.ReadPrivate(w.Keys[0], nil)
	if err != nil {
		return passport.Rules{}, nil, err
	}
	person, err := sign.ReadPrivate(w.Keys[1], nil)
	if err != nil {
		return passport.Rules{}, nil, err
	}
	return passport.Rules{
		System: "shop", Require: []string{"unit"}, Trust: sign.Trust{Keys: []*sign.PublicKey{signer.Public()}},
		Environments: []passport.Environment{
			{Name: "staging"},
			{Name: "production", After: "staging", Approve: 1, Approvers: sign.Trust{Keys: []*sign.PublicKey{person.Public()}}},
		},
	}, signer, nil
}

func (p *promoter) repository(name string) (*repository.Repository, error) {
	return repository.Open(p.Registry+"/shop/"+name, repository.Options{Jobs: 1, Journal: func(e repository.Effect, done bool) error {
		p.effect("registry "+e.Kind+" "+e.Target, done)
		return nil
	}})
}

func (p *promoter) source(m scs.Member) (*repository.Repository, error) {
	return p.repository(m.Service)
}

// plan reads everything and decides.
func (p *promoter) plan(ctx context.Context) (*promote.Plan, error) {
	current, err := promote.ReadEnvironment(ctx, &gitrepo.Repo{Root: p.Clone}, p.Remote, p.Env)
	if err != nil {
		return nil, err
	}
	return p.planOn(ctx, current)
}

// planOn decides on what the environment is on.
func (p *promoter) planOn(ctx context.Context, current *promote.Environment) (*promote.Plan, error) {
	rules, signer, err := p.rules()
	if err != nil {
		return nil, err
	}
	plan := &promote.Plan{
		Current: current, Rules: rules, Source: p.source, Repo: &gitrepo.Repo{Root: p.Clone}, Remote: p.Remote, URL: "https://" + p.Env + ".example.com",
		Journal: func(effect string, done bool) { p.effect("git "+effect, done) },
	}
	if plan.Registry, err = p.repository("system"); err != nil {
		return nil, err
	}
	in := promote.Input{
		Rules: rules, Environment: p.Env, Lock: p.Lock, Current: plan.Current, Commit: p.Commit, By: p.By, Now: p.Now, Signer: signer, Rollback: p.Rollback,
	}
	if in.Evidence, err = p.evidence(ctx, plan.Registry); err != nil {
		return nil, err
	}
	if in.Seen, err = promote.ReadSeen(ctx, plan.Registry, p.Env, rules); err != nil {
		return nil, err
	}
	if plan.Draft, err = promote.Decide(in); err != nil {
		return nil, err
	}
	if !plan.Draft.Allowed() {
		return nil, &promote.RefusedError{Draft: plan.Draft}
	}
	plan.Forge, err = gitlab.New(gitlab.Config{
		Server: p.Server, Project: projectPath, Token: gitlab.NewToken(gitlab.KindAccess, p.Token), Pause: time.Millisecond,
		Transport: journaledTransport{p},
	})
	return plan, err
}

func (p *promoter) evidence(ctx context.Context, system *repository.Repository) (passport.Evidence, error) {
	lock, err := scs.ParseLock(scs.LockName, p.Lock)
	if err != nil {
		return nil, err
	}
	sources, unread, err := promote.ReadSources(ctx, p.source, lock.Combination)
	if err != nil || len(unread) > 0 {
		return nil, fmt.Errorf("%v %w", unread, err)
	}
	own, unread, err := promote.ReadEvidence(ctx, system, lock.Combination)
	if err != nil || len(unread) > 0 {
		return nil, fmt.Errorf("%v %w", unread, err)
	}
	return promote.Join(own, sources, passport.Evidence{lock.ID(): {p.Verdict}}), nil
}

// run promotes.
func (p *promoter) run(ctx context.Context) error {
	plan, err := p.plan(ctx)
	if err != nil {
		return err
	}
	return apply(ctx, plan)
}

func apply(ctx context.Context, plan *promote.Plan) error {
	steps := plan.Steps()
	if _, err := release.Check(ctx, steps); err != nil {
		return err
	}
	return release.Apply(ctx, steps, func(release.Step, bool) {})
}

// silent is a promoter whose effects nobody is told.
func (w *world) silent() *promoter { return &promoter{w, func(string, bool) {}} }

func (w *world) promote(t testing.TB) {
	t.Helper()
	if err := w.silent().run(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// journaledTransport tells of the requests to GitLab that are no reads.
type journaledTransport struct{ p *promoter }

func (j journaledTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method == http.MethodGet || req.Method == http.MethodHead {
		return http.DefaultTransport.RoundTrip(req)
	}
	what := "gitlab " + req.Method + " " + req.URL.EscapedPath()
	j.p.effect(what, false)
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err == nil {
		j.p.effect(what, true)
	}
	return resp, err
}

// state is everything that a promotion leaves behind, as text.
func (w *world) state(t testing.TB) string {
	t.Helper()
	forge, err := w.double.Dump()
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%s\n%s\n%s", files(t, w.dirs[0]), forge, git(t, w.Clone, "for-each-ref"))
}

// files lists the files of a registry with their digests.
func files(t testing.TB, dir string) string {
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

// look reads an environment as somebody who deploys it would, and says what is
// wrong with it. It returns the version; "" before the first promotion.
func (w *world) look(ctx context.Context, clone, env string) (string, error) {
	rules, _, err := w.rules()
	if err != nil {
		return "", err
	}
	e, err := promote.ReadEnvironment(ctx, &gitrepo.Repo{Root: clone}, w.Remote, env)
	if err != nil || e.Tip == "" {
		return "", err
	}
	if p := e.Judge(passport.Seen{}, rules, w.Now); !p.Valid() {
		return "", fmt.Errorf("commit %s: %+v", e.Tip, p.Refusals)
	}
	lock, err := scs.ParseLock(scs.LockName, e.Files[scs.LockName])
	if err != nil {
		return "", err
	}
	system, err := repository.Open(w.Registry+"/shop/system", repository.Options{})
	if err != nil {
		return "", err
	}
	return lock.Version, complete(ctx, system, lock.ID())
}

// complete reads a manifest and all that it names.
func complete(ctx context.Context, in *repository.Repository, digest evidence.Digest) error {
	m, err := in.Manifest(ctx, string(digest))
	if err == nil && m == nil {
		err = fmt.Errorf("%s is not there", digest)
	}
	if err != nil {
		return err
	}
	var named struct {
		Manifests, Layers []struct{ Digest evidence.Digest }
	}
	if err := json.Unmarshal(m.Raw, &named); err != nil {
		return err
	}
	for _, child := range named.Manifests {
		if err := complete(ctx, in, child.Digest); err != nil {
			return err
		}
	}
	for _, blob := range named.Layers {
		hash := strings.TrimPrefix(string(blob.Digest), "sha256:")
		resp, err := http.Get("http://" + in.Registry() + "/v2/shop/system/blobs/sha256:" + hash)
		if err != nil {
			return err
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("blob %s: %s", hash, resp.Status)
		}
	}
	return nil
}

func copyBody(w http.ResponseWriter, resp *http.Response) (int64, error) {
	return io.Copy(w, resp.Body)
}
