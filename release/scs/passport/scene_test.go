package passport

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/sign"
	"gitlab.com/selfcontained/pipeline/release/scs"
)

// scene is all that Pointer is told of production, and the world it is from.
// Mutations change a copy; byte slices are never changed in place.
type scene struct {
	*world
	env   string
	tips  []State // of all promotions, the oldest first
	tip   State
	older [][]byte
	seen  Seen
	rules Rules
	now   time.Time
	known map[string]*sign.Statement // what an envelope of the tip says
	*memory
}

const promotions = 3

func newScene(w *world) *scene {
	s := &scene{world: w, env: "production", rules: w.rules, now: now(), seen: Seen{promotions, w.lock(promotions).ID()}, known: map[string]*sign.Statement{}, memory: newMemory()}
	s.tips, s.older = w.environment(promotions)
	s.tip = s.tips[promotions-1]
	d := s.open()
	all := map[evidence.Digest][][]byte{d.lock.ID(): d.system}
	for _, m := range d.lock.Members {
		all[m.Bundle] = d.members[m.Service]
	}
	for about, list := range all {
		for _, e := range list {
			st, err := sign.Verify(e, w.rules.everybody(), about, s.now)
			if err != nil {
				w.t.Fatal(err)
			}
			s.known[string(e)] = st
		}
	}
	return s
}

func (s *scene) clone() *scene {
	c := *s
	c.tip.Files = maps.Clone(s.tip.Files)
	c.older = slices.Clone(s.older)
	c.rules.Trust.Keys, c.rules.Trust.Revoked = slices.Clone(s.rules.Trust.Keys), slices.Clone(s.rules.Trust.Revoked)
	c.rules.Environments = slices.Clone(s.rules.Environments)
	return &c
}

func (s *scene) judge() *Passport {
	x := begin(s.rules, s.env, s.now)
	x.verify = s.memory.verify
	x.pointer(s.tip, s.older, s.seen)
	return x.done()
}

// memory remembers what sign.Verify said, which depends on its arguments alone:
// of ten thousand mutations most leave most envelopes as they are.
type memory struct {
	sync.Mutex
	answers map[question]map[string]answer
	forged  map[string][]byte // envelopes by subject and the one that they are made from
	drafts  map[string]*draft // by promotion
}

func newMemory() *memory {
	return &memory{answers: map[question]map[string]answer{}, forged: map[string][]byte{}, drafts: map[string]*draft{}}
}

type answer struct {
	statement *sign.Statement
	err       error
}

// question is what an answer depends on beside the envelope.
type question struct {
	keys    [8]*sign.PublicKey
	revoked string
	about   evidence.Digest
	now     int64
}

func (m *memory) verify(envelope []byte, trust sign.Trust, about evidence.Digest, now time.Time) (*sign.Statement, error) {
	q := question{revoked: strings.Join(trust.Revoked, " "), about: about, now: now.UnixNano()}
	if copy(q.keys[:], trust.Keys) < len(trust.Keys) {
		panic("more keys than a question has")
	}
	m.Lock()
	a, ok := m.answers[q][string(envelope)]
	m.Unlock()
	if ok {
		return a.statement, a.err
	}
	a.statement, a.err = sign.Verify(envelope, trust, about, now)
	m.Lock()
	defer m.Unlock()
	if m.answers[q] == nil {
		m.answers[q] = map[string]answer{}
	}
	m.answers[q][string(envelope)] = a
	return a.statement, a.err
}

// fingerprint is of all that judge is given.
func (s *scene) fingerprint() evidence.Digest {
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(s.tip.Files)) {
		fmt.Fprintf(h, "%q %d ", name, len(s.tip.Files[name]))
		h.Write(s.tip.Files[name])
	}
	for _, e := range s.older {
		fmt.Fprintf(h, "%d ", len(e))
		h.Write(e)
	}
	fmt.Fprintf(h, "%s %v %s %s %q %q", s.env, s.seen, s.now, s.rules.System, s.rules.Require, s.rules.Trust.Revoked)
	for _, k := range s.rules.Trust.Keys {
		fmt.Fprint(h, k.ID())
	}
	for _, e := range s.rules.Environments {
		fmt.Fprintf(h, "%s %s %d", e.Name, e.After, e.Approve)
	}
	return evidence.SumOf(h)
}

