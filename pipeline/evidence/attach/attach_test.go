package attach

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/attach/repository"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/sign"
)

func now() time.Time { return time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC) }

func open(t testing.TB, ref string, o repository.Options) *repository.Repository {
	t.Helper()
	r, err := repository.Open(ref, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func reference(t testing.TB, text string) name.Reference {
	t.Helper()
	ref, err := name.ParseReference(text)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

// aBundle pushes an index and returns its digest.
func aBundle(t testing.TB, ref string) evidence.Digest {
	t.Helper()
	index, err := random.Index(200, 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	digest, err := index.Digest()
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.WriteIndex(reference(t, ref+"@"+digest.String()), index); err != nil {
		t.Fatal(err)
	}
	return evidence.Digest(digest.String())
}

func verdict(t testing.TB, key *sign.Signer, about evidence.Digest, stage string) []byte {
	t.Helper()
	envelope, err := key.Sign(sign.Subject{Name: "stock", Digest: about}, sign.Verdict{
		Terms: sign.Terms{Issued: now()}, Stage: stage, Status: "passed", Inputs: evidence.Sum(nil), Started: now(),
		Version: "1.4.2", Commit: "c0ffee",
	})
	if err != nil {
		t.Fatal(err)
	}
	return envelope
}

// stagesOf verifies what is attached and returns the stages, sorted.
func stagesOf(t testing.TB, all []Attached, key *sign.Signer, about evidence.Digest) []string {
	t.Helper()
	var stages []string
	for _, a := range all {
		s, err := sign.Verify(a.Envelope, sign.Trust{Keys: []*sign.PublicKey{key.Public()}}, about, now())
		if err := errors.Join(a.Err, err); err != nil {
			t.Fatal(err)
		}
		v, err := sign.As[sign.Verdict](s)
		if err != nil {
			t.Fatal(err)
		}
		stages = append(stages, v.Stage)
	}
	slices.Sort(stages)
	return stages
}

func TestBundleForm(t *testing.T) {
	t.Parallel()
	got, err := wrap([]byte(`{"payload":"<","payloadType":"t","signatures":[]}`))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{"publicKey":{}},` +
		`"dsseEnvelope":{"payload":"<","payloadType":"t","signatures":[]}}`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("bundle (-want +got):\n%s", diff)
	}
	if _, err := unwrap([]byte(`{"messageSignature":{}}`)); err == nil || !strings.Contains(err.Error(), "no DSSE envelope") {
		t.Errorf("a bundle without envelope: %v", err)
	}
}

func FuzzUnwrap(f *testing.F) {
	f.Add([]byte(`{"dsseEnvelope":{"payload":"","payloadType":"","signatures":[]}}`))
	f.Fuzz(func(t *testing.T, bundle []byte) {
		envelope, err := unwrap(bundle)
		if err == nil && !json.Valid(envelope) {
			t.Errorf("%q is no JSON", envelope)
		}
	})
}
