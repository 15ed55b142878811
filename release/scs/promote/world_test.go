package promote_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/attach/repository"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/sign"
	"gitlab.com/selfcontained/pipeline/pipeline/gitrepo"
	"gitlab.com/selfcontained/pipeline/release"
	"gitlab.com/selfcontained/pipeline/release/gitlab"
	"gitlab.com/selfcontained/pipeline/release/gitlab/gitlabtest"
	"gitlab.com/selfcontained/pipeline/release/scs"
	"gitlab.com/selfcontained/pipeline/release/scs/passport"
	"gitlab.com/selfcontained/pipeline/release/scs/promote"
)

const projectPath = "shop/system"

// now is when everything happens.
func now() time.Time { return time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC) }

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
	git(t, w.Remote, "config", "receive.autogc", "false") // it costs two processes a push
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
