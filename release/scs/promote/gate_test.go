package promote_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence/attach"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/sign"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/sign/signtest"
	"gitlab.com/selfcontained/pipeline/pipeline/gitrepo"
	"gitlab.com/selfcontained/pipeline/release"
	"gitlab.com/selfcontained/pipeline/release/gitlab/gitlabtest"
	"gitlab.com/selfcontained/pipeline/release/scs"
	"gitlab.com/selfcontained/pipeline/release/scs/passport"
	"gitlab.com/selfcontained/pipeline/release/scs/promote"
)

// refused returns the classes of the refusals of a promotion, which must have no
// effect. The first remedy has to name something.
func (w *world) refused(t *testing.T, names ...string) []passport.Class {
	t.Helper()
	p := &promoter{w, func(what string, _ bool) { t.Errorf("an effect: %s", what) }}
	err := p.run(t.Context())
	var refused *promote.RefusedError
	if !errors.As(err, &refused) {
		t.Fatalf("not refused: %v", err)
	}
	for _, name := range names {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("%v does not name %s", err, name)
		}
	}
	var classes []passport.Class
	for _, r := range refused.Draft.Refusals {
		if r.Remedy == "" || r.Why == "" {
			t.Errorf("%+v", r)
		}
		classes = append(classes, r.Class)
	}
	return classes
}

// TestOrderAndConsent goes to production: not before staging, not without an
// approver, and not with the word of somebody else.
func TestOrderAndConsent(t *testing.T) {
	t.Parallel()
	s := newSupplies(t)
	w := newWorld(t, s, s.locks[0], "production")
	expect := func(want ...passport.Class) {
		t.Helper()
		if diff := cmp.Diff(want, w.refused(t)); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	}
	expect(passport.Order, passport.Consent)
	staging := *w
	staging.Env = "staging"
	staging.promote(t)
	expect(passport.Consent)
	system := open(t, w.Registry+"/shop/system", nil)
	consent := func(key, env string) {
		t.Helper()
		e := s.sign(t, key, sign.Subject{Name: "shop", Digest: s.locks[0].ID()}, sign.Consent{
			Terms: sign.Terms{System: "shop", Environment: env, Issued: now(), Sequence: 1}, By: "eva", At: now(),
		})
		if _, err := attach.Put(t.Context(), system, e); err != nil {
			t.Fatal(err)
		}
	}
	consent(s.key, "production")
	consent(s.person, "staging")
	expect(passport.Untrusted)
	consent(s.person, "production")
	w.promote(t)
	if version, err := w.look(t.Context(), w.Clone, "production"); version != "0.1.0" || err != nil {
		t.Errorf("%s, %v", version, err)
	}
	// What the branch of staging says is as good as what lies in the registry.
	e, err := promote.ReadEnvironment(t.Context(), &gitrepo.Repo{Root: w.Clone}, w.Remote, "staging")
	if err != nil {
		t.Fatal(err)
	}
	if ev := e.Evidence(); len(ev[s.locks[0].ID()]) != 1 {
		t.Errorf("%v", ev)
	}
}

