package sign

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
)

var update = flag.Bool("update", false, "write the golden files")

// aKey is a key without the cost of a password.
func aKey(t testing.TB) *Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &Signer{key}
}

func day(d int) time.Time { return time.Date(2026, 3, d, 10, 30, 0, 0, time.UTC) }

func aBundle() Subject {
	return Subject{Name: "registry.example.com/shop/stock", Digest: evidence.Sum([]byte("bundle"))}
}

func terms() Terms {
	return Terms{Policy: evidence.Sum([]byte("policy")), Issued: day(1), Expires: day(30), Sequence: 7, Run: "r1"}
}

// predicates are one of each kind, every field filled in.
func predicates() []Predicate {
	scs := terms()
	scs.System, scs.Environment = "shop", "production"
	return []Predicate{
		Verdict{
			Terms: terms(), Stage: "stock/unit", Status: "passed", Inputs: evidence.Sum([]byte("in")),
			Tools: map[string]string{"go": "1.26.8", "git": "2.39.5"}, Started: day(1), Milliseconds: 1500,
			Summary: "12 tests <&>", Version: "1.4.2", Commit: "c0ffee",
		},
		Verdict{
			Terms: terms(), Stage: "stock/lint", Status: "waived", Inputs: evidence.Sum([]byte("in")), Started: day(1),
			Version: "1.4.2", Commit: "c0ffee", Waiver: &Waiver{"until the library is fixed", day(20)},
		},
		Manual{Terms: terms(), By: "kim", At: day(1), Items: []Item{{"order a book", "passed", "with a coupon"}, {"pay", "failed", ""}}},
		Review{
			Terms: terms(), MergeRequest: "!12", Commit: "c0ffee", Author: "kim", Committers: []string{"lee"},
			LastPush: day(1), Approvals: []Approval{{"sam", day(2)}},
		},
		Override{Terms: terms(), Rule: "stage unit", Reason: "fire", By: "sam", At: day(1), Until: day(2)},
		Release{
			Terms: scs, Version: "1.4.2", Commit: "c0ffee", Tag: "stock/v1.4.2",
			Digests:    map[string]evidence.Digest{"chart": evidence.Sum([]byte("chart"))},
			Overridden: []Exception{{Rule: "stage unit", Reason: "fire", By: "sam", Until: day(2)}},
			Waived:     []Exception{{Rule: "stage lint", Reason: "later", Until: day(20)}}, Unsigned: true,
			Notes: "### Added\n\n- orders <b>&</b> \u2028 coupons\n",
		},
		Consent{Terms: scs, By: "kim", At: day(2), Note: "tried it"},
		Promotion{
			Terms: scs, Version: "0.3.0", Commit: "c0ffee", Lock: evidence.Sum([]byte("lock")), Evidence: evidence.Sum([]byte("evidence")),
			Previous: evidence.Sum([]byte("previous")), Rollback: true, By: "kim",
		},
		Promotion{ // the first one
			Terms: scs, Version: "0.1.0", Commit: "c0ffee", Lock: evidence.Sum([]byte("lock")), Evidence: evidence.Sum([]byte("evidence")), By: "ci",
		},
	}
}

func mustSign(t testing.TB, key *Signer, p Predicate) []byte {
	t.Helper()
	envelope, err := key.Sign(aBundle(), p)
	if err != nil {
		t.Fatal(err)
	}
	return envelope
}

func payloadOf(t testing.TB, envelope []byte) []byte {
	t.Helper()
	payload, _, err := openEnvelope(envelope)
	if err != nil {
		t.Fatal(err)
	}
	return payload
}

