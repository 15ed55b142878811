package pipeline

import (
	"context"
	"fmt"
	"strings"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
)

// Decision says whether a node would run now, and why.
type Decision struct {
	Node *Node
	// UpToDate: there is a verdict for exactly these inputs, and the outputs
	// are in place.
	UpToDate bool
	// Pending: the node's inputs are not known before those it needs have run.
	Pending bool
	// Reason says in words why it runs.
	Reason string
	// Changes are the inputs that differ from the last verdict.
	Changes []evidence.Change
	// Verdict is the one that holds, nil unless UpToDate.
	Verdict *evidence.Verdict
	// Inputs are what the key was made of; nil for a stage without a key.
	Inputs *evidence.Inputs
}

// reasons shown when a node has to run.
const (
	reasonNoKey   = "it always runs"
	reasonNew     = "no verdict for these inputs yet"
	reasonForced  = "asked for by --force"
	reasonOutputs = "its outputs are gone"
)

// decider answers for each node of a plan whether its verdict still holds.
type decider struct {
	checkout *Checkout
	store    *evidence.Store
	force    func(node string) bool // whether it has to run, verdict or not
	version  string
}

// decide looks at one node. outputs gives the outputs of the nodes it needs;
// ok is false while one of them is not known.
func (d *decider) decide(ctx context.Context, n *Node, outputs func(node string) ([]evidence.Output, bool)) (Decision, error) {
	dec := Decision{Node: n}
	keyer, ok := n.Stage.(Keyer)
	if !ok {
		dec.Reason = reasonNoKey
		return dec, nil
	}
	in := &evidence.Inputs{}
	in.Value("stage", n.Name)
	in.Tool("pipeline", d.version)
	for _, need := range n.Needs {
		out, ok := outputs(need)
		if !ok {
			dec.Pending, dec.Reason = true, "depends on "+need
			return dec, nil
		}
		in.Digest("outputs of "+need, evidence.OutputsDigest(out))
	}
	if err := keyer.Key(ctx, in); err != nil {
		return dec, fmt.Errorf("inputs of %s: %w", n.Name, err)
	}
	dec.Inputs = in
	if d.force(n.Name) {
		dec.Reason = reasonForced
		return dec, nil
	}
	d.find(&dec)
	return dec, nil
}

// find looks for a verdict in the checkout, then in the shared store.
func (d *decider) find(dec *Decision) {
	key, last := dec.Inputs.Key(), d.checkout.Verdict(dec.Node.Name)
	candidates := []*evidence.Verdict{last}
	if last == nil || last.Key != key {
		candidates = []*evidence.Verdict{d.store.Find(key)}
	}
	for _, v := range candidates {
		if v == nil || v.Key != key {
			continue
		}
		if changes := evidence.ToolChanges(v.Tools, dec.Inputs.Tools()); len(changes) > 0 {
			dec.Reason = strings.Join(changes, ", ")
			return
		}
		if !d.inPlace(dec.Node.Name, v) {
			dec.Reason = reasonOutputs
			return
		}
		dec.UpToDate, dec.Verdict = true, v
		d.store.Used(key)
		return
	}
	dec.Reason = reasonNew
	if last != nil {
		dec.Changes = evidence.Diff(last.Inputs, dec.Inputs.List())
		dec.Reason = describe(dec.Changes)
	}
}

// inPlace makes sure that the checkout has the outputs of v, restoring them
// from the store where it must.
func (d *decider) inPlace(node string, v *evidence.Verdict) bool {
	out := d.checkout.Out(node)
	known := evidence.ReadStamps(out + ".stamps.json")
	stamps, fresh, err := evidence.Verify(out, v.Outputs, known)
	if err != nil {
		if d.store.Restore(v, out) != nil {
			return false
		}
		if stamps, fresh, err = evidence.Verify(out, v.Outputs, nil); err != nil {
			return false
		}
	}
	if fresh && evidence.WriteStamps(out+".stamps.json", stamps) != nil {
		return false
	}
	last := d.checkout.Verdict(node)
	return last != nil && last.Key == v.Key || evidence.WriteVerdict(out+".verdict.json", v) == nil
}

// shownChanges is how many changes a reason names.
const shownChanges = 3

func describe(changes []evidence.Change) string {
	if len(changes) == 0 {
		return reasonNew
	}
	var words []string
	for i, c := range changes {
		if i == shownChanges {
			words = append(words, fmt.Sprintf("%d more", len(changes)-i))
			break
		}
		words = append(words, c.String())
	}
	return strings.Join(words, ", ")
}

// Decide says for every node of the plan what a run would do now, without
// running anything. Outputs that the store has are put in place.
func (e *Engine) Decide(ctx context.Context) ([]Decision, error) {
	known := map[string][]evidence.Output{}
	outputs := func(node string) ([]evidence.Output, bool) { o, ok := known[node]; return o, ok }
	d := e.decider()
	var decisions []Decision
	for _, n := range e.Plan.nodes {
		dec, err := d.decide(ctx, n, outputs)
		if err != nil {
			return nil, err
		}
		if dec.UpToDate {
			known[n.Name] = dec.Verdict.Outputs
		}
		decisions = append(decisions, dec)
	}
	return decisions, nil
}

// findings loads what a verdict found; what is lost is nil.
func (d *decider) findings(v *evidence.Verdict) *Findings {
	if v.Findings == "" {
		return nil
	}
	var f Findings
	if d.store.GetJSON(v.Findings, &f) != nil {
		return nil
	}
	return &f
}