// TestRollback goes back, by the same gate, and is a promotion of its own.
func TestRollback(t *testing.T) {
	t.Parallel()
	s := newSupplies(t)
	w := newWorld(t, s, s.locks[0], "staging")
	rules, _, err := w.rules()
	if err != nil {
		t.Fatal(err)
	}
	repo := &gitrepo.Repo{Root: w.Clone}
	back := func(version string) (*promote.Moved, error) {
		t.Helper()
		e, err := promote.ReadEnvironment(t.Context(), repo, w.Remote, "staging")
		if err != nil {
			t.Fatal(err)
		}
		return e.Rollback(rules, version)
	}
	if _, err := back(""); !errors.Is(err, promote.ErrNoRollback) {
		t.Errorf("before the first promotion: %v", err)
	}
	for _, lock := range s.locks {
		w.wants(t, lock)
		w.promote(t)
	}
	if _, err := back("9.9.9"); !errors.Is(err, promote.ErrNoRollback) {
		t.Errorf("to what it was never on: %v", err)
	}
	named, err := back("0.1.0")
	if err != nil || named.Sequence != 1 || named.ID != s.locks[0].ID() {
		t.Errorf("%+v, %v", named, err)
	}
	m, err := back("")
	if err != nil || m.Version != "0.1.1" {
		t.Fatalf("%+v, %v", m, err)
	}
	files, err := promote.ReadPast(t.Context(), repo, m)
	if err != nil || !cmp.Equal(files[scs.LockName], s.locks[1].Encode()) {
		t.Fatalf("%v %s", err, files[scs.LockName])
	}
	if got := promote.FileEvidence(files); len(got) != 3 || len(got[s.locks[1].ID()]) != 1 {
		t.Errorf("%d subjects", len(got))
	}
	// The verdict has expired by now.
	w.wants(t, s.locks[1])
	w.Rollback, w.Now = true, now().Add(91*24*time.Hour)
	if got := w.refused(t); len(got) != 1 || got[0] != passport.Expired {
		t.Errorf("%v", got)
	}
	w.Now = now()
	w.promote(t)
	w.check(t, s.locks[1], 4, "anna")
	if again, err := back(""); err != nil || again.Version != "0.1.2" || again.Rollback {
		t.Errorf("%+v, %v", again, err)
	}
	if message := git(t, w.Remote, "log", "-1", "--format=%s", "env/staging"); message != "Roll back staging to shop 0.1.1\n" {
		t.Errorf("%s", message)
	}
}

// TestExpiredInPlace promotes the same combination again when what is there does
// not hold any more and there is a new verdict.
func TestExpiredInPlace(t *testing.T) {
	t.Parallel()
	s := newSupplies(t)
	w := newWorld(t, s, s.locks[0], "staging")
	w.promote(t)
	w.Now = now().Add(91 * 24 * time.Hour)
	if got := w.refused(t); len(got) != 1 || got[0] != passport.Expired {
		t.Errorf("%v", got)
	}
	w.Verdict = s.sign(t, s.key, sign.Subject{Name: "shop", Digest: s.locks[0].ID()}, suite(s.locks[0], w.Now.Add(time.Hour)))
	w.promote(t)
	w.check(t, s.locks[0], 2, "anna")
	if version, err := w.look(t.Context(), w.Clone, "staging"); version != "0.1.0" || err != nil {
		t.Errorf("%s, %v", version, err)
	}
}

// TestBranchByHand has people write to the branch of an environment.
func TestBranchByHand(t *testing.T) {
	t.Parallel()
	s := newSupplies(t)
	w := newWorld(t, s, s.locks[0], "staging")
	// Somebody makes the branch from main, to protect it.
	git(t, w.Remote, "branch", "env/staging", "main")
	w.promote(t)
	if version, err := w.look(t.Context(), w.Clone, "staging"); version != "0.1.0" || err != nil {
		t.Errorf("%s, %v", version, err)
	}
	good := strings.TrimSpace(git(t, w.Remote, "rev-parse", "env/staging"))
	w.wants(t, s.locks[1])
	w.promote(t)
	better := strings.TrimSpace(git(t, w.Remote, "rev-parse", "env/staging"))
	w.wants(t, s.locks[2])
	// Somebody writes something else there.
	if _, err := w.project.Commit("env/staging", "dev", "fix: quickly", map[string]string{"scs.lock": "{}\n"}); err != nil {
		t.Fatal(err)
	}
	if got := w.refused(t, better); len(got) == 0 || got[0] != passport.Replayed {
		t.Errorf("%v", got)
	}
	// And takes away what promotes it.
	git(t, w.Remote, "update-ref", "refs/heads/env/staging", better)
	if _, err := w.project.Commit("env/staging", "dev", "fix: away", map[string]string{"promotion.json": "{}\n"}); err != nil {
		t.Fatal(err)
	}
	if got := w.refused(t, better); len(got) == 0 || got[0] != passport.Inconsistent {
		t.Errorf("%v", got)
	}
	// Somebody puts it back too far: the registry knows better.
	git(t, w.Remote, "update-ref", "refs/heads/env/staging", good)
	if got := w.refused(t, "number 2"); len(got) != 1 || got[0] != passport.Replayed {
		t.Errorf("%v", got)
	}
	git(t, w.Remote, "update-ref", "refs/heads/env/staging", better)
	w.promote(t)
	w.check(t, s.locks[2], 3, "anna")
}

