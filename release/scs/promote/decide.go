package promote

import (
	"errors"
	"fmt"
	"time"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/sign"
	"gitlab.com/selfcontained/pipeline/release/scs"
	"gitlab.com/selfcontained/pipeline/release/scs/passport"
)

// Input is everything that a decision rests on.
type Input struct {
	// Rules come from the system's protected branch.
	Rules       passport.Rules
	Environment string
	// Lock is the lock file.
	Lock []byte
	// Evidence is what there is about the members and the combination, from
	// wherever it comes; of it that is taken which counts.
	Evidence passport.Evidence
	// Current is what the environment is on, Seen what the registry knows of it.
	Current *Environment
	Seen    passport.Seen
	// Commit is the full hash of the commit of the system's repository that the
	// lock is from.
	Commit string
	// Rollback says that the lock is an older one on purpose.
	Rollback bool
	By       string // who promotes: name, address or job
	Run      string // a run id or a job's address; may be empty
	Now      time.Time
	// Signer signs the promotion.
	Signer *sign.Signer
}

// Draft is a promotion as it would be made.
type Draft struct {
	System      string          `json:"system"`
	Environment string          `json:"environment"`
	Version     string          `json:"version"`
	ID          evidence.Digest `json:"id"`
	// Nothing says that the environment is there already, validly; what follows
	// from it may still have to be done.
	Nothing bool `json:"nothing,omitempty"`
	// Sequence is the number of the promotion, Previous what it replaces.
	Sequence        int64           `json:"sequence,omitempty"`
	Previous        evidence.Digest `json:"previous,omitempty"`
	PreviousVersion string          `json:"previousVersion,omitempty"`
	Rollback        bool            `json:"rollback,omitempty"`
	Changes         []string        `json:"changes"`
	// Passport is that of the environment as it will be or, where something
	// refuses, that of the combination.
	Passport *passport.Passport `json:"passport"`
	// Refusals say why it must not be made; empty when it may be.
	Refusals []passport.Refusal `json:"refusals,omitempty"`

	// Lock is what the environment will be on, Files the tree of its commit,
	// Message and At those of the commit.
	Lock    *scs.Lock         `json:"-"`
	Files   map[string][]byte `json:"-"`
	Message string            `json:"-"`
	At      time.Time         `json:"-"`
}

// Allowed reports whether nothing refuses.
func (d *Draft) Allowed() bool { return len(d.Refusals) == 0 }

// RefusedError says that a gate refused the draft.
type RefusedError struct{ Draft *Draft }

func (e *RefusedError) Error() string {
	r := e.Draft.Refusals[0]
	text := fmt.Sprintf("%s %s is not promoted to %s: %s, %s (%s): %s; %s",
		e.Draft.System, e.Draft.Version, e.Draft.Environment, r.Subject, r.Rule, r.Class, r.Why, r.Remedy)
	if more := len(e.Draft.Refusals) - 1; more > 0 {
		text += fmt.Sprintf(" (and %d more, see above)", more)
	}
	return text
}

// Decide makes the draft. Equal inputs make equal drafts, to the byte. A draft
// that must not be carried out has refusals; the error is about the input.
func Decide(in Input) (*Draft, error) {
	if in.Signer == nil {
		return nil, fmt.Errorf("promote to %s: %w", in.Environment, sign.ErrNoKey)
	}
	d := &Draft{System: in.Rules.System, Environment: in.Environment, Rollback: in.Rollback, Changes: []string{}, At: in.Now}
	d.Passport = passport.LockFor(in.Environment, scs.LockName, in.Lock, in.Evidence, in.Rules, in.Now)
	d.ID, d.Version = d.Passport.ID, d.Passport.Version
	if d.ID == "" { // no lock, or one of another system or to nowhere
		d.Refusals = d.Passport.Refusals
		return d, nil
	}
	var err error
	if d.Lock, err = scs.ParseLock(scs.LockName, in.Lock); err != nil {
		return nil, err
	}
	last, err := in.Current.Last(in.Rules)
	if err != nil {
		d.refuseHistory(err, in.Current)
		return d, nil
	}
	d.compare(in.Current.Files[scs.LockName])
	if last != nil && d.alreadyThere(in, last) {
		return d, nil
	}
	if d.Refusals = d.Passport.Refusals; !d.Allowed() {
		return d, nil
	}
	return d, d.make(in, last)
}

// refuseHistory says that it cannot be told which promotion comes next.
func (d *Draft) refuseHistory(err error, current *Environment) {
	r := passport.Refusal{
		Class: passport.Inconsistent, Subject: d.Environment, Rule: passport.RuleHistory, Why: err.Error(), Remedy: restore(current),
	}
	if errors.Is(err, sign.ErrUntrusted) {
		r.Class = passport.Untrusted
		r.Remedy = "a key that has promoted stays under trust on the protected branch, also when it is revoked there; if it was none of yours: " + r.Remedy
	}
	d.Refusals = append(d.Refusals, r)
}

