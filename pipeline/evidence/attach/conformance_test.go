package attach

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"golang.org/x/sync/errgroup"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/attach/registrytest"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/attach/repository"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/sign"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/sign/signtest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	for _, kind := range registrytest.All() {
		t.Run(kind.Name, func(t *testing.T) {
			t.Parallel()
			host, key := kind.Start(t), signtest.Signer(t)
			t.Run("what is put is listed", func(t *testing.T) { putAndList(t, host+"/a/stock", key) })
			t.Run("again is nothing", func(t *testing.T) { again(t, host+"/b/stock", key) })
			t.Run("many at once", func(t *testing.T) { manyAtOnce(t, host+"/c/stock", key, kind.Referrers) })
			t.Run("copied", func(t *testing.T) { copied(t, host, key) })
			t.Run("killed after any effect", func(t *testing.T) { killed(t, host+"/d/stock", key) })
			if !kind.Referrers { // only there is an index that clients write
				t.Run("overtaken", func(t *testing.T) { overtaken(t, host+"/h/stock", key) })
				t.Run("others' index is kept", func(t *testing.T) { othersKept(t, host+"/e/stock", key) })
			}
		})
	}
}

func putAndList(t *testing.T, ref string, key *sign.Signer) {
	about, other := aBundle(t, ref), aBundle(t, ref)
	r := open(t, ref, repository.Options{})
	for _, stage := range []string{"unit", "lint"} {
		if _, err := Put(t.Context(), r, verdict(t, key, about, stage)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Put(t.Context(), r, verdict(t, key, other, "build")); err != nil {
		t.Fatal(err)
	}
	all, err := List(t.Context(), r, about)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"lint", "unit"}, stagesOf(t, all, key, about)); diff != "" {
		t.Errorf("stages (-want +got):\n%s", diff)
	}
	none, err := List(t.Context(), r, evidence.Sum([]byte("unknown")))
	if err != nil || len(none) > 0 {
		t.Errorf("of an unknown bundle: %v, %v", none, err)
	}
	if _, err := Put(t.Context(), r, verdict(t, key, evidence.Sum([]byte("unknown")), "unit")); err == nil {
		t.Error("attached to what is not there")
	}
}

// recorder is a journal; from the stop-th call on it refuses.
type recorder struct {
	effects []string
	calls   int
	stop    int
}

var errStopped = errors.New("stopped")

func (r *recorder) journal(e repository.Effect, done bool) error {
	if r.calls++; r.stop > 0 && r.calls >= r.stop {
		return errStopped
	}
	if done {
		r.effects = append(r.effects, e.Kind)
	}
	return nil
}

func again(t *testing.T, ref string, key *sign.Signer) {
	about := aBundle(t, ref)
	envelope := verdict(t, key, about, "unit")
	if _, err := Put(t.Context(), open(t, ref, repository.Options{}), envelope); err != nil {
		t.Fatal(err)
	}
	var seen recorder
	if _, err := Put(t.Context(), open(t, ref, repository.Options{Journal: seen.journal}), envelope); err != nil {
		t.Fatal(err)
	}
	if len(seen.effects) > 0 {
		t.Errorf("attached again: %v", seen.effects)
	}
	all, err := List(t.Context(), open(t, ref, repository.Options{}), about)
	if err != nil || len(all) != 1 {
		t.Errorf("%d attached, %v", len(all), err)
	}
}

