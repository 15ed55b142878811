package passport

import (
	"errors"
	"fmt"
	"time"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/sign"
	"gitlab.com/selfcontained/pipeline/release/scs"
)

// Combination judges every member and the suite. Statements that are limited to
// an environment do not count. The version is the one that the suite names.
func Combination(c scs.Combination, ev Evidence, r Rules, now time.Time) *Passport {
	x := begin(r, "", now)
	x.combination(c, ev)
	return x.done()
}

// ForEnvironment judges whether a combination may go into an environment: as
// Combination does, then the order of the environments and the consents.
func ForEnvironment(c scs.Combination, env string, ev Evidence, r Rules, now time.Time) *Passport {
	x := begin(r, env, now)
	x.combination(c, ev)
	return x.done()
}

// Lock judges a lock file (scs.LockName) as Combination does, and asks that the
// suite passed in the version of the lock. The sources of the members, and what
// was held back, are notes for people that nobody signed.
func Lock(file string, data []byte, ev Evidence, r Rules, now time.Time) *Passport {
	return LockFor("", file, data, ev, r, now)
}

// LockFor judges whether a lock may go into an environment: as ForEnvironment
// does, and that the suite passed in the version of the lock. With env "" it is
// Lock.
func LockFor(env, file string, data []byte, ev Evidence, r Rules, now time.Time) *Passport {
	x := begin(r, env, now)
	if l := x.lock(file, data); l != nil {
		x.combination(l.Combination, ev)
	}
	return x.done()
}

// Bundle judges one bundle of a service as a member of the system. A bundle is
// no combination: there is no suite.
func Bundle(service, version string, digest evidence.Digest, ev Evidence, r Rules, now time.Time) *Passport {
	x := begin(r, "", now)
	m := scs.Member{Service: service, Version: version, Bundle: digest}
	x.Version, x.ID = version, digest
	x.Members = append(x.Members, m)
	m.Size = 1 // it is not known, and Check wants one
	if err := (scs.Combination{System: service, Members: []scs.Member{m}}).Check(); err != nil {
		x.refuse(Refusal{Malformed, service + " " + version, RuleFiles, err.Error(), "name a bundle that was released, with its digest"})
		return x.done()
	}
	x.member(m, x.examine([]evidence.Digest{digest}, ev)[digest])
	return x.done()
}

// lock reads a lock; nil when it is refused.
func (x *exam) lock(file string, data []byte) *scs.Lock {
	l, err := scs.ParseLock(file, data)
	if err == nil {
		x.Version = l.Version
		return l
	}
	class := Malformed
	if e := (*scs.LockError)(nil); errors.As(err, &e) && e.Inconsistent {
		class = Inconsistent
	}
	x.refuse(Refusal{class, file, RuleFiles, err.Error(), "restore it with git, or write it anew with `pipeline scs update`"})
	return nil
}

// combination judges by evidence that is filed under digests.
func (x *exam) combination(c scs.Combination, ev Evidence) {
	if !x.identify(c) {
		return
	}
	subjects := []evidence.Digest{x.ID}
	for _, m := range c.Members {
		subjects = append(subjects, m.Bundle)
	}
	facts := x.examine(subjects, ev)
	x.judge(c, func(m scs.Member) []*fact { return facts[m.Bundle] }, facts[x.ID])
}

// identify writes down what the passport is about; false when it cannot be
// judged at all.
func (x *exam) identify(c scs.Combination) bool {
	if err := c.Check(); err != nil {
		x.refuse(Refusal{Malformed, c.System, RuleFiles, err.Error(), "write the lock anew with `pipeline scs update`"})
		return false
	}
	x.Members, x.ID = c.Members, c.ID()
	switch {
	case c.System != x.rules.System:
		x.refuse(Refusal{OtherSystem, c.System, RuleFiles, fmt.Sprintf("it is a combination of the system %q, and the rules are those of %q", c.System, x.rules.System),
			"verify it in the repository of its system"})
		return false
	case x.env != "" && x.rules.environment(x.env) == nil:
		x.refuse(Refusal{OtherEnvironment, x.env, RuleRules, fmt.Sprintf("the system has no environment %q", x.env),
			"name one of those under environments in scs.yaml"})
		return false
	}
	return true
}

// judge goes through all gates.
func (x *exam) judge(c scs.Combination, about func(scs.Member) []*fact, system []*fact) {
	for _, m := range c.Members {
		x.member(m, about(m))
	}
	x.suite(c, system)
	if e := x.rules.environment(x.env); e != nil {
		x.order(e, system)
		x.consents(e, system)
	}
	x.account(x.System, system)
}

// keep takes an envelope that counts into the passport's evidence: consents and
// promotions only where they are asked for.
func (x *exam) keep(f *fact) {
	after := ""
	if e := x.rules.environment(x.env); e != nil {
		after = e.After
	}
	switch p := f.statement.Predicate.(type) {
	case sign.Consent:
		if p.Environment != x.env {
			return
		}
	case sign.Promotion:
		if after == "" || p.Environment != after {
			return
		}
	}
	x.Evidence[f.about] = append(x.Evidence[f.about], f.envelope)
}

// Files returns the evidence files of an environment's tree by their path: one
// for each member and one for the system, also where they are empty.
func Files(c scs.Combination, ev Evidence) map[string][]byte {
	files := map[string][]byte{scs.SystemEvidence: scs.JoinEvidence(ev[c.ID()])}
	for _, m := range c.Members {
		files[scs.EvidenceName(m.Service)] = scs.JoinEvidence(ev[m.Bundle])
	}
	return files
}
