package passport

import (
	"bytes"
	"math/rand/v2"
	"slices"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/sign"
	"gitlab.com/selfcontained/pipeline/release/scs"
)

// damages are the mutations of bytes, of files, of the history, of the trust and
// of the time.
func damages() []mutation {
	bytesOf := func(name string) func(*scene, *rand.Rand) {
		return func(s *scene, r *rand.Rand) { s.tip.Files[name] = damage(s.tip.Files[name], r) }
	}
	return slices.Concat([]mutation{
		{"bytes of the lock", classes(Malformed, Inconsistent), nil, bytesOf(scs.LockName)},
		{"bytes of the promotion", classes(Malformed, Untrusted), nil, bytesOf(scs.PromotionName)},
		// What a damaged envelope would have said can be unreadable, so that the
		// gate that needs it is as good as untested.
		{"bytes of the evidence", classes(Inconsistent), classes(Malformed, Untrusted, Untested, Order, Consent), func(s *scene, r *rand.Rand) {
			bytesOf(s.anEvidenceFile(r))(s, r)
		}},
		{"bytes of an older promotion", classes(Malformed, Untrusted), nil, func(s *scene, r *rand.Rand) {
			i := r.IntN(len(s.older))
			s.older[i] = damage(s.older[i], r)
		}},
		{"a digest exchanged in the lock", classes(Inconsistent), nil, func(s *scene, r *rand.Rand) {
			d := s.open()
			a, b := two(d, r)
			list := []evidence.Digest{a.Bundle, b.Bundle, d.lock.Suite, d.lock.ID(), digest("evil")}
			i := r.IntN(4)
			s.tip.Files[scs.LockName] = bytes.Replace(s.tip.Files[scs.LockName], []byte(list[i]), []byte(list[i+1]), 1)
		}},
		{"the order of the evidence", classes(Malformed), classes(Inconsistent), func(s *scene, r *rand.Rand) {
			name := s.anEvidenceFile(r)
			lines := bytes.SplitAfter(s.tip.Files[name], []byte("\n"))
			slices.Reverse(lines[:len(lines)-1])
			s.tip.Files[name] = bytes.Join(lines, nil)
		}},
		{"a statement twice", classes(Malformed), classes(Inconsistent), func(s *scene, r *rand.Rand) {
			name := s.anEvidenceFile(r)
			lines := bytes.SplitAfter(s.tip.Files[name], []byte("\n"))
			s.tip.Files[name] = bytes.Join(slices.Insert(lines, 0, lines[r.IntN(len(lines)-1)]), nil)
		}},
	}, files(), replays(), doubts())
}

func (s *scene) anEvidenceFile(r *rand.Rand) string {
	names := []string{scs.SystemEvidence}
	for _, m := range s.lock(promotions).Members {
		names = append(names, scs.EvidenceName(m.Service))
	}
	return pick(r, names)
}

func files() []mutation {
	strangers := []string{
		"README.md", "evidence/evil.jsonl", "evidence/README.md", "evidence/.system.jsonl.orig", "scs.lock.bak", "evidence/x/y.jsonl",
		".gitlab-ci.yml", "./scs.lock", "evidence//.system.jsonl", "promotion.json ", "",
	}
	return []mutation{
		{"a file more", classes(Inconsistent), nil, func(s *scene, r *rand.Rand) {
			s.tip.Files[pick(r, strangers)] = pick(r, [][]byte{nil, []byte("x"), s.tip.Files[scs.LockName]})
		}},
		{"a file less", classes(Inconsistent), classes(Untested, Order, Consent), func(s *scene, r *rand.Rand) {
			delete(s.tip.Files, s.aFile(r))
		}},
		{"a file renamed", classes(Inconsistent), classes(Untested, Order, Consent), func(s *scene, r *rand.Rand) {
			name := s.aFile(r)
			s.tip.Files[pick(r, strangers)] = s.tip.Files[name]
			delete(s.tip.Files, name)
		}},
		{"a file emptied", classes(Malformed, Inconsistent), classes(Untested, Order, Consent), func(s *scene, r *rand.Rand) {
			s.tip.Files[s.aFile(r)] = nil
		}},
		{"two files exchanged", classes(Malformed, OtherSubject), classes(Inconsistent, OtherSubject, Untested, Order, Consent), func(s *scene, r *rand.Rand) {
			a, b := s.aFile(r), s.aFile(r)
			s.tip.Files[a], s.tip.Files[b] = s.tip.Files[b], s.tip.Files[a]
		}},
		{"a file of an older promotion", classes(OtherSubject, Revoked), classes(Inconsistent, Untested), func(s *scene, r *rand.Rand) {
			name := s.aFile(r)
			s.tip.Files[name] = s.tips[r.IntN(promotions-1)].Files[name]
		}},
	}
}