func TestForeignKey(t *testing.T) {
	t.Parallel()
	s := newSupplies(t)
	w := newWorld(t, s, s.locks[0], "staging")
	rules, _, err := w.rules()
	if err != nil {
		t.Fatal(err)
	}
	p := w.silent()
	system, err := p.repository("system")
	if err != nil {
		t.Fatal(err)
	}
	ev, err := p.evidence(t.Context(), system)
	if err != nil {
		t.Fatal(err)
	}
	in := promote.Input{
		Rules: rules, Environment: "staging", Lock: w.Lock, Evidence: ev, Current: &promote.Environment{Name: "staging"},
		Commit: w.Commit, By: "anna", Now: w.Now, Signer: signtest.Signer(t),
	}
	d, err := promote.Decide(in)
	if err != nil || d.Allowed() || d.Refusals[0].Class != passport.Untrusted || !strings.Contains(d.Refusals[0].Remedy, "sign with a key") {
		t.Errorf("%+v, %v", d, err)
	}
	in.Signer = nil
	if _, err := promote.Decide(in); !errors.Is(err, sign.ErrNoKey) {
		t.Errorf("%v", err)
	}
}

// TestVersionTaken has another combination under the version of the system: that
// is found before the environment is moved.
func TestVersionTaken(t *testing.T) {
	t.Parallel()
	s := newSupplies(t)
	w := newWorld(t, s, s.locks[0], "staging")
	w.promote(t)
	other := *s.locks[1]
	other.Version = "0.1.0"
	w.wants(t, &other)
	p := &promoter{w, func(what string, _ bool) { t.Errorf("an effect: %s", what) }}
	if err := p.run(t.Context()); err == nil || !strings.Contains(err.Error(), "a version is never moved") {
		t.Errorf("%v", err)
	}
}

// TestRightsAreMissing takes away each right that a promotion needs. It is named
// before anything has changed.
func TestRightsAreMissing(t *testing.T) {
	t.Parallel()
	s := newSupplies(t)
	for name, c := range map[string]struct {
		take    func(t *testing.T, w *world)
		names   string // what the message has to name
		unknown string
	}{
		"nothing":              {func(*testing.T, *world) {}, "", ""},
		"push to the registry": {func(t *testing.T, w *world) { w.Registry = readOnly(t, w.Registry) }, "push", ""},
		"role": {func(_ *testing.T, w *world) {
			w.Token = w.project.AccessToken(gitlabtest.Reporter, "api")
		}, "Developer", "env/staging"},
		"protected branch": {func(_ *testing.T, w *world) {
			w.project.ProtectBranch(gitlabtest.ProtectedTag{Pattern: "env/*"})
		}, "", "env/staging"},
		"push to git": {func(_ *testing.T, w *world) {
			token := w.project.AccessToken(gitlabtest.Reporter, "api")
			w.Remote = strings.Replace(w.project.CloneURL(), "://", "://x:"+token+"@", 1)
		}, "env/staging", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, s, s.locks[0], "staging")
			c.take(t, w)
			before := w.state(t)
			plan, err := (&promoter{w, func(what string, _ bool) { t.Errorf("an effect: %s", what) }}).plan(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			unknown, err := plan.CheckRights(t.Context())
			var missing *release.MissingRightsError
			switch {
			case c.names == "" && err != nil:
				t.Errorf("nothing is missing: %v", err)
			case c.names != "" && (!errors.As(err, &missing) || !strings.Contains(err.Error(), c.names) || strings.Contains(err.Error(), "secret")):
				t.Errorf("%v; want a missing right that names %q", err, c.names)
			}
			if got := strings.Join(unknown, "\n"); !strings.Contains(got, c.unknown) || c.unknown == "" && got != "" {
				t.Errorf("unknown: %s", got)
			}
			if w.state(t) != before {
				t.Error("something was changed")
			}
		})
	}
}

// readOnly is a registry that lets nobody push.
func readOnly(t *testing.T, host string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			http.Error(w, `{"errors":[{"code":"DENIED","message":"requested access to the resource is denied"}]}`, http.StatusForbidden)
			return
		}
		http.Redirect(w, r, "http://"+host+r.URL.RequestURI(), http.StatusTemporaryRedirect)
	}))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}