func manyAtOnce(t *testing.T, ref string, key *sign.Signer, referrers bool) {
	const writers, each = 6, 3
	about := aBundle(t, ref)
	group, ctx := errgroup.WithContext(t.Context())
	for w := range writers {
		var envelopes [][]byte
		for i := range each {
			envelopes = append(envelopes, verdict(t, key, about, fmt.Sprintf("s%d-%d", w, i)))
		}
		r := open(t, ref, repository.Options{})
		group.Go(func() error {
			for _, envelope := range envelopes {
				if _, err := Put(ctx, r, envelope); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	r := open(t, ref, repository.Options{})
	all, err := List(t.Context(), r, about)
	if err != nil || len(stagesOf(t, all, key, about)) != writers*each {
		t.Errorf("%d of %d attached, %v", len(all), writers*each, err)
	}
	index, err := readIndex(t.Context(), r, about)
	if err != nil {
		t.Fatal(err)
	}
	if !referrers && len(index.Manifests) != writers*each {
		t.Errorf("the index that others read has %d of %d", len(index.Manifests), writers*each)
	}
}

// overtaken lets another writer do all its work between our look at the index
// and our write, which then lacks what the other one wrote.
func overtaken(t *testing.T, ref string, key *sign.Signer) {
	about := aBundle(t, ref)
	other, done := verdict(t, key, about, "other"), false
	r := open(t, ref, repository.Options{Journal: func(e repository.Effect, after bool) error {
		if after || done || !strings.HasSuffix(e.Target, indexTag(about)) {
			return nil
		}
		done = true
		_, err := Put(t.Context(), open(t, ref, repository.Options{}), other)
		return err
	}})
	if _, err := Put(t.Context(), r, verdict(t, key, about, "mine")); err != nil || !done {
		t.Fatalf("overtaken: %v, %v", done, err)
	}
	index, err := readIndex(t.Context(), r, about)
	if err != nil || len(index.Manifests) != 2 {
		t.Errorf("the index has %d of 2, %v", len(index.Manifests), err)
	}
}

func copied(t *testing.T, host string, key *sign.Signer) {
	from, to := host+"/f/stock", host+"/g/stock"
	about := aBundle(t, from)
	source := open(t, from, repository.Options{})
	for _, stage := range []string{"unit", "lint"} {
		if _, err := Put(t.Context(), source, verdict(t, key, about, stage)); err != nil {
			t.Fatal(err)
		}
	}
	index, err := remote.Index(reference(t, from+"@"+string(about)))
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.WriteIndex(reference(t, to+"@"+string(about)), index); err != nil {
		t.Fatal(err)
	}
	target := open(t, to, repository.Options{})
	if err := Copy(t.Context(), target, source, about); err != nil {
		t.Fatal(err)
	}
	want, err := List(t.Context(), source, about)
	if err != nil {
		t.Fatal(err)
	}
	got, err := List(t.Context(), target, about)
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("copied (-want +got):\n%s%v", diff, err)
	}
}

// killed stops the writer before and after each of its effects, and runs again.
func killed(t *testing.T, ref string, key *sign.Signer) {
	about := aBundle(t, ref)
	for stop := 1; ; stop++ {
		envelope := verdict(t, key, about, fmt.Sprintf("s%02d", stop))
		_, err := Put(t.Context(), open(t, ref, repository.Options{Journal: (&recorder{stop: stop}).journal}), envelope)
		if err != nil && !errors.Is(err, errStopped) {
			t.Fatal(err)
		}
		if _, err := Put(t.Context(), open(t, ref, repository.Options{}), envelope); err != nil {
			t.Fatal(err)
		}
		all, listErr := List(t.Context(), open(t, ref, repository.Options{}), about)
		if listErr != nil || len(stagesOf(t, all, key, about)) != stop {
			t.Fatalf("stopped at %d: %d attached, %v", stop, len(all), listErr)
		}
		if err == nil {
			return
		}
	}
}

// othersKept checks that what another tool has put into the index stays.
func othersKept(t *testing.T, ref string, key *sign.Signer) {
	about := aBundle(t, ref)
	img, err := random.Image(100, 1)
	if err != nil {
		t.Fatal(err)
	}
	foreign := referrer{img, v1.Descriptor{MediaType: "application/vnd.oci.image.index.v1+json", Digest: v1.Hash{Algorithm: "sha256", Hex: about.Hex()}, Size: 1}}
	if err := remote.Write(reference(t, ref+":foreign"), foreign); err != nil {
		t.Fatal(err)
	}
	r := open(t, ref, repository.Options{})
	if _, err := Put(t.Context(), r, verdict(t, key, about, "unit")); err != nil {
		t.Fatal(err)
	}
	index, err := readIndex(t.Context(), r, about)
	if err != nil || len(index.Manifests) != 2 {
		t.Errorf("the index has %d of 2, %v", len(index.Manifests), err)
	}
	all, err := List(t.Context(), r, about)
	if err != nil || len(stagesOf(t, all, key, about)) != 1 {
		t.Errorf("%d attached, %v", len(all), err)
	}
}

// referrer is an image with a subject.
type referrer struct {
	v1.Image
	subject v1.Descriptor
}

func (r referrer) RawManifest() ([]byte, error) {
	m, err := r.Image.Manifest()
	if err != nil {
		return nil, err
	}
	m = m.DeepCopy()
	m.Subject = &r.subject
	return json.Marshal(m)
}

func (r referrer) Digest() (v1.Hash, error) {
	raw, err := r.RawManifest()
	if err != nil {
		return v1.Hash{}, err
	}
	h, _, err := v1.SHA256(bytes.NewReader(raw))
	return h, err
}
