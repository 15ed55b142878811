package passport

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence/sign"
	"gitlab.com/selfcontained/pipeline/release/scs"
)

func finding(t *testing.T, p *Passport, subject, rule string) Finding {
	t.Helper()
	for _, f := range p.Findings {
		if strings.HasPrefix(f.Subject, subject) && f.Rule == rule {
			return f
		}
	}
	t.Fatalf("no finding for %s, %s in\n%s", subject, rule, p.Text())
	return Finding{}
}

func TestEachQuestionHasItsGates(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3, 2)
	l := w.lock(1)
	ev := w.evidence(l)
	rules := func(p *Passport) []string {
		var list []string
		for _, f := range p.Findings {
			if !slices.Contains(list, f.Rule) {
				list = append(list, f.Rule)
			}
		}
		return list
	}
	m := l.Members[1]
	members := []string{RuleRelease, "stage unit", "stage module"}
	for name, c := range map[string]struct {
		p    *Passport
		want []string
	}{
		"bundle":      {Bundle(m.Service, m.Version, m.Bundle, ev, w.rules, now()), members},
		"combination": {Combination(l.Combination, ev, w.rules, now()), append(slices.Clone(members), RuleSuite)},
		"lock":        {Lock("scs.lock", l.Encode(), ev, w.rules, now()), append(slices.Clone(members), RuleSuite)},
		"staging":     {ForEnvironment(l.Combination, "staging", ev, w.rules, now()), append(slices.Clone(members), RuleSuite)},
		"production":  {ForEnvironment(l.Combination, "production", ev, w.rules, now()), append(slices.Clone(members), RuleSuite, RuleOrder, RuleConsent)},
	} {
		if diff := cmp.Diff(c.want, rules(c.p)); diff != "" || !c.p.Valid() {
			t.Errorf("%s (-want +got):\n%s\n%s", name, diff, c.p.Text())
		}
		if c.p.Version == "" || c.p.ID == "" {
			t.Errorf("%s: version %q, id %q", name, c.p.Version, c.p.ID)
		}
	}
}

// What a promotion keeps is what Pointer asks for, and nothing of no worth.
func TestEvidenceIsWhatAPromotionKeeps(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3, 1)
	l := w.lock(1)
	ev, id := w.evidence(l), l.ID()
	m := l.Members[0]
	clean := ForEnvironment(l.Combination, "production", ev, w.rules, now())
	expired := verdict(m, "unit")
	expired.Expires = day(5)
	ev[m.Bundle] = append(ev[m.Bundle], []byte("garbage"), w.sign(w.foreign, m.Bundle, released(m)), w.sign(w.ci, m.Bundle, expired), ev[m.Bundle][0])
	ev[id] = append(ev[id], w.sign(w.ci, id, promotion(l, "production", 9)), w.sign(w.ci, id, consent("staging", "bot")), w.sign(w.ci, id, consent("moon", "bot")))
	messy := ForEnvironment(l.Combination, "production", ev, w.rules, now())
	if diff := cmp.Diff(Files(l.Combination, clean.Evidence), Files(l.Combination, messy.Evidence)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	tip := w.tree(w.ci, l, Files(l.Combination, messy.Evidence), promotion(l, "production", 1))
	if p := Pointer("production", tip, nil, Seen{}, w.rules, now()); !p.Valid() {
		t.Error(p.Text())
	}
}

