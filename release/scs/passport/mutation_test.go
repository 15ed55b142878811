package passport

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"time"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/sign"
	"gitlab.com/selfcontained/pipeline/release/scs"
)

// mutation changes a scene. One of the classes under must has to be among the
// refusals, and nothing but must and may.
type mutation struct {
	name      string
	must, may []Class
	do        func(s *scene, r *rand.Rand)
}

func classes(list ...Class) []Class { return list }

// edit is a change of the content: it is written below the promotion that is
// there, or with all ids and digests recomputed and signed anew.
type edit struct {
	name string
	// stale are the classes where nothing is signed anew, forged the further ones
	// (beside Untrusted) where it is. trusted are those where the promotion is by
	// the right key, as if who promotes had looked at nothing; nil where that would
	// be a proper promotion.
	stale, forged, trusted []Class
	do                     func(s *scene, d *draft, r *rand.Rand)
}

// closed reports whether the lock is refused before any signature is looked at.
func (e edit) closed() bool {
	switch e.name {
	case "the order of the members", "a member twice", "a version that is none", "the system's name":
		return true
	}
	return false
}

// stalely, forgedly and trustedly are the mutations that an edit makes.
func (e edit) stalely() mutation {
	return mutation{e.name, e.stale, classes(Inconsistent), func(s *scene, r *rand.Rand) {
		d := s.open()
		e.do(s, d, r)
		s.put(d)
	}}
}

func (e edit) forgedly() mutation {
	must := classes(Untrusted)
	if e.closed() {
		must = e.stale
	}
	return mutation{"forged: " + e.name, must, e.forged, func(s *scene, r *rand.Rand) {
		d := s.open()
		e.do(s, d, r)
		s.forge(d, r.IntN(2) == 0)
	}}
}

func (e edit) trustedly() mutation {
	return mutation{"promoted: " + e.name, e.trusted, nil, func(s *scene, r *rand.Rand) {
		d := s.open()
		e.do(s, d, r)
		s.seen = Seen{} // another combination under this number is one thing more
		s.putSigned(d, s.ci)
	}}
}

