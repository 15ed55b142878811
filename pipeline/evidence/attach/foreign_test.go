package attach

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/attach/registrytest"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/attach/repository"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/sign"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/sign/signtest"
)

// cosign runs `cosign verify-attestation` with the flags of the package's
// documentation.
func cosign(t *testing.T, program, key, predicateType, image string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, "verify-attestation", "--key", key, "--insecure-ignore-tlog",
		"--allow-http-registry", "--type", predicateType, image)
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// Cosign verifies what we attach, and refuses what we refuse.
func TestCosignVerifies(t *testing.T) {
	t.Parallel()
	program := registrytest.Built(t, registrytest.Cosign)
	key := signtest.Signer(t)
	trust := sign.Trust{Keys: []*sign.PublicKey{key.Public()}}
	file := filepath.Join(t.TempDir(), "cosign.pub")
	if err := os.WriteFile(file, key.Public().PEM(), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, kind := range registrytest.All() {
		t.Run(kind.Name, func(t *testing.T) {
			t.Parallel()
			ref := kind.Start(t) + "/shop/stock"
			r := open(t, ref, repository.Options{})
			attached := func(change func(envelope []byte) []byte) (image string, about evidence.Digest) {
				about = aBundle(t, ref)
				if _, err := Put(t.Context(), r, change(verdict(t, key, about, "stock/unit"))); err != nil {
					t.Fatal(err)
				}
				return ref + "@" + string(about), about
			}
			good, _ := attached(func(e []byte) []byte { return e })
			out, err := cosign(t, program, file, sign.VerdictType, good)
			if err != nil || !strings.Contains(out, `"payloadType":"application/vnd.in-toto+json"`) {
				t.Errorf("cosign: %v\n%s", err, out)
			}
			if out, err := cosign(t, program, file, sign.ReleaseType, good); err == nil {
				t.Errorf("cosign takes a verdict for a release:\n%s", out)
			}
			// Another character within the signature's base64: both refuse.
			bad, about := attached(func(e []byte) []byte {
				at := bytes.Index(e, []byte(`"sig":"`)) + 30
				e = bytes.Clone(e)
				if e[at] == 'A' {
					e[at] = 'B'
				} else {
					e[at] = 'A'
				}
				return e
			})
			if out, err := cosign(t, program, file, sign.VerdictType, bad); err == nil {
				t.Errorf("cosign accepts a changed signature:\n%s", out)
			}
			all, err := List(t.Context(), r, about)
			if err != nil || len(all) != 1 {
				t.Fatalf("%d attached, %v", len(all), err)
			}
			if _, err := sign.Verify(all[0].Envelope, trust, about, now()); err == nil {
				t.Error("we accept a changed signature")
			}
		})
	}
}

// What cosign attests with our key format is listed and verified by us.
func TestCosignSignsWithOurKey(t *testing.T) {
	t.Parallel()
	program := registrytest.Built(t, registrytest.Cosign)
	private, public, err := sign.New([]byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, data := range map[string][]byte{"cosign.key": private, "predicate.json": []byte("{}")} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ref := registrytest.InProcess(t, true) + "/shop/stock"
	about := aBundle(t, ref)
	cmd := exec.CommandContext(t.Context(), program, "attest", "--key", "cosign.key", "--predicate", "predicate.json",
		"--type", "https://example.com/foreign/v1", "--allow-http-registry", "--use-signing-config=false", "--tlog-upload=false", "-y", ref+"@"+string(about))
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+dir, "COSIGN_PASSWORD=secret")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("cosign attest: %v\n%s", err, out)
	}
	all, err := List(t.Context(), open(t, ref, repository.Options{}), about)
	if err != nil || len(all) != 1 || all[0].Err != nil {
		t.Fatalf("%+v, %v", all, err)
	}
	key, err := sign.ReadPublic(string(public))
	if err != nil {
		t.Fatal(err)
	}
	// The signature is good; the type is not one of ours.
	_, err = sign.Verify(all[0].Envelope, sign.Trust{Keys: []*sign.PublicKey{key}}, about, now())
	if err == nil || !strings.Contains(err.Error(), sign.ErrType.Error()) {
		t.Errorf("Verify: %v; expected %v", err, sign.ErrType)
	}
}