func TestSignedStatementsVerify(t *testing.T) {
	t.Parallel()
	key := aKey(t)
	trust := Trust{Keys: []*PublicKey{aKey(t).Public(), key.Public()}}
	for _, p := range predicates() {
		envelope := mustSign(t, key, p)
		s, err := Verify(envelope, trust, aBundle().Digest, day(10))
		if err != nil {
			t.Errorf("%s: %v", p.Type(), err)
			continue
		}
		want := &Statement{Subject: aBundle(), Predicate: p, Digest: evidence.Sum(payloadOf(t, envelope)), KeyID: key.Public().ID()}
		if diff := cmp.Diff(want, s); diff != "" {
			t.Errorf("%s (-want +got):\n%s", p.Type(), diff)
		}
		if again := mustSign(t, key, p); !bytes.Equal(again, envelope) {
			t.Errorf("%s: signed again it is another envelope", p.Type())
		}
	}
}

func TestStatementsAreWrittenAsDocumented(t *testing.T) {
	t.Parallel()
	var got bytes.Buffer
	for _, p := range predicates() {
		if err := json.Indent(&got, payloadOf(t, mustSign(t, aKey(t), p)), "", "  "); err != nil {
			t.Fatal(err)
		}
		got.WriteString("\n")
	}
	golden := filepath.Join("testdata", "statements.json")
	if *update {
		if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("statements (-want +got; -update accepts):\n%s", diff)
	}
}

func TestTimesAreNormal(t *testing.T) {
	t.Parallel()
	key := aKey(t)
	cet := time.FixedZone("CET", 3600)
	p := Override{Terms: terms(), Rule: "manual", Reason: "fire", By: "sam", At: day(1), Until: day(2)}
	moved := p
	moved.Issued, moved.At, moved.Until = p.Issued.In(cet).Add(time.Millisecond), p.At.In(cet), p.Until.In(cet)
	if !bytes.Equal(mustSign(t, key, p), mustSign(t, key, moved)) {
		t.Error("the same moments in another zone are another statement")
	}
}

func TestIncompletePredicatesAreNotSigned(t *testing.T) {
	t.Parallel()
	key := aKey(t)
	for _, p := range []Predicate{
		Verdict{}, Manual{}, Review{}, Override{}, Release{}, Consent{}, Promotion{},
		Verdict{Terms: terms(), Stage: "unit", Status: "green", Inputs: evidence.Sum(nil), Started: day(1), Version: "1.0.0", Commit: "c"},
		Verdict{Terms: terms(), Stage: "unit", Status: "waived", Inputs: evidence.Sum(nil), Started: day(1), Version: "1.0.0", Commit: "c"},
		Verdict{ // encoding/json would take the one for the other when reading
			Terms: terms(), Stage: "unit", Status: "passed", Inputs: evidence.Sum(nil), Started: day(1), Version: "1.0.0", Commit: "c",
			Tools: map[string]string{"go": "1", "Go": "2"},
		},
	} {
		if _, err := key.Sign(aBundle(), p); err == nil {
			t.Errorf("%+v is signed", p)
		}
	}
	for name, p := range incomplete() {
		if _, err := key.Sign(aBundle(), p); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%+v: %v; expected %q", p, err, name)
		}
	}
	if _, err := key.Sign(Subject{Digest: "sha256:12"}, predicates()[0]); err == nil {
		t.Error("a subject without digest is signed")
	}
}

