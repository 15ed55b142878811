package passport

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/sign"
	"gitlab.com/selfcontained/pipeline/release/scs"
)

// Pointer judges an environment: its files, its promotion, the promotions before
// it, and all gates of ForEnvironment with the evidence among the files. older
// are the promotion envelopes of the commits below the tip, newest first, at
// least as many as there are or History; seen is what is known otherwise.
//
// The files have to be exactly those of scs/environment.go, and each envelope
// has to belong there: be readable, about its subject, by a key that may say it,
// for this system and one of its environments. One that expired, or was revoked
// since, refuses only if a gate needs it.
func Pointer(env string, tip State, older [][]byte, seen Seen, r Rules, now time.Time) *Passport {
	x := begin(r, env, now)
	x.pointer(tip, older, seen)
	return x.done()
}

func (x *exam) pointer(tip State, older [][]byte, seen Seen) {
	x.Commit = tip.Commit
	raw, ok := tip.Files[scs.LockName]
	if !ok {
		x.files("the file "+scs.LockName+" is missing", Inconsistent)
		return
	}
	l := x.lock(scs.LockName, raw)
	if l == nil || !x.identify(l.Combination) {
		return
	}
	ev := x.tree(l.Combination, tip.Files)
	x.combination(l.Combination, ev)
	x.strict()
	if envelope, ok := tip.Files[scs.PromotionName]; ok {
		x.promotion(l, envelope, tip.Files, older, seen)
	}
}

func (x *exam) files(why string, class Class) {
	x.refuse(Refusal{class, x.env, RuleFiles, why, fmt.Sprintf("only `pipeline scs promote --to %s` writes the branch %s: look who else did, and promote again", x.env, scs.BranchPrefix+x.env)})
}

// tree checks which files there are and reads the evidence. Members with equal
// bundles have equal evidence.
func (x *exam) tree(c scs.Combination, files map[string][]byte) Evidence {
	known := map[string]evidence.Digest{scs.LockName: "", scs.PromotionName: "", scs.SystemEvidence: x.ID}
	for _, m := range c.Members {
		known[scs.EvidenceName(m.Service)] = m.Bundle
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if _, ok := known[name]; !ok {
			x.files(fmt.Sprintf("the file %q does not belong there", name), Inconsistent)
		}
	}
	ev := Evidence{}
	for _, name := range slices.Sorted(maps.Keys(known)) {
		data, ok := files[name]
		if !ok {
			x.files("the file "+name+" is missing", Inconsistent)
			continue
		}
		if !strings.HasPrefix(name, scs.EvidenceFolder) {
			continue
		}
		envelopes, err := scs.SplitEvidence(name, data)
		if err != nil { // refused; the gates are judged all the same
			x.files(err.Error(), Malformed)
			envelopes = bytes.Split(bytes.TrimSuffix(data, []byte("\n")), []byte("\n"))
		}
		about := known[name]
		ev[about] = append(ev[about], envelopes...)
	}
	return ev
}

// strict refuses what nobody would have chosen for an environment.
func (x *exam) strict() {
	for _, i := range x.Ignored {
		switch i.Class {
		case Expired, NotYetValid, Revoked:
		default:
			why := "among its evidence lies an envelope that does not belong there"
			if i.Says != "" {
				why += " (" + i.Says + ")"
			}
			x.refuse(Refusal{i.Class, i.Subject, RuleFiles, why + ": " + i.Why, "promote again: that writes the evidence anew"})
		}
	}
}

// promotion judges the statement that moved the environment.
func (x *exam) promotion(l *scs.Lock, envelope []byte, files map[string][]byte, older [][]byte, seen Seen) {
	again := fmt.Sprintf("run `pipeline scs promote --to %s`", x.env)
	refuse := func(class Class, why string) { x.closed(x.env, RulePromotion, miss{class, why}, again) }
	s, err := x.verify(envelope, sign.Trust{Keys: x.rules.Trust.Keys, Revoked: x.rules.everybody().Revoked}, x.ID, x.now)
	if err != nil {
		refuse(classOf(err), err.Error())
		return
	}
	p, ok := s.Predicate.(sign.Promotion)
	if !ok {
		refuse(Malformed, "it is no promotion: "+s.Predicate.Type())
		return
	}
	if m := x.promotionLacks(p, l, envelope, files); m.class != "" {
		refuse(m.class, m.why)
		return
	}
	x.Sequence = p.Sequence
	why := fmt.Sprintf("moved to %s as number %d", p.Version, p.Sequence)
	if p.Rollback {
		why = fmt.Sprintf("moved back to %s as number %d", p.Version, p.Sequence)
	}
	x.met(Finding{
		Subject: x.env, Rule: RulePromotion, Why: why, By: p.By, Key: s.KeyID, At: p.Issued, Until: p.Expires, Statement: s.Digest,
	})
	x.history(p, older, seen)
}

func (x *exam) promotionLacks(p sign.Promotion, l *scs.Lock, envelope []byte, files map[string][]byte) miss {
	switch {
	case p.System != x.rules.System:
		return miss{OtherSystem, fmt.Sprintf("it is a promotion of the system %q", p.System)}
	case p.Environment != x.env:
		return miss{OtherEnvironment, fmt.Sprintf("it is a promotion to %q", p.Environment)}
	case !isCanonical(envelope):
		return miss{Malformed, scs.PromotionName + " is not written as it has to be"}
	case p.Lock != evidence.Sum(files[scs.LockName]):
		return miss{Inconsistent, fmt.Sprintf("it was made for another %s: %s", scs.LockName, p.Lock)}
	case p.Evidence != scs.EvidenceDigest(files):
		return miss{Inconsistent, "it was made for other evidence: " + string(p.Evidence)}
	case p.Version != l.Version:
		return miss{Inconsistent, fmt.Sprintf("it names the version %s, and the lock is %s", p.Version, l.Version)}
	}
	return miss{}
}
