package passport

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"testing"
	"time"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/sign"
	"gitlab.com/selfcontained/pipeline/release/scs"
)

func day(d int) time.Time { return time.Date(2026, 3, d, 10, 30, 0, 0, time.UTC) }

// now is when passports are asked for.
func now() time.Time { return day(20) }

// keyOf makes the key of somebody from the name, so that golden files can have
// key ids.
func keyOf(t testing.TB, name string) *sign.Signer {
	t.Helper()
	sum := sha256.Sum256([]byte(name))
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), sum[:])
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	s, err := sign.ReadPrivate(string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// world is a system with two environments. Its statements are made by the
// functions below, so that a test may make them otherwise.
type world struct {
	t       testing.TB
	ci      *sign.Signer // of the trust
	old     *sign.Signer // of the trust, revoked in the meantime
	owner   *sign.Signer // approves production
	second  *sign.Signer // approves production
	foreign *sign.Signer
	members int
	rules   Rules
	signed  map[string][]byte // what was signed before, by what it says
}

func newWorld(t testing.TB, members, approve int) *world {
	w := &world{
		t: t, ci: keyOf(t, "ci"), old: keyOf(t, "old"), owner: keyOf(t, "owner"), second: keyOf(t, "second"),
		foreign: keyOf(t, "foreign"), members: members, signed: map[string][]byte{},
	}
	trust := sign.Trust{Keys: []*sign.PublicKey{w.ci.Public(), w.old.Public()}, Revoked: []string{w.old.Public().ID()}}
	approvers := sign.Trust{Keys: []*sign.PublicKey{w.owner.Public(), w.second.Public()}}
	w.rules = Rules{System: "shop", Require: []string{"unit", "module"}, Trust: trust, Environments: []Environment{
		{Name: "staging", Approvers: trust},
		{Name: "production", After: "staging", Approve: approve, Approvers: approvers},
	}}
	return w
}

func digest(text string) evidence.Digest { return evidence.Sum([]byte(text)) }

// lock is the lock of the system's nth version.
func (w *world) lock(n int) *scs.Lock {
	l := &scs.Lock{Version: fmt.Sprintf("0.%d.0", n), Combination: scs.Combination{System: "shop", Suite: digest("suite"), Values: digest("values")}}
	for i := range w.members {
		service := fmt.Sprintf("%s%02d", []string{"cart", "pay", "stock", "ware", "web"}[i%5], i)
		version := fmt.Sprintf("1.%d.%d", n, i)
		l.Combination = l.With(scs.Member{
			Service: service, Version: version, Bundle: digest(service + version), Size: int64(500 + i), Source: "registry.example.com/shop/" + service,
		})
	}
	l.Held = []scs.Held{{Service: l.Members[0].Service, Version: "9.0.0", Why: "fails by itself"}}
	return l
}

func (w *world) sign(key *sign.Signer, about evidence.Digest, p sign.Predicate) []byte {
	w.t.Helper()
	text, err := json.Marshal(p)
	if err != nil {
		w.t.Fatal(err)
	}
	say := fmt.Sprint(key, about, p.Type(), string(text))
	if w.signed[say] != nil { // the same statement has the same envelope
		return w.signed[say]
	}
	e, err := key.Sign(sign.Subject{Name: "registry.example.com/shop", Digest: about}, p)
	if err != nil {
		w.t.Fatal(err)
	}
	w.signed[say] = e
	return e
}

func terms() sign.Terms {
	return sign.Terms{Policy: digest("policy"), Issued: day(1), Sequence: 7, Run: "r1"}
}

// limited are terms for one system, one environment, and for a time.
func limited(env string) sign.Terms {
	t := terms()
	t.System, t.Environment, t.Expires = "shop", env, day(60)
	return t
}

func verdict(m scs.Member, stage string) sign.Verdict {
	return sign.Verdict{
		Terms: terms(), Stage: m.Service + "/" + stage, Status: "passed", Inputs: digest("inputs"), Started: day(1),
		Summary: "12 tests", Version: m.Version, Commit: "c0ffee",
	}
}

func released(m scs.Member) sign.Release {
	return sign.Release{Terms: terms(), Version: m.Version, Commit: "c0ffee", Tag: m.Service + "/v" + m.Version}
}

func suite(l *scs.Lock) sign.Verdict {
	return sign.Verdict{
		Terms: limited(""), Stage: "shop/suite", Status: "passed", Inputs: digest("suite inputs"), Started: day(2),
		Summary: "7 tests", Version: l.Version, Commit: "c0ffee",
	}
}

func consent(env, by string) sign.Consent {
	return sign.Consent{Terms: limited(env), By: by, At: day(3), Note: "looked at it"}
}

// promotion is one without what it is bound to.
func promotion(l *scs.Lock, env string, n int64) sign.Promotion {
	p := sign.Promotion{Terms: terms(), Version: l.Version, Commit: "5eed", Lock: digest("lock"), Evidence: digest("evidence"), By: "ci job 12"}
	p.System, p.Environment, p.Sequence = "shop", env, n
	return p
}

// about is what is known of a member.
func (w *world) about(m scs.Member) [][]byte {
	list := [][]byte{w.sign(w.ci, m.Bundle, released(m))}
	for _, stage := range w.rules.Require {
		list = append(list, w.sign(w.ci, m.Bundle, verdict(m, stage)))
	}
	return list
}

// evidence is what is known of a lock: enough for production.
func (w *world) evidence(l *scs.Lock) Evidence {
	ev := Evidence{}
	for _, m := range l.Members {
		ev[m.Bundle] = w.about(m)
	}
	id := l.ID()
	ev[id] = [][]byte{
		w.sign(w.ci, id, suite(l)),
		w.sign(w.ci, id, promotion(l, "staging", 4)),
		w.sign(w.owner, id, consent("production", "kim")),
		w.sign(w.second, id, consent("production", "lee")),
	}
	return ev
}

// tree is the commit that a promotion of a lock makes.
func (w *world) tree(key *sign.Signer, l *scs.Lock, files map[string][]byte, p sign.Promotion) State {
	files[scs.LockName] = l.Encode()
	p.Lock, p.Evidence = evidence.Sum(files[scs.LockName]), scs.EvidenceDigest(files)
	files[scs.PromotionName] = w.sign(key, l.ID(), p)
	return State{Commit: "0123456789abcdef", Files: files}
}

// environment is production after promotions of the first n locks; the first of
// them was made by a key that has been revoked since.
func (w *world) environment(n int) (tips []State, older [][]byte) {
	w.t.Helper()
	previous := evidence.Digest("")
	for i := 1; i <= n; i++ {
		l, key := w.lock(i), w.ci
		if i == 1 && n > 1 {
			key = w.old
		}
		gate := LockFor("production", scs.LockName, l.Encode(), w.evidence(l), w.rules, now())
		if !gate.Valid() {
			w.t.Fatalf("not fit for production:\n%s", gate.Text())
		}
		p := promotion(l, "production", int64(i))
		p.Previous = previous
		tip := w.tree(key, l, Files(l.Combination, gate.Evidence), p)
		tips, previous = append(tips, tip), l.ID()
		if i < n {
			older = append([][]byte{tip.Files[scs.PromotionName]}, older...)
		}
	}
	return tips, older
}