// incomplete are predicates of a combination that lack one thing each, by its
// name.
func incomplete() map[string]Predicate {
	list := map[string]Predicate{}
	for name, change := range map[string]func(*Consent){
		"system": func(c *Consent) { c.System = "" }, "environment": func(c *Consent) { c.Environment = " " },
		"by": func(c *Consent) { c.By = "\t" }, "at": func(c *Consent) { c.At = time.Time{} },
		"issued": func(c *Consent) { c.Issued = time.Time{} }, "expires after issued": func(c *Consent) { c.Expires = c.Issued },
		"policy as sha256 digest": func(c *Consent) { c.Policy = "sha256:" },
	} {
		c := Consent{Terms: terms(), By: "kim", At: day(2)}
		c.System, c.Environment = "shop", "production"
		change(&c)
		list[name] = c
	}
	for name, change := range map[string]func(*Promotion){
		"needs system": func(p *Promotion) { p.System = "" }, "needs environment": func(p *Promotion) { p.Environment = "" },
		"version": func(p *Promotion) { p.Version = "" }, "commit": func(p *Promotion) { p.Commit = "" },
		"needs by":                  func(p *Promotion) { p.By = "" },
		"lock as sha256 digest":     func(p *Promotion) { p.Lock = "" },
		"evidence as sha256 digest": func(p *Promotion) { p.Evidence = p.Evidence[:70] },
		"previous as sha256 digest": func(p *Promotion) { p.Previous = "none" },
		"sequence of 1 or more":     func(p *Promotion) { p.Sequence = 0 },
		"sequence of 0 or more":     func(p *Promotion) { p.Sequence = -1 },
	} {
		p := Promotion{Terms: terms(), Version: "0.1.0", Commit: "c", Lock: evidence.Sum(nil), Evidence: evidence.Sum(nil), By: "ci"}
		p.System, p.Environment = "shop", "production"
		change(&p)
		list[name] = p
	}
	list["notes of at most 64 KiB"] = Release{Terms: terms(), Version: "1.0.0", Commit: "c", Tag: "v1.0.0", Notes: strings.Repeat("x", MaxNotes+1)}
	return list
}

// The longest notes still fit into an envelope, and text that is no UTF-8 makes
// a statement that can be verified, or none.
func TestNotes(t *testing.T) {
	t.Parallel()
	key := aKey(t)
	trust := Trust{Keys: []*PublicKey{key.Public()}}
	r := Release{Terms: terms(), Version: "1.0.0", Commit: "c", Tag: "v1.0.0", Notes: strings.Repeat("\x01", MaxNotes)}
	s, err := Verify(mustSign(t, key, r), trust, aBundle().Digest, day(10))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := As[Release](s); err != nil || got.Notes != r.Notes {
		t.Errorf("%d bytes of notes came back as %d; %v", len(r.Notes), len(got.Notes), err)
	}
	r.Notes = "caf\xe9"
	if envelope, err := key.Sign(aBundle(), r); err == nil {
		if _, err := Verify(envelope, trust, aBundle().Digest, day(10)); err != nil {
			t.Errorf("notes that are no UTF-8 are signed and cannot be verified: %v", err)
		}
	}
}