func (s *scene) aFile(r *rand.Rand) string {
	if i := r.IntN(4); i == 0 {
		return scs.LockName
	} else if i == 1 {
		return scs.PromotionName
	}
	return s.anEvidenceFile(r)
}

// replays bring back what was there, and forge what comes next.
func replays() []mutation {
	// again signs the promotion of the tip with a change; its key is trusted only
	// if the mutation is about what a promotion may say.
	again := func(key func(*scene) *sign.Signer, change func(*scene, *draft, *rand.Rand)) func(*scene, *rand.Rand) {
		return func(s *scene, r *rand.Rand) {
			d := s.open()
			change(s, d, r)
			s.putSigned(d, key(s))
		}
	}
	ci := func(s *scene) *sign.Signer { return s.ci }
	foreign := func(s *scene) *sign.Signer { return s.foreign }
	owner := func(s *scene) *sign.Signer { return s.owner }
	old := func(s *scene) *sign.Signer { return s.old }
	nothing := func(*scene, *draft, *rand.Rand) {}
	number := func(_ *scene, d *draft, r *rand.Rand) { d.promotion.Sequence = 1 + r.Int64N(2*promotions) }
	return []mutation{
		{"an older pointer as the tip", classes(Replayed, Revoked), nil, func(s *scene, r *rand.Rand) {
			i := r.IntN(promotions - 1)
			s.tip, s.older = s.tips[i], s.older[promotions-1-i:]
		}},
		{"an older pointer on top", classes(Replayed, Revoked), nil, func(s *scene, r *rand.Rand) {
			s.older = append([][]byte{s.tip.Files[scs.PromotionName]}, s.older...)
			s.tip, s.seen = s.tips[r.IntN(promotions)], pick(r, []Seen{s.seen, {}})
		}},
		{"an older pointer on top with a forged number", classes(Untrusted), nil, func(s *scene, r *rand.Rand) {
			s.older = append([][]byte{s.tip.Files[scs.PromotionName]}, s.older...)
			s.tip = s.tips[r.IntN(promotions-1)]
			again(foreign, func(_ *scene, d *draft, _ *rand.Rand) {
				d.promotion.Sequence, d.promotion.Previous = promotions+1, s.lock(promotions).ID()
			})(s, r)
		}},
		{"another combination under the same number", classes(Replayed), nil, func(s *scene, r *rand.Rand) {
			s.seen.ID = s.lock(1 + r.IntN(promotions-1)).ID()
		}},
		{"a newer number was seen", classes(Replayed), nil, func(s *scene, r *rand.Rand) {
			s.seen.Sequence += 1 + r.Int64N(9)
		}},
		{"history rewritten below what was seen", classes(Replayed), nil, func(s *scene, r *rand.Rand) {
			s.seen = Seen{promotions - 1, digest("something else")}
		}},
		{"an older promotion less", classes(Inconsistent), nil, func(s *scene, r *rand.Rand) {
			i := r.IntN(len(s.older))
			s.older = slices.Delete(s.older, i, i+1)
		}},
		{"no older promotion", classes(Inconsistent), nil, func(s *scene, r *rand.Rand) { s.older = nil }},
		{"older promotions in another order", classes(Inconsistent, Replayed), nil, func(s *scene, r *rand.Rand) { slices.Reverse(s.older) }},
		{"an older promotion twice", classes(Replayed), nil, func(s *scene, r *rand.Rand) {
			i := r.IntN(len(s.older))
			s.older = slices.Insert(s.older, i, s.older[i])
		}},
		{"an older promotion forged", classes(Untrusted), nil, func(s *scene, r *rand.Rand) {
			i := r.IntN(len(s.older))
			p := promotion(s.lock(promotions-1-i), "production", int64(promotions-1-i))
			s.older[i] = s.sign(s.foreign, s.lock(promotions-1-i).ID(), p)
		}},
		{"an older promotion of another environment", classes(OtherEnvironment), nil, func(s *scene, r *rand.Rand) {
			p := promotion(s.lock(1), "staging", promotions-1)
			s.older[0] = s.sign(s.ci, s.lock(1).ID(), p)
		}},
		{"an older promotion of another system", classes(OtherSystem), nil, func(s *scene, r *rand.Rand) {
			p := promotion(s.lock(1), "production", promotions-1)
			p.System = "books"
			s.older[0] = s.sign(s.ci, s.lock(1).ID(), p)
		}},
		{"an older statement that is no promotion", classes(Malformed), nil, func(s *scene, r *rand.Rand) {
			s.older[r.IntN(len(s.older))] = s.sign(s.ci, s.lock(1).ID(), suite(s.lock(1)))
		}},
		{"another number", classes(Inconsistent, Replayed), nil, again(ci, number)},
		{"another number forged", classes(Untrusted), nil, again(foreign, number)},
		{"another predecessor", classes(Inconsistent), nil, again(ci, func(s *scene, d *draft, r *rand.Rand) {
			d.promotion.Previous = pick(r, []evidence.Digest{"", s.lock(1).ID(), digest("evil"), s.lock(promotions).ID()})
		})},
		{"another version", classes(Inconsistent), nil, again(ci, func(s *scene, d *draft, r *rand.Rand) { d.promotion.Version = "0.3.1" })},
		{"a promotion to another environment", classes(OtherEnvironment), nil, again(ci, func(s *scene, d *draft, r *rand.Rand) {
			d.promotion.Environment = pick(r, []string{"staging", "moon"})
		})},
		{"a promotion of another system", classes(OtherSystem), nil, again(ci, func(s *scene, d *draft, r *rand.Rand) { d.promotion.System = "books" })},
		{"an expired promotion", classes(Expired), nil, again(ci, func(s *scene, d *draft, r *rand.Rand) { d.promotion.Expires = day(19) })},
		{"a promotion of the future", classes(NotYetValid), nil, again(ci, func(s *scene, d *draft, r *rand.Rand) { d.promotion.Issued = day(21) })},
		{"a promotion by somebody else", classes(Untrusted), nil, again(foreign, nothing)},
		{"a promotion by an approver", classes(Untrusted), nil, again(owner, nothing)},
		{"a promotion by a revoked key", classes(Revoked), nil, again(old, nothing)},
		{"a promotion that is a verdict", classes(Malformed), nil, func(s *scene, r *rand.Rand) {
			l := s.lock(promotions)
			s.tip.Files[scs.PromotionName] = s.sign(s.ci, l.ID(), suite(l))
		}},
		{"the promotion to staging", classes(OtherEnvironment), nil, func(s *scene, r *rand.Rand) {
			l := s.lock(promotions)
			s.tip.Files[scs.PromotionName] = s.sign(s.ci, l.ID(), promotion(l, "staging", promotions))
		}},
		{"a second signature", classes(Malformed), nil, func(s *scene, r *rand.Rand) {
			name := scs.PromotionName
			s.tip.Files[name] = bytes.Replace(s.tip.Files[name], []byte(`"signatures":[`), []byte(`"signatures":[{"sig":"AAAA"},`), 1)
		}},
	}
}