// restore says how an environment is mended whose branch somebody has changed by
// hand.
func restore(e *Environment) string {
	text := "only `pipeline scs promote` writes the branch " + Branch(e.Name)
	for _, p := range e.Older {
		if len(p.Promotion) > 0 {
			return fmt.Sprintf("%s; put it back to its last promotion: git push --force-with-lease origin %s:refs/heads/%s", text, p.Commit, Branch(e.Name))
		}
	}
	return text + "; delete it, and promote again"
}

// alreadyThere reports whether the environment is on the combination. Where what
// is there does not hold any more (a verdict has expired) it is promoted again,
// with the evidence that there is now.
func (d *Draft) alreadyThere(in Input, last *Moved) bool {
	d.Previous, d.PreviousVersion = last.ID, last.Version
	if last.ID != d.ID {
		return false
	}
	p := in.Current.Judge(in.Seen, in.Rules, in.Now)
	if !p.Valid() {
		return false
	}
	lock, err := scs.ParseLock(scs.LockName, in.Current.Files[scs.LockName])
	if err != nil {
		return false // a valid passport says otherwise
	}
	d.Nothing, d.Lock, d.Version, d.Passport, d.Files = true, lock, lock.Version, p, in.Current.Files
	d.Sequence, d.Previous, d.Rollback = last.Sequence, last.Previous, last.Rollback
	return true
}

// make signs the promotion, writes the files, and lets the passport judge the
// environment as everybody else will see it.
func (d *Draft) make(in Input, last *Moved) error {
	d.Sequence = 1
	if last != nil {
		d.Sequence = last.Sequence + 1
	}
	d.Files = passport.Files(d.Lock.Combination, d.Passport.Evidence)
	d.Files[scs.LockName] = in.Lock
	envelope, err := in.Signer.Sign(sign.Subject{Name: d.System, Digest: d.ID}, d.promotion(in))
	if err != nil {
		return fmt.Errorf("promote to %s: %w", d.Environment, err)
	}
	d.Files[scs.PromotionName] = envelope
	size := 0
	for _, data := range d.Files {
		size += len(data)
	}
	if size > MaxFiles {
		return fmt.Errorf("promote to %s: lock and evidence have %d bytes, and at most %d are read; delete statements that nobody needs from the registry", d.Environment, size, MaxFiles)
	}
	after := *in.Current
	after.Files = d.Files
	after.Older = in.Current.below()
	d.Passport = after.Judge(in.Seen, in.Rules, in.Now)
	d.Refusals = d.Passport.Refusals
	for i, r := range d.Refusals {
		if r.Rule == passport.RuleHistory {
			d.Refusals[i].Remedy = restore(in.Current)
			if in.Seen.Sequence >= d.Sequence {
				d.Refusals[i].Remedy = fmt.Sprintf("somebody has put the branch %s back: push the commit of number %d (%s) there again; where that is lost, delete the tag %s in the registry",
					Branch(d.Environment), in.Seen.Sequence, in.Seen.ID.Short(), d.Environment)
			}
		}
		if r.Rule == passport.RulePromotion && r.Class == passport.Untrusted {
			d.Refusals[i].Remedy = fmt.Sprintf("sign with a key that is under trust on the protected branch; this one is %.12s", in.Signer)
		}
	}
	d.Message = d.message(in)
	return nil
}

// below are the promotions that lie below the next one.
func (e *Environment) below() []Past {
	if len(e.Files) == 0 {
		return nil
	}
	list := append([]Past{{e.Tip, e.Files[scs.PromotionName]}}, e.Older...)
	return list[:min(len(list), passport.History)]
}

func (d *Draft) promotion(in Input) sign.Promotion {
	return sign.Promotion{
		Terms:   sign.Terms{System: d.System, Environment: d.Environment, Issued: in.Now, Sequence: d.Sequence, Run: in.Run},
		Version: d.Lock.Version, Commit: in.Commit, Lock: evidence.Sum(in.Lock), Evidence: scs.EvidenceDigest(d.Files),
		Previous: d.Previous, Rollback: in.Rollback, By: in.By,
	}
}

// compare lists what changes from the lock that is there.
func (d *Draft) compare(current []byte) {
	from := scs.Combination{}
	if lock, err := scs.ParseLock(scs.LockName, current); err == nil {
		from = lock.Combination
	}
	for _, c := range scs.Diff(from, d.Lock.Combination) {
		d.Changes = append(d.Changes, c.String())
	}
}
