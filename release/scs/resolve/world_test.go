package resolve_test

import (
	"strings"
	"testing"
	"time"

	"gitlab.com/selfcontained/pipeline/pipeline/bundle"
	"gitlab.com/selfcontained/pipeline/pipeline/bundle/bundletest"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/attach"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/attach/repository"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/sign"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/sign/signtest"
	"gitlab.com/selfcontained/pipeline/release/scs"
	"gitlab.com/selfcontained/pipeline/release/scs/resolve"
)

// now is when the tests take place.
func now() time.Time { return time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC) }

func stages() []string { return []string{"unit", "container"} }

// world is a registry with the service stock.
type world struct {
	t      *testing.T
	repo   *repository.Repository
	signer *sign.Signer
	in     resolve.Input
}

func newWorld(t *testing.T, host string) *world {
	t.Helper()
	repo, err := repository.Open(host+"/shop/stock", repository.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, repo: repo, signer: signtest.Signer(t)}
	w.in = resolve.Input{
		System: "shop", Require: stages(), Now: now(), Trust: sign.Trust{Keys: []*sign.PublicKey{w.signer.Public()}},
		Services: []resolve.Service{{Name: "stock", Source: repo}},
	}
	return w
}

// released is a version as its statements say it; tests change some of it.
type released struct {
	tag      string
	bundle   bundletest.Spec
	release  *sign.Release
	verdicts []sign.Verdict
	signer   *sign.Signer
	digest   evidence.Digest
}

// put releases a version.
func (w *world) put(version string, change ...func(*released)) *released {
	w.t.Helper()
	terms := sign.Terms{Issued: now().Add(-time.Hour), Sequence: 1}
	r := &released{
		tag: version, signer: w.signer,
		bundle: bundletest.Spec{
			Name: "stock", Version: version,
			Provides: []bundle.API{{Title: "api/stock.binpb", MediaType: "application/protobuf", Data: []byte(version)}},
		},
		release: &sign.Release{Terms: terms, Version: version, Commit: "c0ffee", Tag: "v" + version, Notes: "- notes of " + version},
	}
	for _, stage := range stages() {
		r.verdicts = append(r.verdicts, sign.Verdict{
			Terms: terms, Stage: "stock/" + stage, Status: "passed", Inputs: evidence.Sum([]byte(stage)), Started: terms.Issued,
			Version: version, Commit: "c0ffee",
		})
	}
	for _, c := range change {
		c(r)
	}
	b := bundletest.New(r.bundle)
	b.Push(w.t, w.repo, r.tag)
	r.digest = b.Digest
	if r.release != nil {
		w.attach(r.signer, r.digest, *r.release)
	}
	for _, v := range r.verdicts {
		w.attach(r.signer, r.digest, v)
	}
	return r
}

func (w *world) attach(by *sign.Signer, about evidence.Digest, p sign.Predicate) evidence.Digest {
	w.t.Helper()
	envelope, err := by.Sign(sign.Subject{Name: "stock", Digest: about}, p)
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := attach.Put(w.t.Context(), w.repo, envelope); err != nil {
		w.t.Fatal(err)
	}
	s, err := sign.Verify(envelope, sign.Trust{Keys: []*sign.PublicKey{by.Public()}}, about, p.In().Issued)
	if err != nil {
		w.t.Fatal(err)
	}
	return s.Digest
}

// choose resolves, and returns the choice of stock.
func (w *world) choose() *resolve.Choice {
	w.t.Helper()
	r, err := resolve.Resolve(w.t.Context(), w.in)
	if err != nil {
		w.t.Fatal(err)
	}
	return r.Choices[0]
}

// current makes a released version the one that the system has.
func (w *world) current(r *released) {
	w.in.Services[0].Current = &scs.Member{Service: "stock", Version: r.tag, Bundle: r.digest, Size: 1}
}

// shown writes a choice in a line: "1.0.0; 1.1.0 not verified".
func shown(c *resolve.Choice) string {
	list := []string{"none"}
	if c.Newest != nil {
		list[0] = c.Newest.Version
	}
	for _, r := range c.Refused {
		list = append(list, r.Version+" "+string(r.Reason))
	}
	return strings.Join(list, "; ")
}
