package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/release/scs"
	"gitlab.com/selfcontained/pipeline/release/scs/search"
)

// oracle answers whether combinations pass, several at once: each in a checkout
// and a namespace of its own.
type oracle struct {
	*suite
	slots chan *pipeline.Checkout
	force bool

	mu       sync.Mutex
	verdicts map[evidence.Digest]*evidence.Verdict // of those that passed
	asked    map[evidence.Digest]bool
}

func (t *suite) oracle(parallel int, force bool) *oracle {
	o := &oracle{suite: t, slots: make(chan *pipeline.Checkout, parallel), force: force, verdicts: map[evidence.Digest]*evidence.Verdict{}, asked: map[evidence.Digest]bool{}}
	for i := range parallel {
		o.slots <- pipeline.OpenCheckout(filepath.Join(t.Dir, ".pipeline", "scs", strconv.Itoa(i+1)))
	}
	return o
}

// again notes that a combination is asked about, and reports whether it was
// before: whoever asks twice wants a second answer.
func (o *oracle) again(id evidence.Digest) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	before := o.asked[id]
	o.asked[id] = true
	return before
}

// ask tests a combination. That it passed is remembered by the evidence store,
// that it failed by a file in the cache.
func (o *oracle) ask(ctx context.Context, c scs.Combination) search.Verdict {
	at := <-o.slots
	defer func() { o.slots <- at }()
	again := o.again(c.ID())
	rec, err := o.run(ctx, c, at, nil, o.force || again)
	if err != nil || len(rec.Results) == 0 {
		return search.Verdict{Status: search.NotTested, Why: fmt.Sprint(err)}
	}
	r := rec.Results[0]
	switch r.Status {
	case pipeline.Passed:
		o.passed(c, at.Verdict(r.Node))
		return search.Verdict{Status: search.Passed, Why: r.Message}
	case pipeline.Failed:
		o.remember(c.ID(), r.Message)
		return search.Verdict{Status: search.Failed, Why: r.Message}
	}
	return search.Verdict{Status: search.NotTested, Why: fmt.Sprintf("%s: %s", r.Status, r.Message)}
}

// verdict is what was said of a combination that passed here; nil for another.
func (o *oracle) verdict(c scs.Combination) *evidence.Verdict {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.verdicts[c.ID()]
}

func (o *oracle) passed(c scs.Combination, v *evidence.Verdict) {
	o.forget(c.ID())
	o.mu.Lock()
	defer o.mu.Unlock()
	o.verdicts[c.ID()] = v
}

// failure is what is remembered of a combination that failed.
type failure struct {
	Why string    `json:"why"`
	At  time.Time `json:"at"`
}

// failureHolds is for how long a failure is believed: what failed may have been
// the cluster.
const failureHolds = 7 * 24 * time.Hour

func (o *oracle) failures() string { return filepath.Join(o.cache, "combinations") }

func (o *oracle) remember(id evidence.Digest, why string) {
	data, err := json.Marshal(failure{why, time.Now().UTC()})
	if err == nil {
		_ = evidence.WriteFile(filepath.Join(o.failures(), id.Hex()+".json"), data) // a memory only
	}
}

func (o *oracle) forget(id evidence.Digest) {
	_ = os.Remove(filepath.Join(o.failures(), id.Hex()+".json"))
}

// known are the combinations that failed a short time ago. What is older is
// forgotten.
func (o *oracle) known() map[evidence.Digest]search.Status {
	known := map[evidence.Digest]search.Status{}
	if o.force {
		return known
	}
	files, _ := filepath.Glob(filepath.Join(o.failures(), "*.json"))
	for _, name := range files {
		data, err := os.ReadFile(name)
		var f failure
		if err != nil || json.Unmarshal(data, &f) != nil || time.Since(f.At) > failureHolds {
			_ = os.Remove(name)
			continue
		}
		hex := filepath.Base(name)
		known[evidence.Digest("sha256:"+hex[:len(hex)-len(".json")])] = search.Failed
	}
	return known
}
