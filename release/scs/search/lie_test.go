package search_test

import (
	"context"
	"testing"

	"gitlab.com/selfcontained/pipeline/release/scs"
	"gitlab.com/selfcontained/pipeline/release/scs/search"
)

// lying is an oracle that gives a wrong answer to one question, the first time
// that it is asked.
func (w world) lying(at int) search.Oracle {
	asked := 0
	return func(ctx context.Context, c scs.Combination) search.Verdict {
		v := w.oracle(ctx, c)
		if asked++; asked != at {
			return v
		}
		if v.Status == search.Passed {
			return search.Verdict{Status: search.Failed, Why: "timeout"}
		}
		return search.Verdict{Status: search.Passed}
	}
}

// A single wrong answer, whichever it is, is found out: with the default options
// except where the package's comment says so, with one more answer for each fact
// always.
func TestOneLie(t *testing.T) {
	t.Parallel()
	const n = 30
	told, believed := 0, 0
	for _, k := range kinds() {
		for seed := range uint64(1) {
			w := planted(n, k.plant(random(seed), n)...)
			for _, o := range []search.Options{{}, {Repeat: 2}} {
				honest := w.find(t, w.oracle, o)
				for at := range honest.Count {
					told++
					r := w.find(t, w.lying(at+1), o)
					lies := w.lies(r)
					if len(lies) == 0 && r.Complete && len(r.Repairs)+len(r.Unproven) == 0 {
						continue
					}
					believed++
					if one := len(r.Culprits) == 1 && len(r.Culprits[0].Changes) == 1; !one || o.Repeat > 1 || len(lies) != 1 {
						t.Errorf("%s, seed %d, %+v: a wrong answer %s to test %d (%s) leads to %q %q", k.name, seed, o,
							r.Tests[at].Verdict.Status, at+1, r.Tests[at].Why, lies, r.Unproven)
					}
				}
			}
		}
	}
	t.Logf("%d of %d lies are believed", believed, told)
}
