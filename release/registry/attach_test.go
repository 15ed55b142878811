package registry

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/attach"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/attach/registrytest"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/attach/repository"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/sign"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/sign/signtest"
)

// Our registry keeps statements as others do: many writers at once, a copy into
// the repository of a promotion, and cosign verifies them.
func TestStatementsInOurRegistry(t *testing.T) {
	t.Parallel()
	ref, b, now := ours(t)+"/shop/stock", aBundle(t, "1.4.2"), time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	key := signtest.Signer(t)
	from, to := open(t, ref, repository.Options{}), open(t, ref+"/staging", repository.Options{})
	if err := errors.Join(Push(t.Context(), from, b, b.Digest()), Push(t.Context(), to, from, b.Digest())); err != nil {
		t.Fatal(err)
	}
	stages := []string{"build", "container", "integration", "lint", "module", "unit"}
	group, ctx := errgroup.WithContext(t.Context())
	for _, stage := range stages {
		envelope, err := key.Sign(sign.Subject{Name: ref, Digest: b.Digest()}, sign.Verdict{
			Terms: sign.Terms{Issued: now}, Stage: stage, Status: "passed", Inputs: evidence.Sum(nil), Started: now,
			Version: "1.4.2", Commit: "c0ffee",
		})
		if err != nil {
			t.Fatal(err)
		}
		group.Go(func() error {
			_, err := attach.Put(ctx, from, envelope)
			return err
		})
	}
	if err := errors.Join(group.Wait(), attach.Copy(t.Context(), to, from, b.Digest())); err != nil {
		t.Fatal(err)
	}
	for _, r := range []*repository.Repository{from, to} {
		all, err := attach.List(t.Context(), r, b.Digest())
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, a := range all {
			s, err := sign.Verify(a.Envelope, sign.Trust{Keys: []*sign.PublicKey{key.Public()}}, b.Digest(), now)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, s.Predicate.(sign.Verdict).Stage)
		}
		if slices.Sort(got); !slices.Equal(got, stages) {
			t.Errorf("%s has %v", r, got)
		}
	}
	cosign(t, key, to.String()+"@"+string(b.Digest()))
}

func cosign(t *testing.T, key *sign.Signer, image string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "cosign.pub")
	if err := os.WriteFile(file, key.Public().PEM(), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), registrytest.Built(t, registrytest.Cosign), "verify-attestation", "--key", file,
		"--insecure-ignore-tlog", "--allow-http-registry", "--type", sign.VerdictType, image)
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("cosign: %v\n%s", err, out)
	}
}
