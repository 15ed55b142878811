package deploy

import (
	"fmt"
	"slices"
	"strings"

	"gitlab.com/selfcontained/pipeline/kindtest"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
)

// Action is what a plan does with a service.
type Action string

// The actions. Repair makes a new revision of what is installed already, because
// its objects were changed by hand.
const (
	Install Action = "install"
	Upgrade Action = "upgrade"
	Repair  Action = "repair"
	Keep    Action = "keep"
	Remove  Action = "remove"
)

// Change is what a plan does with one service.
type Change struct {
	Service string `json:"service"`
	Action  Action `json:"action"`
	From    string `json:"from,omitempty"` // the version that is installed
	To      string `json:"to,omitempty"`
	Why     string `json:"why,omitempty"`
	// Unready says that it is to be kept and not ready.
	Unready bool `json:"unready,omitempty"`
}

// String says it in words: "upgrade stock 0.1.0 -> 0.1.1".
func (c Change) String() string {
	versions := c.To
	switch {
	case c.To == "":
		versions = c.From
	case c.From != "" && c.From != c.To:
		versions = c.From + " -> " + c.To
	}
	text := fmt.Sprintf("%s %s %s", c.Action, c.Service, versions)
	if c.Why != "" {
		text += " (" + c.Why + ")"
	}
	return text
}

// Plan is what a deployment would do.
type Plan struct {
	System      string          `json:"system"`
	Environment string          `json:"environment"`
	Namespace   string          `json:"namespace"`
	Version     string          `json:"version"`
	ID          evidence.Digest `json:"id"`
	Sequence    int64           `json:"sequence"`
	// Changes has each member, in the order of the waves, then what is removed.
	Changes []Change `json:"changes"`
	// Nothing says that all is as it has to be.
	Nothing bool `json:"nothing"`
}

// Text is the plan for people, a line for each service.
func (p *Plan) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s to environment %s, namespace %s\n", p.System, p.Version, p.Environment, p.Namespace)
	for _, c := range p.Changes {
		fmt.Fprintf(&b, "  %s\n", c)
	}
	if p.Nothing {
		b.WriteString("nothing to do\n")
	}
	return b.String()
}

func (p *Plan) change(service string) *Change {
	for i := range p.Changes {
		if p.Changes[i].Service == service {
			return &p.Changes[i]
		}
	}
	return nil
}

// OlderError refuses to put an older promotion in the place of a newer one.
type OlderError struct {
	Namespace       string
	Wanted, There   int64
	SameButDiffered bool // the sequence is the same, the combination is another one
}

func (e *OlderError) Error() string {
	if e.SameButDiffered {
		return fmt.Sprintf("namespace %s has another combination under the same sequence %d: one of the two is not from the branch of the environment", e.Namespace, e.There)
	}
	return fmt.Sprintf("namespace %s is on sequence %d, which is newer than %d: fetch the branch of the environment; `pipeline scs promote --rollback` goes back with a newer sequence, --older deploys an old one all the same",
		e.Namespace, e.There, e.Wanted)
}

// state is what was read of a namespace.
type state struct {
	record   Record
	releases []kindtest.Release
	// drift are the objects of steady releases that are not as they have to be.
	drift map[string][]kindtest.ObjectDrift
}

func (s *state) release(name string) *kindtest.Release {
	for i := range s.releases {
		if s.releases[i].Name == name {
			return &s.releases[i]
		}
	}
	return nil
}

// ours reports whether a release is one of the environment's.
func (d *Deployment) ours(r *kindtest.Release) bool {
	return r.Labels[kindtest.SystemLabel] == d.System && r.Labels[kindtest.EnvironmentLabel] == d.Environment
}

// decide makes the plan. inputs are the digests of the members' charts with their
// values.
func decide(d *Deployment, inputs map[string]string, s *state, older bool) (*Plan, error) {
	there, id := s.record.sequence()
	if same := d.Sequence == there && d.ID != id; same || d.Sequence < there && !older {
		return nil, &OlderError{Namespace: d.Namespace, Wanted: d.Sequence, There: there, SameButDiffered: same}
	}
	p := &Plan{System: d.System, Environment: d.Environment, Namespace: d.Namespace, Version: d.Version, ID: d.ID, Sequence: d.Sequence}
	p.Nothing = s.record.Deploying == nil && s.record.Failed == nil && s.record.Installed != nil && s.record.Installed.ID == d.ID &&
		s.record.Installed.Sequence == d.Sequence && s.record.Installed.Version == d.Version
	for _, m := range slices.Concat(d.waves()...) {
		r := s.release(m.Service)
		if r != nil && !d.ours(r) {
			return nil, &kindtest.ForeignError{Object: fmt.Sprintf("the Helm release %s in namespace %s", r.Name, d.Namespace), Owner: "somebody else",
				Remedy: "uninstall it, or deploy to another namespace"}
		}
		p.add(changeOf(m, r, inputs[m.Service], s.drift[m.Service]))
	}
	for i := range s.releases {
		if r := &s.releases[i]; d.ours(r) && d.member(r.Name) == nil {
			p.add(Change{Service: r.Name, Action: Remove, From: r.Labels[versionLabel]})
		}
	}
	return p, nil
}

func (p *Plan) add(c Change) {
	p.Changes = append(p.Changes, c)
	if c.Action != Keep || c.Unready {
		p.Nothing = false
	}
}

// changeOf decides what is to be done with a member. r is nil when it is not
// there.
func changeOf(m *Member, r *kindtest.Release, inputs string, drift []kindtest.ObjectDrift) Change {
	c := Change{Service: m.Service, Action: Upgrade, To: m.Version}
	if r == nil {
		c.Action = Install
		return c
	}
	c.From = r.Labels[versionLabel]
	if c.From == labelVersion(m.Version) {
		c.From = m.Version
	}
	repair := slices.IndexFunc(drift, repairable)
	switch {
	case !r.Ours:
		c.Why = fmt.Sprintf("revision %d was made with another helm", r.Revision)
	case !r.Steady():
		c.Why = fmt.Sprintf("revision %d is %s", r.Revision, r.Status)
	case r.Inputs == inputs && repair >= 0:
		c.Action, c.Why = Repair, fmt.Sprintf("%s is %s", drift[repair].Object, drift[repair].Kind)
	case r.Inputs == inputs:
		c.Action = Keep
		c.Unready = slices.ContainsFunc(drift, func(d kindtest.ObjectDrift) bool { return d.Kind == kindtest.DriftNotReady })
	case c.From == c.To && r.Labels[bundleLabel] == labelDigest(m.Bundle):
		c.Why = "other values"
	case c.From == c.To:
		c.Why = "another bundle"
	}
	return c
}

// repairable reports whether a new revision undoes a drift.
func repairable(d kindtest.ObjectDrift) bool {
	return d.Kind == kindtest.DriftDeleted || d.Kind == kindtest.DriftScaled || d.Kind == kindtest.DriftEdited
}
