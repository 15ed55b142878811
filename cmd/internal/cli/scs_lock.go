package cli

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/release/scs"
	"gitlab.com/selfcontained/pipeline/release/scs/promote"
	"gitlab.com/selfcontained/pipeline/release/scs/search"
)

// finish locks a combination that has passed: it is published, and its lock
// written or, where that is asked for, brought to the repository.
func (u *updater) finish(ctx context.Context, r *updateResult, c scs.Combination) error {
	l := &scs.Lock{Version: promote.NextVersion(u.lock, c), Combination: c, Held: u.held(r.Search, c)}
	locked := combinationOf(l.Combination, l.Version)
	r.Lock, r.Held = &locked, l.Held
	if u.flags.dryRun {
		return nil
	}
	if u.lock == nil {
		r.Changes = []string{"first lock"}
	} else {
		for _, change := range scs.Diff(u.lock.Combination, c) {
			r.Changes = append(r.Changes, change.String())
		}
	}
	if v := u.verdict(c); v != nil {
		var err error
		if r.Published, err = u.publish(ctx, u.rules, c, l.Version, v); err != nil {
			return err
		}
	}
	if u.lock != nil && bytes.Equal(u.lock.Encode(), l.Encode()) {
		return nil
	}
	r.Changed = true
	if u.flags.commit || u.flags.request {
		return u.deliver(ctx, r, l)
	}
	if err := evidence.WriteFile(u.lockPath(), l.Encode()); err != nil {
		return fmt.Errorf("write the lock: %w", err)
	}
	fmt.Fprintf(u.streams.err, "%s is written; commit it, or let --commit or --merge-request do so\n", relative(u.lockPath()))
	return nil
}

// held are the versions that are newer than those of a combination, and why they
// are not in it.
func (u *updater) held(found *search.Result, c scs.Combination) []scs.Held {
	var held []scs.Held
	if found != nil {
		for _, h := range found.Held {
			held = append(held, u.together(scs.Held{
				Service: h.Service, Version: cmp.Or(h.To, "none"), With: h.With, Why: h.Why, Replay: u.replay(found, h, c),
			}))
		}
	}
	for _, choice := range u.found.Choices {
		for _, refused := range choice.Refused {
			held = append(held, scs.Held{Service: choice.Service, Version: refused.Version, Why: refused.Why})
		}
	}
	slices.SortStableFunc(held, func(a, b scs.Held) int { return cmp.Compare(a.Service, b.Service) })
	return held
}

// together keeps what was known of a version that was held back before: once the
// other half of a pair is in the lock, it fails by itself, but it is not to blame
// alone.
func (u *updater) together(h scs.Held) scs.Held {
	if u.lock == nil || len(h.With) > 0 {
		return h
	}
	for _, before := range u.lock.Held {
		if before.Service == h.Service && before.Version == h.Version && len(before.With) > 0 {
			h.With = before.With
			h.Why = "it fails together with " + strings.Join(before.With, ", ")
		}
	}
	return h
}

// replay is the command that shows why a change is held back, with the lock as it
// is now.
func (u *updater) replay(found *search.Result, h search.Held, locked scs.Combination) string {
	if len(h.Culprits) == 0 {
		return ""
	}
	culprit := found.Culprits[h.Culprits[0]]
	return replayCommand(u.culprit(culprit), locked)
}

// culprit is the combination that shows a culprit: the last good one with its
// changes.
func (u *updater) culprit(c search.Culprit) scs.Combination {
	shown := *u.good
	for _, change := range c.Changes {
		if m := u.candidate.Member(change.Service); m != nil && change.To != "" {
			shown = shown.With(*m)
		} else {
			shown = shown.Without(change.Service)
		}
	}
	return shown
}

// replayCommand tests a combination, seen from the lock.
func replayCommand(c, locked scs.Combination) string {
	var b strings.Builder
	b.WriteString("pipeline scs test")
	for _, change := range scs.Diff(locked, c) {
		if change.To != nil {
			fmt.Fprintf(&b, " --set %s=%s", change.Service, change.To.Version)
		}
	}
	return b.String()
}

// print prints the result of an update.
func (u *updater) print(r *updateResult) error {
	if u.flags.asJSON {
		return printJSON(u.streams.out, r)
	}
	_, err := u.streams.out.Write([]byte(harmless(u.text(r))))
	return err
}

func (u *updater) text(r *updateResult) string {
	var b strings.Builder
	if r.Search != nil {
		for _, c := range r.Search.Culprits {
			fmt.Fprintf(&b, "culprit  %s\n", culpritText(c))
			if c.Why != "" {
				fmt.Fprintf(&b, "         %s\n", c.Why)
			}
			if r.Lock != nil {
				locked := scs.Combination{Members: r.Lock.Services}
				fmt.Fprintf(&b, "         replay: %s\n", replayCommand(u.culprit(c), locked))
			}
		}
		for _, text := range r.Search.Unproven {
			fmt.Fprintf(&b, "open     %s\n", text)
		}
	}
	switch {
	case r.Lock == nil && r.Status == "":
		b.WriteString("dry run: nothing was tested\n")
	case r.Lock == nil:
		fmt.Fprintf(&b, "%s: the lock stays as it is: %s\n", r.Status, r.Why)
	case !r.Changed:
		fmt.Fprintf(&b, "nothing new: %s %s\n", u.Name, lockText(r.Lock))
	default:
		fmt.Fprintf(&b, "locked   %s %s\n", u.Name, lockText(r.Lock))
	}
	if r.Commit != "" {
		fmt.Fprintf(&b, "commit   %s\n", r.Commit)
	}
	if r.Request != "" {
		fmt.Fprintf(&b, "merge request  %s\n", r.Request)
	}
	return b.String()
}

func lockText(l *combinationResult) string { return l.Version + ": " + lockedServices(l) }