func pick[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

// two chooses two different members.
func two(d *draft, r *rand.Rand) (a, b *scs.Member) {
	i := r.IntN(len(d.lock.Members))
	j := (i + 1 + r.IntN(len(d.lock.Members)-1)) % len(d.lock.Members)
	return &d.lock.Members[i], &d.lock.Members[j]
}

// edits are all changes of content.
func edits() []edit {
	// What hangs on the id is about another combination as soon as the id changes.
	id := classes(OtherSubject)
	return []edit{
		{"a member less", id, nil, id, func(s *scene, d *draft, r *rand.Rand) {
			m := pick(r, d.lock.Members)
			d.lock.Combination = d.lock.Without(m.Service)
			delete(d.members, m.Service)
		}},
		{"a member more", classes(OtherSubject, Untrusted), nil, nil, func(s *scene, d *draft, r *rand.Rand) {
			m := scs.Member{Service: "evil", Version: "6.6.6", Bundle: digest("evil"), Size: 666, Source: "registry.example.com/evil"}
			d.lock.Combination = d.lock.With(m)
			for _, p := range []sign.Predicate{released(m), verdict(m, "unit"), verdict(m, "module")} {
				d.members["evil"] = append(d.members["evil"], s.sign(s.foreign, m.Bundle, p))
			}
		}},
		{"a member more, without evidence", classes(OtherSubject, Untested), classes(Untested), classes(OtherSubject, Untested), func(s *scene, d *draft, r *rand.Rand) {
			d.lock.Combination = d.lock.With(scs.Member{Service: "evil", Version: "6.6.6", Bundle: digest("evil"), Size: 666})
			d.members["evil"] = nil
		}},
		{"the bundles of two members exchanged", id, nil, id, func(s *scene, d *draft, r *rand.Rand) {
			a, b := two(d, r)
			a.Bundle, b.Bundle = b.Bundle, a.Bundle
		}},
		{"the bundles of two members exchanged, with their evidence", classes(OtherSubject, Inconsistent), classes(Inconsistent, OtherSubject), classes(OtherSubject, Inconsistent), func(s *scene, d *draft, r *rand.Rand) {
			a, b := two(d, r)
			a.Bundle, b.Bundle = b.Bundle, a.Bundle
			d.members[a.Service], d.members[b.Service] = d.members[b.Service], d.members[a.Service]
		}},
		{"a bundle's digest", id, nil, id, func(s *scene, d *draft, r *rand.Rand) {
			pick(r, []*scs.Member{&d.lock.Members[0], &d.lock.Members[1]}).Bundle = digest("evil")
		}},
		{"a bundle's size", id, nil, id, func(s *scene, d *draft, r *rand.Rand) {
			d.lock.Members[r.IntN(len(d.lock.Members))].Size += 1 + r.Int64N(100)
		}},
		{"a member's version", classes(OtherSubject, Inconsistent), classes(Inconsistent), classes(OtherSubject, Inconsistent), func(s *scene, d *draft, r *rand.Rand) {
			d.lock.Members[r.IntN(len(d.lock.Members))].Version = pick(r, []string{"1.99.0", "2.0.0", "1.3.0-rc.1", "0.0.1"})
		}},
		{"a member's source", classes(Inconsistent), nil, nil, func(s *scene, d *draft, r *rand.Rand) {
			d.lock.Members[r.IntN(len(d.lock.Members))].Source = "registry.example.com/evil"
		}},
		{"what was held back", classes(Inconsistent), nil, nil, func(s *scene, d *draft, r *rand.Rand) {
			d.lock.Held = pick(r, [][]scs.Held{nil, append(d.lock.Held, scs.Held{Service: "web", Version: "3.0.0", Why: "evil"})})
		}},
		{"the order of the members", classes(Malformed), classes(Malformed), classes(Malformed), func(s *scene, d *draft, r *rand.Rand) {
			a, b := two(d, r)
			*a, *b = *b, *a
		}},
		{"a member twice", classes(Malformed), classes(Malformed), classes(Malformed), func(s *scene, d *draft, r *rand.Rand) {
			d.lock.Members = append(d.lock.Members, pick(r, d.lock.Members))
		}},
		{"the system's version", classes(Inconsistent), classes(Inconsistent), classes(Inconsistent), func(s *scene, d *draft, r *rand.Rand) {
			d.lock.Version = pick(r, []string{"0.3.1", "1.0.0", "0.2.0", "0.3.0-rc.1", "0.3.0+build"})
			d.promotion.Version = d.lock.Version
		}},
		{"a version that is none", classes(Malformed), classes(Malformed), nil, func(s *scene, d *draft, r *rand.Rand) {
			v := pick(r, []string{"v1.2.3", "1.2", "latest", "", "01.2.3", "1.2.3 "})
			if r.IntN(2) == 0 {
				d.lock.Version = v
			} else {
				d.lock.Members[r.IntN(len(d.lock.Members))].Version = v
			}
		}},
		{"the system's name", classes(OtherSystem), classes(OtherSystem), classes(OtherSystem), func(s *scene, d *draft, r *rand.Rand) {
			d.lock.System = "books"
		}},
		{"the tests or the values", id, nil, id, func(s *scene, d *draft, r *rand.Rand) {
			if r.IntN(2) == 0 {
				d.lock.Suite = pick(r, []evidence.Digest{"", digest("no tests")})
			} else {
				d.lock.Values = pick(r, []evidence.Digest{"", digest("other values")})
			}
		}},
		{"another lock of the system", id, nil, classes(OtherSubject, Inconsistent), func(s *scene, d *draft, r *rand.Rand) {
			d.lock = s.lock(1 + r.IntN(promotions-1))
		}},
		{"a statement less", classes(Untested, Order, Consent), classes(Untested, Order, Consent), classes(Untested, Order, Consent), func(s *scene, d *draft, r *rand.Rand) {
			s.somewhere(d, r).remove()
		}},
		{"all statements about a member less", classes(Untested), classes(Untested), classes(Untested), func(s *scene, d *draft, r *rand.Rand) {
			d.members[pick(r, d.lock.Members).Service] = nil
		}},
		{"a foreign statement more", classes(Untrusted), nil, classes(Untrusted), func(s *scene, d *draft, r *rand.Rand) {
			p := s.somewhere(d, r)
			p.add(s.sign(s.foreign, p.about, s.known[string(p.envelope())].Predicate))
		}},
		{"a trusted statement more", classes(Inconsistent), nil, nil, func(s *scene, d *draft, r *rand.Rand) {
			m := pick(r, d.lock.Members)
			d.members[m.Service] = append(slices.Clone(d.members[m.Service]), s.sign(s.ci, m.Bundle, verdict(m, "bench")))
		}},
		{"a statement signed by somebody else", classes(Untrusted), nil, classes(Untrusted), func(s *scene, d *draft, r *rand.Rand) {
			p := s.somewhere(d, r)
			p.replace(s.sign(s.foreign, p.about, s.known[string(p.envelope())].Predicate))
		}},
		{"a verdict signed by an approver", classes(Untrusted), nil, classes(Untrusted), func(s *scene, d *draft, r *rand.Rand) {
			m := pick(r, d.lock.Members)
			d.members[m.Service] = slices.Clone(d.members[m.Service])
			for i, e := range d.members[m.Service] {
				d.members[m.Service][i] = s.sign(s.owner, m.Bundle, s.known[string(e)].Predicate)
			}
		}},
		{"a consent signed by the one who promotes", classes(Untrusted), nil, classes(Untrusted), func(s *scene, d *draft, r *rand.Rand) {
			s.system(d, s.ci, func(c sign.Consent) sign.Predicate { return c })
		}},
		{"one person consents twice", classes(Consent), classes(Consent), classes(Consent), func(s *scene, d *draft, r *rand.Rand) {
			s.system(d, s.owner, func(c sign.Consent) sign.Predicate { return c })
		}},
		{"garbage more", classes(Malformed), classes(Malformed), classes(Malformed), func(s *scene, d *draft, r *rand.Rand) {
			s.somewhere(d, r).add([]byte(pick(r, []string{"", "{}", "garbage", `{"payloadType":"text/plain"}`, "null"})))
		}},
		{"the evidence of two members exchanged", classes(OtherSubject), nil, classes(OtherSubject), func(s *scene, d *draft, r *rand.Rand) {
			a, b := two(d, r)
			d.members[a.Service], d.members[b.Service] = d.members[b.Service], d.members[a.Service]
		}},
		{"a statement of another member", classes(OtherSubject), classes(OtherSubject), classes(OtherSubject), func(s *scene, d *draft, r *rand.Rand) {
			a, b := two(d, r)
			d.members[a.Service] = append(slices.Clone(d.members[a.Service]), s.sign(s.ci, a.Bundle, verdict(*b, "unit")))
		}},
		{"the suite passed on another combination", classes(OtherSubject, Untested), classes(OtherSubject, Untested), classes(OtherSubject, Untested), func(s *scene, d *draft, r *rand.Rand) {
			other := s.lock(1)
			about := pick(r, []evidence.Digest{other.ID(), d.lock.Members[0].Bundle})
			s.system(d, s.ci, func(v sign.Verdict) sign.Predicate { return nil })
			d.system = append(d.system, s.sign(s.ci, about, suite(other)))
		}},
		{"the suite did not pass", classes(Untested), classes(Untested), classes(Untested), func(s *scene, d *draft, r *rand.Rand) {
			s.system(d, s.ci, func(v sign.Verdict) sign.Predicate {
				v.Status = pick(r, []string{"failed", "not tested", "skipped", "cancelled", "not applicable"})
				return v
			})
		}},
		{"the suite passed for ever", classes(Malformed), classes(Malformed), classes(Malformed), func(s *scene, d *draft, r *rand.Rand) {
			s.system(d, s.ci, func(v sign.Verdict) sign.Predicate { v.Expires = time.Time{}; return v })
		}},
		{"the suite of no system", classes(OtherSystem), classes(OtherSystem), classes(OtherSystem), func(s *scene, d *draft, r *rand.Rand) {
			s.system(d, s.ci, func(v sign.Verdict) sign.Predicate { v.System = ""; return v })
		}},
		{"an expired statement", classes(Expired), classes(Expired), classes(Expired), onTerms(func(t *sign.Terms) { t.Expires = day(19) })},
		{"a statement of the future", classes(NotYetValid), classes(NotYetValid), classes(NotYetValid), onTerms(func(t *sign.Terms) { t.Issued = day(30) })},
		{"a statement of another system", classes(OtherSystem), classes(OtherSystem), classes(OtherSystem), onTerms(func(t *sign.Terms) { t.System = "books" })},
		{"a statement of an unknown environment", classes(OtherEnvironment), classes(OtherEnvironment), classes(OtherEnvironment), onTerms(func(t *sign.Terms) { t.Environment = "moon" })},
		// An approver of production is none of staging, and the consent is missing.
		{"a statement of another environment", classes(OtherEnvironment, Order, Consent, Untrusted), classes(OtherEnvironment, Order, Consent), classes(OtherEnvironment, Order, Consent, Untrusted), func(s *scene, d *draft, r *rand.Rand) {
			onTerms(func(t *sign.Terms) {
				if t.Environment == "staging" {
					t.Environment = "production"
				} else {
					t.Environment = "staging"
				}
			})(s, d, r)
		}},
		{"a statement by a revoked key", classes(Revoked), classes(Revoked), classes(Revoked), func(s *scene, d *draft, r *rand.Rand) {
			p := s.somewhere(d, r)
			p.replace(s.sign(s.old, p.about, s.known[string(p.envelope())].Predicate))
		}},
		{"a released version that is another one", classes(Inconsistent), classes(Inconsistent), classes(Inconsistent), func(s *scene, d *draft, r *rand.Rand) {
			m := pick(r, d.lock.Members)
			s.member(d, m, func(p sign.Release) sign.Predicate { p.Version = "7.7.7"; return p })
		}},
		{"an unsigned release", classes(Untrusted), nil, classes(Untrusted), func(s *scene, d *draft, r *rand.Rand) {
			m := pick(r, d.lock.Members)
			s.member(d, m, func(p sign.Release) sign.Predicate { p.Unsigned = true; return p })
		}},
		{"a waiver that ended", classes(Expired), classes(Expired), classes(Expired), func(s *scene, d *draft, r *rand.Rand) {
			m := pick(r, d.lock.Members)
			s.member(d, m, func(p sign.Verdict) sign.Predicate {
				p.Status, p.Waiver = "waived", &sign.Waiver{Reason: "forgotten", Until: day(19)}
				return p
			})
		}},
		{"a stage that failed", classes(Untested), classes(Untested), classes(Untested), func(s *scene, d *draft, r *rand.Rand) {
			m := pick(r, d.lock.Members)
			s.member(d, m, func(p sign.Verdict) sign.Predicate {
				p.Status = pick(r, []string{"failed", "not tested", "skipped", "cancelled"})
				return p
			})
		}},
	}
}

// onTerms signs a statement again, by the same key, on other terms.
func onTerms(change func(*sign.Terms)) func(*scene, *draft, *rand.Rand) {
	return func(s *scene, d *draft, r *rand.Rand) {
		p := s.somewhere(d, r)
		st := s.known[string(p.envelope())]
		p.replace(s.sign(s.signerOf(st), p.about, with(st.Predicate, change)))
	}
}

// system signs the statements of one kind about the combination again,
// otherwise; nil leaves them out.
func (s *scene) system(d *draft, key *sign.Signer, change any) {
	d.system = s.changed(d.system, d.lock.ID(), key, change)
}

func (s *scene) member(d *draft, m scs.Member, change any) {
	d.members[m.Service] = s.changed(d.members[m.Service], m.Bundle, s.ci, change)
}

func (s *scene) changed(list [][]byte, about evidence.Digest, key *sign.Signer, change any) [][]byte {
	var next [][]byte
	for _, e := range list {
		var p sign.Predicate = sign.Manual{} // none of those here
		switch was := s.known[string(e)].Predicate.(type) {
		case sign.Verdict:
			if f, ok := change.(func(sign.Verdict) sign.Predicate); ok {
				p = f(was)
			}
		case sign.Release:
			if f, ok := change.(func(sign.Release) sign.Predicate); ok {
				p = f(was)
			}
		case sign.Consent:
			if f, ok := change.(func(sign.Consent) sign.Predicate); ok {
				p = f(was)
			}
		}
		switch p.(type) {
		case nil:
		case sign.Manual:
			next = append(next, e)
		default:
			next = append(next, s.sign(key, about, p))
		}
	}
	return next
}

// damage changes a few bytes at random.
func damage(data []byte, r *rand.Rand) []byte {
	if len(data) == 0 {
		return []byte{byte(r.UintN(256))}
	}
	i := r.IntN(len(data))
	switch r.IntN(6) {
	case 0, 1:
		data = bytes.Clone(data)
		data[i] ^= byte(1 + r.UintN(255))
		return data
	case 2: // the case of a letter, which JSON does not mind in names
		data = bytes.Clone(data)
		data[i] ^= 0x20
		return data
	case 3:
		return slices.Insert(slices.Clone(data), i, pick(r, []byte(" \n\t\r\x00,}x\"")))
	case 4:
		return slices.Delete(slices.Clone(data), i, i+1)
	}
	return slices.Clone(data[:i])
}
