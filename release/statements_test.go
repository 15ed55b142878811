package release_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/sign"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/sign/signtest"
	"gitlab.com/selfcontained/pipeline/release"
	"gitlab.com/selfcontained/pipeline/release/changelog"
)

// releaseStatement returns what the statement of a release says.
func releaseStatement(t *testing.T, in release.Input) sign.Release {
	t.Helper()
	d, err := release.Decide(in)
	if err != nil {
		t.Fatal(err)
	}
	signer := signtest.Signer(t)
	stages := []release.StageVerdict{{Stage: "unit", Status: "passed", Verdict: &evidence.Verdict{Key: evidence.Sum(nil), Started: now().Add(-time.Hour)}}}
	envelopes, err := d.Statements(signer, sign.Subject{Name: "stock", Digest: in.Bundle}, stages, in.Policy, nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := sign.Verify(envelopes[len(envelopes)-1], sign.Trust{Keys: []*sign.PublicKey{signer.Public()}}, in.Bundle, now())
	if err != nil {
		t.Fatal(err)
	}
	r, err := sign.As[sign.Release](s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// The notes in the statement are the same on whatever day the release is
// finished.
func TestStatementCarriesTheChanges(t *testing.T) {
	t.Parallel()
	in := ready()
	in.Written = "Read this first."
	first := releaseStatement(t, in)
	if !strings.Contains(first.Notes, "give back") || strings.Contains(first.Notes, in.Written) {
		t.Errorf("the notes are %q", first.Notes)
	}
	in.Now, in.Written = in.Now.AddDate(0, 0, 3), ""
	if second := releaseStatement(t, in); second.Notes != first.Notes {
		t.Errorf("three days later they are %q, before %q", second.Notes, first.Notes)
	}
}

func TestLongChangesAreCutAfterALine(t *testing.T) {
	t.Parallel()
	in := ready()
	for i := range 3000 {
		in.Commits = append(in.Commits, changelog.Commit{Hash: fmt.Sprintf("%040x", i), Type: "feat", Subject: fmt.Sprintf("an improvement of part %d", i)})
	}
	notes := releaseStatement(t, in).Notes
	if len(notes) > sign.MaxNotes || len(notes) < sign.MaxNotes/2 || !strings.HasSuffix(notes, "\n") {
		t.Errorf("%d bytes, ending with %q", len(notes), notes[len(notes)-20:])
	}
}
