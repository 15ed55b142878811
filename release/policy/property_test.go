package policy

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
)

// one takes an element at random, or the zero value.
func one[T any](r *rand.Rand, list ...T) T { return list[r.IntN(len(list))] }

func someTime(r *rand.Rand) time.Time { return one(r, time.Time{}, day(2), day(9), day(10), day(11)) }

// some makes evidence at random, dense enough that many gates open.
func some(r *rand.Rand) Evidence {
	subject := func() evidence.Digest { return one(r, digest("bundle"), digest("bundle"), digest("another")) }
	e := Evidence{
		Subject: digest("bundle"), Commit: "c", Clean: r.IntN(4) > 0, Signed: r.IntN(4) > 0,
		Branches: one(r, []string{"main"}, []string{"x", "main"}, []string{"main"}, nil),
	}
	for range r.IntN(6) {
		v := Verdict{
			Stage: one(r, "unit", "lint"), Subject: subject(), At: someTime(r),
			Status: one(r, "passed", "passed", "failed", "not tested", "waived", "not applicable"),
		}
		if v.Status == "waived" {
			v.Waiver = &Waiver{one(r, "later", ""), someTime(r)}
		}
		e.Verdicts = append(e.Verdicts, v)
	}
	for range r.IntN(3) {
		review := Review{MergeRequest: one(r, "!1", "!2"), Commit: one(r, "c", "d"), Author: one(r, "kim", "kim", ""), LastPush: someTime(r)}
		for range r.IntN(4) {
			review.Approvals = append(review.Approvals, Approval{one(r, "kim", "lee", "sam", ""), someTime(r)})
		}
		e.Reviews = append(e.Reviews, review)
	}
	for range r.IntN(3) {
		c := Checklist{Subject: subject(), By: one(r, "sam", "lee", ""), At: someTime(r)}
		for range r.IntN(3) {
			c.Items = append(c.Items, Item{one(r, "pay", "order"), one(r, "passed", "passed", "failed")})
		}
		e.Manual = append(e.Manual, c)
	}
	for range r.IntN(5) {
		e.Overrides = append(e.Overrides, Override{
			Subject: subject(), Rule: one(r, "stage unit", "stage lint", RuleApprovals, RuleManual, RuleCleanTree, RuleBranch, RuleSigned),
			Reason: one(r, "fire", "fire", ""), By: one(r, "sam", "lee", ""), At: day(1 + r.IntN(10)), Until: day(9 + r.IntN(5)),
		})
	}
	return e
}

func somePolicy(r *rand.Rand) Policy {
	return Policy{
		Require:   one(r, nil, []string{"unit"}, []string{"unit", "lint"}),
		Approvals: r.IntN(3), Manual: r.IntN(2) == 0, Checklist: one(r, nil, nil, []string{"pay"}),
		CleanTree: r.IntN(2) == 0, Branch: one(r, "", "main"), Signed: r.IntN(2) == 0,
		Override: one(r, nil, []string{"*"}, []string{"stage *"}), CommittersMayApprove: r.IntN(2) == 0,
	}
}

func without[T any](list []T, i int) []T { return slices.Delete(slices.Clone(list), i, i+1) }

// smaller returns the evidence with each single thing taken away.
func smaller(e Evidence) []Evidence {
	var all []Evidence
	less := func(change func(*Evidence)) {
		s := e
		change(&s)
		all = append(all, s)
	}
	less(func(s *Evidence) { s.Clean = false })
	less(func(s *Evidence) { s.Signed = false })
	less(func(s *Evidence) { s.Commit = "" })
	less(func(s *Evidence) { s.Subject = "" })
	for i := range e.Branches {
		less(func(s *Evidence) { s.Branches = without(e.Branches, i) })
	}
	for i := range e.Verdicts {
		less(func(s *Evidence) { s.Verdicts = without(e.Verdicts, i) })
	}
	for i := range e.Manual {
		less(func(s *Evidence) { s.Manual = without(e.Manual, i) })
	}
	for i := range e.Overrides {
		less(func(s *Evidence) { s.Overrides = without(e.Overrides, i) })
	}
	for i, r := range e.Reviews {
		less(func(s *Evidence) { s.Reviews = without(e.Reviews, i) })
		changed := func(change func(*Review)) {
			less(func(s *Evidence) {
				s.Reviews = slices.Clone(e.Reviews)
				change(&s.Reviews[i])
			})
		}
		changed(func(s *Review) { s.Author = "" })
		changed(func(s *Review) { s.LastPush = time.Time{} })
		for a := range r.Approvals {
			changed(func(s *Review) { s.Approvals = without(r.Approvals, a) })
		}
	}
	return all
}

// Taking evidence away never opens a gate.
func TestLessEvidenceNeverAllowsMore(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(4, 2))
	allowed, compared := 0, 0
	for range 6_000 {
		p, e := somePolicy(r), some(r)
		if Judge(p, e, now()).Allowed {
			allowed++
			continue
		}
		for _, s := range smaller(e) {
			compared++
			if d := Judge(p, s, now()); d.Allowed {
				t.Fatalf("policy %+v\nrefused\n%s\nallowed with less\n%+v\n%s", p, Judge(p, e, now()), s, d)
			}
		}
	}
	if allowed < 150 || compared < 10_000 {
		t.Errorf("%d allowed, %d compared: the evidence is too thin to prove anything", allowed, compared)
	}
}

// The order of the evidence does not matter, and nothing is changed in it.
func TestOrderDoesNotMatter(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(2, 4))
	for range 2_000 {
		p, e := somePolicy(r), some(r)
		want := Judge(p, e, now())
		s := e
		s.Verdicts, s.Reviews, s.Manual, s.Overrides, s.Branches = shuffled(r, e.Verdicts), shuffled(r, e.Reviews), shuffled(r, e.Manual), shuffled(r, e.Overrides), shuffled(r, e.Branches)
		if diff := cmp.Diff(want, Judge(p, s, now())); diff != "" {
			t.Fatalf("policy %+v, evidence %+v (-want +got):\n%s", p, e, diff)
		}
	}
}

func shuffled[T any](r *rand.Rand, list []T) []T {
	list = slices.Clone(list)
	r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list
}