// A consent counts once for each key, whatever name it has, and only by the keys
// of the environment.
func TestPeopleAreKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 2)
	l := w.lock(1)
	id := l.ID()
	base := w.evidence(l)[id][:2]
	for name, c := range map[string]struct {
		consents [][]byte
		want     Class
	}{
		"two people":                {[][]byte{w.sign(w.owner, id, consent("production", "kim")), w.sign(w.second, id, consent("production", "kim"))}, ""},
		"one with two names":        {[][]byte{w.sign(w.owner, id, consent("production", "kim")), w.sign(w.owner, id, consent("production", "lee"))}, Consent},
		"one and who promotes":      {[][]byte{w.sign(w.owner, id, consent("production", "kim")), w.sign(w.ci, id, consent("production", "lee"))}, Untrusted},
		"for another environment":   {[][]byte{w.sign(w.owner, id, consent("production", "kim")), w.sign(w.ci, id, consent("staging", "lee"))}, Consent},
		"one":                       {[][]byte{w.sign(w.owner, id, consent("production", "kim"))}, Consent},
		"nobody":                    {nil, Consent},
		"two people, one unknown":   {[][]byte{w.sign(w.owner, id, consent("production", "kim")), w.sign(w.foreign, id, consent("production", "lee"))}, Untrusted},
		"two people, of the future": {[][]byte{w.sign(w.owner, id, consent("production", "kim")), w.sign(w.second, id, with(consent("production", "lee"), func(t *sign.Terms) { t.Issued = day(21) }))}, NotYetValid},
	} {
		ev := w.evidence(l)
		ev[id] = slices.Concat(base, c.consents)
		p := ForEnvironment(l.Combination, "production", ev, w.rules, now())
		if c.want == "" && !p.Valid() || c.want != "" && !slices.Equal(p.Refused(), []Class{c.want}) {
			t.Errorf("%s: refused as %q; expected %q\n%s", name, p.Refused(), c.want, p.Text())
		}
	}
	// What the trust revokes is revoked for approvers as well.
	w.rules.Trust.Revoked = append(w.rules.Trust.Revoked, w.owner.Public().ID())
	if p := ForEnvironment(l.Combination, "production", w.evidence(l), w.rules, now()); !slices.Equal(p.Refused(), []Class{Revoked}) {
		t.Errorf("with a revoked approver: %s", p.Text())
	}
}

func TestExceptionsAreShown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 0)
	l := w.lock(1)
	m := l.Members[0]
	release := released(m)
	release.Waived = []sign.Exception{{Rule: "stage lint", Reason: "later", Until: day(4)}}
	waived := verdict(m, "unit")
	waived.Status, waived.Waiver = "waived", &sign.Waiver{Reason: "until it is fixed", Until: day(25)}
	failed := verdict(m, "module")
	failed.Status = "failed"
	override := sign.Override{Terms: terms(), Rule: "stage module", Reason: "fire", By: "sam", At: day(2), Until: day(22)}
	ev := w.evidence(l)
	ev[m.Bundle] = [][]byte{
		w.sign(w.ci, m.Bundle, release), w.sign(w.ci, m.Bundle, waived), w.sign(w.ci, m.Bundle, failed), w.sign(w.ci, m.Bundle, override),
	}
	p := Combination(l.Combination, ev, w.rules, now())
	want := []Exception{
		{Subject: nameOf(m), Rule: "stage lint", Status: Waived, Release: true, Reason: "later", Until: day(4)},
		{Subject: nameOf(m), Rule: "stage unit", Status: Waived, Reason: "until it is fixed", Until: day(25)},
		{Subject: nameOf(m), Rule: "stage module", Status: Overridden, Reason: "fire", By: "sam", Until: day(22)},
	}
	if diff := cmp.Diff(want, p.Exceptions); diff != "" || !p.Valid() {
		t.Errorf("exceptions (-want +got):\n%s\n%s", diff, p.Text())
	}
	if !p.Until.Equal(day(22)) {
		t.Errorf("valid until %s; expected the end of the override", p.Until)
	}
	for at, want := range map[int][]Class{22: {Expired}, 25: {Expired}, 24: {Expired}} {
		if p := Combination(l.Combination, ev, w.rules, day(at)); !slices.Equal(p.Refused(), want) {
			t.Errorf("on day %d: %s", at, p.Text())
		}
	}
}