// resigned signs a payload that Sign would not write.
func resigned(t testing.TB, key *Signer, payloadType string, payload []byte) []byte {
	t.Helper()
	sum := sha256.Sum256(pae(payloadType, payload))
	sig, err := key.key.Sign(nil, sum[:], crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	data, err := marshal(envelope{payloadType, base64.StdEncoding.EncodeToString(payload), []signature{{Sig: base64.StdEncoding.EncodeToString(sig)}}})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestWhatIsNotAccepted(t *testing.T) {
	t.Parallel()
	key, other := aKey(t), aKey(t)
	good := mustSign(t, key, predicates()[0])
	payload := string(payloadOf(t, good))
	id := string(evidence.Sum([]byte(payload)))
	edit := func(old, new string) []byte {
		if !strings.Contains(payload, old) {
			t.Fatalf("%q is not in the payload", old)
		}
		return resigned(t, key, PayloadType, []byte(strings.Replace(payload, old, new, 1)))
	}
	trust := Trust{Keys: []*PublicKey{key.Public()}}
	for name, c := range map[string]struct {
		envelope []byte
		trust    Trust
		about    evidence.Digest
		now      time.Time
		want     error
	}{
		"good":                {good, trust, aBundle().Digest, day(10), nil},
		"good with clocks":    {good, trust, aBundle().Digest, day(1).Add(-Skew), nil},
		"nothing":             {nil, trust, aBundle().Digest, day(10), ErrMalformed},
		"too large":           {bytes.Repeat([]byte(" "), MaxEnvelope+1), trust, aBundle().Digest, day(10), ErrMalformed},
		"not a statement":     {resigned(t, key, "text/plain", []byte(payload)), trust, aBundle().Digest, day(10), ErrMalformed},
		"trailing":            {append(bytes.Clone(good), '1'), trust, aBundle().Digest, day(10), ErrMalformed},
		"payload twice":       {[]byte(strings.Replace(string(good), `"payload":`, `"Payload":"","payload":`, 1)), trust, aBundle().Digest, day(10), ErrMalformed},
		"no keys":             {good, Trust{}, aBundle().Digest, day(10), ErrUntrusted},
		"another key":         {good, Trust{Keys: []*PublicKey{other.Public()}}, aBundle().Digest, day(10), ErrUntrusted},
		"another subject":     {good, trust, evidence.Sum([]byte("another")), day(10), ErrSubject},
		"expired":             {good, trust, aBundle().Digest, day(30), ErrExpired},
		"from the future":     {good, trust, aBundle().Digest, day(1).Add(-Skew - time.Second), ErrNotYetValid},
		"revoked key":         {good, Trust{trust.Keys, []string{key.Public().ID()}}, aBundle().Digest, day(10), ErrRevoked},
		"revoked statement":   {good, Trust{trust.Keys, []string{id}}, aBundle().Digest, day(10), ErrRevoked},
		"foreign predicate":   {edit("verdict/v1", "verdict/v2"), trust, aBundle().Digest, day(10), ErrType},
		"unknown field":       {edit(`"stage":`, `"x":1,"stage":`), trust, aBundle().Digest, day(10), ErrMalformed},
		"field twice":         {edit(`"stage":`, `"stage":"stock/lint","stage":`), trust, aBundle().Digest, day(10), ErrMalformed},
		"field in other case": {edit(`"stage":`, `"Stage":`), trust, aBundle().Digest, day(10), ErrMalformed},
		"space":               {edit(`"stage":`, `"stage": `), trust, aBundle().Digest, day(10), ErrMalformed},
		"two subjects":        {edit(`"subject":[{`, `"subject":[{"name":"","digest":{}},{`), trust, aBundle().Digest, day(10), ErrMalformed},
		"another digest":      {edit(`"digest":{`, `"digest":{"md5":"1",`), trust, aBundle().Digest, day(10), ErrMalformed},
		"unknown status":      {edit(`"passed"`, `"green"`), trust, aBundle().Digest, day(10), ErrMalformed},
		"statement v0.1":      {edit("Statement/v1", "Statement/v0.1"), trust, aBundle().Digest, day(10), ErrMalformed},
	} {
		s, err := Verify(c.envelope, c.trust, c.about, c.now)
		if !errors.Is(err, c.want) || (err == nil) != (s != nil) {
			t.Errorf("%s: %v; expected %v", name, err, c.want)
		}
	}
}

// Every byte of an envelope matters: whatever is changed, it is refused.
func TestEveryByteMatters(t *testing.T) {
	t.Parallel()
	key := aKey(t)
	good := mustSign(t, key, Override{Terms: Terms{Issued: day(1)}, Rule: "manual", Reason: "fire", By: "sam", At: day(1), Until: day(2)})
	trust := Trust{Keys: []*PublicKey{key.Public()}}
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 1
		if _, err := Verify(bad, trust, aBundle().Digest, day(1)); err == nil {
			t.Errorf("byte %d of %d: %q instead of %q is accepted", i, len(good), bad[i], good[i])
		}
	}
}

func TestAs(t *testing.T) {
	t.Parallel()
	s := &Statement{Predicate: predicates()[0]}
	if v, err := As[Verdict](s); err != nil || v.Stage != "stock/unit" {
		t.Errorf("As[Verdict] = %v, %v", v, err)
	}
	if _, err := As[Release](s); !errors.Is(err, ErrType) {
		t.Errorf("As[Release]: %v", err)
	}
}

func TestPeek(t *testing.T) {
	t.Parallel()
	predicateType, about, err := Peek(mustSign(t, aKey(t), predicates()[0]))
	if predicateType != VerdictType || about != aBundle().Digest || err != nil {
		t.Errorf("Peek = %s, %s, %v", predicateType, about, err)
	}
	if _, _, err := Peek([]byte("{}")); !errors.Is(err, ErrMalformed) {
		t.Errorf("Peek of nothing: %v", err)
	}
}
