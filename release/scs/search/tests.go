package search

import (
	"cmp"
	"context"
	"fmt"
	"sync"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/release/scs"
)

// question is a mix that is to be tested, and why.
type question struct {
	mix
	why string
}

// votes are the answers that there are about a mix.
type votes struct {
	combination    scs.Combination
	id             evidence.Digest
	why            string // it was asked about last
	passed, failed int
	asked          int  // how many of them this search asked for
	certain        bool // no more answers are needed
}

// tests puts questions to the oracle, and remembers.
type tests struct {
	space   *space
	oracle  Oracle
	o       Options
	answers map[mix]*votes
	order   []mix // of answers
	log     []Test
	rounds  int
	// wavers says that the oracle has answered one question in two ways.
	wavers bool
}

func newTests(s *space, oracle Oracle, o Options) *tests {
	return &tests{space: s, oracle: oracle, o: o, answers: map[mix]*votes{}}
}

// votes returns the answers about a mix, those from before included.
func (t *tests) votes(m mix) *votes {
	if v := t.answers[m]; v != nil {
		return v
	}
	v := &votes{combination: t.space.combination(m)}
	v.id = v.combination.ID()
	good, candidate := t.space.good, t.space.candidate
	switch known := t.o.Known[v.id]; {
	case m == t.space.none && good.Suite == candidate.Suite && good.Values == candidate.Values:
		v.combination, v.id, v.passed, v.certain = good, good.ID(), 1, true
	case known == Passed:
		v.passed = 1
	case known == Failed, m == t.space.all:
		v.failed = 1
	}
	t.answers[m] = v
	t.order = append(t.order, m)
	return v
}

func (t *tests) known(m mix) bool  { v := t.votes(m); return v.passed+v.failed > 0 }
func (t *tests) passes(m mix) bool { v := t.votes(m); return v.passed > v.failed }
func (t *tests) fails(m mix) bool  { v := t.votes(m); return v.failed > v.passed }

// enough reports whether a mix needs no more answers when each verdict needs so
// many equal ones.
func (t *tests) enough(m mix, need int) bool {
	v := t.votes(m)
	if min(v.passed, v.failed) > 0 {
		need = max(need, t.majority())
	}
	return v.certain || max(v.passed, v.failed) >= need
}

func (t *tests) majority() int { return t.o.Votes/2 + 1 }

// ask makes sure that there is an answer to a question. The others are asked
// along with it where that takes no further round.
func (t *tests) ask(ctx context.Context, q question, along ...question) error {
	return t.askAll(ctx, []question{q}, along...)
}

func (t *tests) askAll(ctx context.Context, must []question, along ...question) error {
	for _, q := range must {
		t.votes(q.mix).why = q.why
	}
	must = t.open(must, 1)
	if len(must) == 0 {
		return nil
	}
	free := (t.o.Parallel - len(must)%t.o.Parallel) % t.o.Parallel
	along = t.open(append(must[:len(must):len(must)], along...), 1)[len(must):]
	return t.run(ctx, must, along[:min(free, len(along))])
}

// settle asks until the verdicts have a majority of Options.Votes, side by side.
func (t *tests) settle(ctx context.Context, mixes ...mix) error {
	return t.firm(ctx, t.majority(), mixes...)
}

// firm asks until each verdict rests on so many equal answers, or on a majority
// where they differ. It returns errAgain when a verdict has changed by that.
func (t *tests) firm(ctx context.Context, need int, mixes ...mix) error {
	var again []question
	passed := map[mix]bool{}
	for _, m := range mixes {
		v := t.votes(m)
		why := cmp.Or(v.why, t.space.allBut(m))
		again = append(again, question{m, fmt.Sprintf("%s, again (%d passed, %d failed so far)", why, v.passed, v.failed)})
		passed[m] = t.passes(m)
	}
	for open := t.open(again, need); len(open) > 0; open = t.open(again, need) {
		if err := t.run(ctx, open, nil); err != nil {
			return err
		}
	}
	for m, was := range passed {
		if t.passes(m) != was {
			return errAgain
		}
	}
	return nil
}

// open drops the questions that have their answers, and what is asked twice.
func (t *tests) open(questions []question, need int) []question {
	var left []question
	seen := map[mix]bool{}
	for _, q := range questions {
		if !seen[q.mix] && !t.enough(q.mix, need) {
			left = append(left, q)
		}
		seen[q.mix] = true
	}
	return left
}

// run asks the questions in rounds. It is an error when one that must be
// answered is not; the others are welcome.
func (t *tests) run(ctx context.Context, must, along []question) error {
	all := append(must, along...)
	for at := 0; at < len(all); {
		if ctx.Err() != nil {
			return &stopped{"cancelled: " + context.Cause(ctx).Error()}
		}
		round := all[at:min(at+t.o.Parallel, len(all))]
		if t.o.Budget > 0 {
			round = round[:min(len(round), t.o.Budget-len(t.log))]
		}
		switch {
		case len(round) > 0:
			if err := t.round(ctx, round, len(must)-at); err != nil {
				return err
			}
		case at < len(must):
			return &stopped{fmt.Sprintf("the budget of %d tests is spent", t.o.Budget)}
		default:
			return nil
		}
		at += len(round)
	}
	return nil
}

// round asks questions at once; the first of them must be answered.
func (t *tests) round(ctx context.Context, questions []question, must int) error {
	first := len(t.log)
	t.rounds++
	for i, q := range questions {
		t.votes(q.mix).why = cmp.Or(t.votes(q.mix).why, q.why)
		t.log = append(t.log, Test{N: first + i + 1, Round: t.rounds, Why: q.why, ID: t.votes(q.mix).id, Updates: t.space.names(q.mix)})
		t.say(Event{Kind: TestStarted, Test: new(t.log[first+i])})
	}
	var running sync.WaitGroup
	verdicts := make([]Verdict, len(questions))
	for i, q := range questions {
		c := t.votes(q.mix).combination
		running.Go(func() { verdicts[i] = t.oracle(ctx, c) })
	}
	running.Wait()
	var err error
	for i, q := range questions {
		if !t.note(q.mix, &t.log[first+i], verdicts[i]) && i < must && err == nil {
			err = &stopped{fmt.Sprintf("test %d (%s) could not be run: %s", first+i+1, q.why, t.log[first+i].Verdict.Why)}
		}
	}
	return err
}

// note writes an answer down; false when it is none.
func (t *tests) note(m mix, test *Test, verdict Verdict) bool {
	v := t.votes(m)
	switch verdict.Status {
	case Passed:
		v.passed++
	case Failed:
		v.failed++
	case NotTested:
	default:
		verdict = Verdict{NotTested, fmt.Sprintf("the answer is %q; expected passed, failed or not tested", verdict.Status)}
	}
	test.Verdict = verdict
	if verdict.Status != NotTested {
		v.asked++
	}
	t.wavers = t.wavers || min(v.passed, v.failed) > 0
	t.say(Event{Kind: TestDone, Test: new(*test)})
	return verdict.Status != NotTested
}

func (t *tests) say(e Event) {
	if t.o.Tell != nil {
		t.o.Tell(e)
	}
}