// Which of several statements is shown, and everything else, does not depend on
// the order in which a registry lists them.
func TestOrderOfEvidenceDoesNotMatter(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2, 1)
	l := w.lock(1)
	ev := w.evidence(l)
	for about := range ev {
		for _, m := range l.Members {
			long := verdict(m, "unit")
			long.Expires = day(90)
			ev[about] = append(ev[about], w.sign(w.ci, about, long), w.sign(w.foreign, about, long), []byte("x"))
		}
	}
	want := asJSON(t, ForEnvironment(l.Combination, "production", ev, w.rules, now()))
	for about := range ev {
		slices.Reverse(ev[about])
	}
	if diff := cmp.Diff(want, asJSON(t, ForEnvironment(l.Combination, "production", ev, w.rules, now()))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A bundle that is filed as another service has not that service's verdicts.
func TestABundleIsThatOfItsService(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2, 0)
	l := w.lock(1)
	ev := w.evidence(l)
	m := l.Members[0]
	if p := Bundle("other", m.Version, m.Bundle, ev, w.rules, now()); !slices.Equal(p.Refused(), []Class{OtherSubject}) {
		t.Error(p.Text())
	}
	if p := Bundle(m.Service, "9.9.9", m.Bundle, ev, w.rules, now()); !slices.Equal(p.Refused(), []Class{Inconsistent}) {
		t.Error(p.Text())
	}
	if p := Bundle(m.Service, m.Version, "sha256:12", ev, w.rules, now()); !slices.Equal(p.Refused(), []Class{Malformed}) {
		t.Error(p.Text())
	}
}

// Rules that name nobody believe nobody.
func TestNothingIsGreenByAbsence(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2, 1)
	l := w.lock(1)
	for name, p := range map[string]*Passport{
		"no rules":    Combination(l.Combination, w.evidence(l), Rules{}, now()),
		"no keys":     Combination(l.Combination, w.evidence(l), Rules{System: "shop"}, now()),
		"no evidence": Combination(l.Combination, nil, w.rules, now()),
		"no members":  Combination(scs.Combination{System: "shop"}, nil, w.rules, now()),
		"nothing":     Combination(scs.Combination{}, nil, Rules{}, now()),
		"no time":     Combination(l.Combination, w.evidence(l), w.rules, time.Time{}),
		"no files":    Pointer("production", State{}, nil, Seen{}, w.rules, now()),
		"no bundle":   Bundle("", "", "", nil, Rules{}, now()),
		"no lock":     Lock("scs.lock", nil, nil, w.rules, now()),
		"no approver": ForEnvironment(l.Combination, "production", w.evidence(l), w.withoutApprovers(), now()),
		"environment": ForEnvironment(l.Combination, "moon", w.evidence(l), w.rules, now()),
	} {
		if p.Valid() || len(p.Refusals) == 0 {
			t.Errorf("%s: valid\n%s", name, p.Text())
		}
	}
	if (&Passport{}).Valid() {
		t.Error("an empty passport is valid")
	}
}

func (w *world) withoutApprovers() Rules {
	r := w.rules
	r.Environments = slices.Clone(r.Environments)
	r.Environments[1].Approvers = sign.Trust{}
	return r
}

// Of an environment that moves back and forth each state is accepted in its
// time, also when the combination was there before.
func TestRollback(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2, 0)
	_, older := w.environment(3)
	tips, _ := w.environment(3)
	older = append([][]byte{tips[2].Files[scs.PromotionName]}, older...)
	l := w.lock(2)
	p := promotion(l, "production", 4)
	p.Previous, p.Rollback = w.lock(3).ID(), true
	gate := LockFor("production", scs.LockName, l.Encode(), w.evidence(l), w.rules, now())
	tip := w.tree(w.ci, l, Files(l.Combination, gate.Evidence), p)
	passport := Pointer("production", tip, older, Seen{Sequence: 3, ID: w.lock(3).ID()}, w.rules, now())
	if !passport.Valid() || passport.Sequence != 4 || !strings.Contains(finding(t, passport, "production", RulePromotion).Why, "back to 0.2.0") {
		t.Error(passport.Text())
	}
}

// A history that is longer than what has to be read need not reach the first.
func TestLongHistory(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 0)
	var older [][]byte
	verify := newMemory().verify
	x := begin(w.rules, "production", now())
	x.verify = verify
	for n := History + 1; n >= 1; n-- {
		p := promotion(w.lock(1), "production", int64(n))
		p.Previous = w.lock(1).ID()
		older = append(older, w.sign(w.ci, w.lock(1).ID(), p))
	}
	top := promotion(w.lock(1), "production", History+2)
	top.Previous = w.lock(1).ID()
	x.history(top, older[:History], Seen{})
	if !x.Valid() {
		t.Error(x.Text())
	}
	x = begin(w.rules, "production", now())
	x.verify = verify
	x.history(top, older[:History-1], Seen{})
	if !slices.Equal(x.Refused(), []Class{Inconsistent}) {
		t.Error(x.Text())
	}
}