// draft is the content of a tree, to be edited and written again.
type draft struct {
	lock      *scs.Lock
	members   map[string][][]byte // by service
	system    [][]byte
	promotion sign.Promotion
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// open reads the tip, which has to be one that was promoted.
func (s *scene) open() *draft {
	key := string(s.tip.Files[scs.PromotionName])
	if s.memory.drafts[key] == nil {
		s.memory.drafts[key] = s.read()
	}
	d := *s.memory.drafts[key]
	l := *d.lock
	l.Members, l.Held = slices.Clone(l.Members), slices.Clone(l.Held)
	d.lock, d.members, d.system = &l, maps.Clone(d.members), slices.Clone(d.system)
	return &d
}

func (s *scene) read() *draft {
	d := &draft{lock: must(scs.ParseLock(scs.LockName, s.tip.Files[scs.LockName])), members: map[string][][]byte{}}
	for _, m := range d.lock.Members {
		name := scs.EvidenceName(m.Service)
		d.members[m.Service] = must(scs.SplitEvidence(name, s.tip.Files[name]))
	}
	d.system = must(scs.SplitEvidence(scs.SystemEvidence, s.tip.Files[scs.SystemEvidence]))
	st := must(s.memory.verify(s.tip.Files[scs.PromotionName], sign.Trust{Keys: s.world.rules.Trust.Keys}, d.lock.ID(), now()))
	d.promotion = must(sign.As[sign.Promotion](st))
	return d
}

// files is the tree without the promotion.
func (d *draft) files() map[string][]byte {
	files := map[string][]byte{scs.LockName: d.lock.Encode(), scs.SystemEvidence: scs.JoinEvidence(d.system)}
	for service, list := range d.members {
		files[scs.EvidenceName(service)] = scs.JoinEvidence(list)
	}
	return files
}

// put writes the draft below the promotion that is there: nothing is signed.
func (s *scene) put(d *draft) {
	files := d.files()
	files[scs.PromotionName] = s.tip.Files[scs.PromotionName]
	s.tip.Files = files
}

// putSigned writes the draft and a promotion that fits, by a key.
func (s *scene) putSigned(d *draft, key *sign.Signer) {
	s.tip = s.tree(key, d.lock, d.files(), d.promotion)
}

// forge makes everything consistent without a trusted key: statements about
// something else than the draft has now are made anew, with the right subject;
// with all, every single one.
func (s *scene) forge(d *draft, all bool) {
	for _, m := range d.lock.Members {
		d.members[m.Service] = s.forged(m.Bundle, d.members[m.Service], all)
	}
	d.system = s.forged(d.lock.ID(), d.system, all)
	s.putSigned(d, s.foreign)
}

func (s *scene) forged(about evidence.Digest, list [][]byte, all bool) [][]byte {
	list = slices.Clone(list)
	for i, e := range list {
		if st := s.known[string(e)]; st != nil && (all || st.Subject.Digest != about) {
			list[i] = s.forgery(about, e)
		}
	}
	return list
}

func (s *scene) forgery(about evidence.Digest, envelope []byte) []byte {
	key := string(about) + string(envelope)
	if s.memory.forged[key] == nil {
		s.memory.forged[key] = s.sign(s.foreign, about, s.known[string(envelope)].Predicate)
	}
	return s.memory.forged[key]
}

// place is where an envelope lies among the evidence.
type place struct {
	list  *[][]byte
	at    int
	about evidence.Digest
	put   func([][]byte)
}

// somewhere chooses an envelope of the draft.
func (s *scene) somewhere(d *draft, r *rand.Rand) place {
	i := r.IntN(len(d.lock.Members) + 1)
	if i == len(d.lock.Members) {
		list := slices.Clone(d.system)
		return place{&list, r.IntN(len(list)), d.lock.ID(), func(l [][]byte) { d.system = l }}
	}
	m := d.lock.Members[i]
	list := slices.Clone(d.members[m.Service])
	return place{&list, r.IntN(len(list)), m.Bundle, func(l [][]byte) { d.members[m.Service] = l }}
}

func (p place) envelope() []byte { return (*p.list)[p.at] }

func (p place) replace(e []byte) { (*p.list)[p.at] = e; p.put(*p.list) }

func (p place) remove() { p.put(slices.Delete(*p.list, p.at, p.at+1)) }

func (p place) add(e []byte) { p.put(append(*p.list, e)) }

// with returns a statement on other terms.
func with(p sign.Predicate, change func(*sign.Terms)) sign.Predicate {
	switch p := p.(type) {
	case sign.Verdict:
		change(&p.Terms)
		return p
	case sign.Release:
		change(&p.Terms)
		return p
	case sign.Consent:
		change(&p.Terms)
		return p
	case sign.Promotion:
		change(&p.Terms)
		return p
	}
	panic(p)
}

// signerOf is the one of the keys that made an envelope.
func (s *scene) signerOf(st *sign.Statement) *sign.Signer {
	for _, k := range []*sign.Signer{s.ci, s.owner, s.second} {
		if k.Public().ID() == st.KeyID {
			return k
		}
	}
	panic(st.KeyID)
}