// doubts change whom and what the system believes, and the time.
func doubts() []mutation {
	return []mutation{
		{"a key is revoked", classes(Revoked), nil, func(s *scene, r *rand.Rand) {
			key := pick(r, []*sign.Signer{s.ci, s.owner, s.second})
			s.rules.Trust.Revoked = append(s.rules.Trust.Revoked, key.Public().ID())
		}},
		{"a statement is revoked", classes(Revoked), nil, func(s *scene, r *rand.Rand) {
			st := s.known[string(s.somewhere(s.open(), r).envelope())]
			s.rules.Trust.Revoked = append(s.rules.Trust.Revoked, string(st.Digest))
		}},
		{"a key is believed no more", classes(Untrusted), nil, func(s *scene, r *rand.Rand) {
			s.rules.Trust.Keys = s.rules.Trust.Keys[r.IntN(2):][:1]
			if s.rules.Trust.Keys[0].ID() == s.ci.Public().ID() {
				s.rules.Environments[1].Approvers.Keys = s.rules.Environments[1].Approvers.Keys[:1]
			}
		}},
		{"time passes", classes(Expired), nil, func(s *scene, r *rand.Rand) { s.now = day(60 + r.IntN(400)) }},
		{"time goes back", classes(NotYetValid), nil, func(s *scene, r *rand.Rand) { s.now = day(-r.IntN(400)) }},
		{"another system's rules", classes(OtherSystem), nil, func(s *scene, r *rand.Rand) { s.rules.System = "books" }},
		{"another environment", classes(OtherEnvironment), classes(Inconsistent), func(s *scene, r *rand.Rand) {
			s.env = pick(r, []string{"staging", "moon", ""})
		}},
		{"one more stage is required", classes(Untested), nil, func(s *scene, r *rand.Rand) {
			s.rules.Require = append(slices.Clone(s.rules.Require), "bench")
		}},
		{"one more approval is required", classes(Consent), nil, func(s *scene, r *rand.Rand) {
			s.rules.Environments[1].Approve++
		}},
		{"another environment comes first", classes(Order), classes(OtherEnvironment), func(s *scene, r *rand.Rand) {
			s.rules.Environments = append(s.rules.Environments, Environment{Name: "canary"})
			s.rules.Environments[1].After = "canary"
		}},
	}
}
