package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"gitlab.com/selfcontained/pipeline/pipeline/proc"
)

// Reason is why a server did not do what it was asked for.
type Reason string

// The reasons that a caller may tell apart.
const (
	NoRemote    Reason = "there is no such remote repository"
	NoRight     Reason = "access is refused"
	Unreachable Reason = "the server does not answer"
	Refused     Reason = "it did not work"
)

// RemoteError says that something could not be done with a remote repository.
// It carries no credentials.
type RemoteError struct {
	Action  string // "push the tag v1.2.0"
	Remote  string // its name or address
	Reason  Reason
	Detail  string // what the server or git says, on one line
	Command string // what a person with the right can type in the repository
	Err     error
}

func (e *RemoteError) Error() string {
	s := fmt.Sprintf("%s (remote %s): %s", e.Action, e.Remote, e.Reason)
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	return s + "; where it can be reached with the right to do this, type: " + e.Command
}

func (e *RemoteError) Unwrap() error { return e.Err }

// remoteCall is a command that speaks with a server.
type remoteCall struct {
	action string
	remote string
	args   []string
	stdin  string
	// typed is what a person would type; nil is args.
	typed []string
}

// ask runs a command that speaks with a server; its error is a *RemoteError,
// unless it was cancelled or there is no git.
func (r *Repo) ask(ctx context.Context, c remoteCall) (string, error) {
	out, err := r.run(ctx, call{args: c.args, stdin: c.stdin, remote: true})
	var e *proc.Error
	if !errors.As(err, &e) || ctx.Err() != nil {
		return out, err
	}
	reason, detail := classify(e.Stderr)
	typed := c.typed
	if typed == nil {
		typed = c.args
	}
	return out, &RemoteError{
		Action: c.action, Remote: withoutCredentials(c.remote), Reason: reason, Detail: detail,
		Command: withoutCredentials(proc.Quote(append([]string{"git"}, typed...))), Err: err,
	}
}

// classify reads what git wrote to stderr; LC_ALL=C makes that English.
func classify(stderr string) (Reason, string) {
	for _, kind := range []struct {
		reason Reason
		says   []string
	}{
		{Unreachable, []string{
			"could not resolve host", "name resolution", "connection refused", "timed out", "network is unreachable", "no route to host",
			"couldn't connect", "failed to connect", "connection reset", "connection closed", "returned error: 5",
		}},
		{NoRight, []string{
			"permission denied", "authentication failed", "could not read username", "could not read password", "access denied", "not allowed",
			"error: 401", "error: 403", "host key verification failed", "don't have permission", "insufficient permission", "forbidden",
			"hook declined", "protected", "unable to create temporary object directory", "terminal prompts disabled", "unauthorized",
		}},
		{NoRemote, []string{"does not appear to be a git repository", "no such remote", "not found", "could not be found", "no configured"}},
	} {
		for line := range strings.Lines(stderr) {
			for _, s := range kind.says {
				if strings.Contains(strings.ToLower(line), s) {
					return kind.reason, oneLine(line)
				}
			}
		}
	}
	for line := range strings.Lines(stderr) {
		for _, mark := range []string{"remote: ", "fatal: ", "error: "} {
			if strings.HasPrefix(line, mark) {
				return Refused, oneLine(line)
			}
		}
	}
	return Refused, ""
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// RemoteURL returns the address of a remote, without credentials.
func (r *Repo) RemoteURL(ctx context.Context, remote string) (string, error) {
	out, err := r.git(ctx, "remote", "get-url", "--", remote)
	if err == nil {
		return withoutUser(strings.TrimSpace(out)), nil
	}
	var e *proc.Error
	if !errors.As(err, &e) || ctx.Err() != nil {
		return "", err
	}
	return "", &RemoteError{
		Action: "read its address", Remote: withoutCredentials(remote), Reason: NoRemote, Command: proc.Quote([]string{"git", "remote", "add", remote, "URL"}), Err: err,
	}
}

// withoutUser drops what withoutCredentials would mask.
func withoutUser(address string) string {
	return strings.Replace(withoutCredentials(address), proc.Mask+"@", "", 1)
}

// RemoteTag is a tag of a remote repository.
type RemoteTag struct {
	Name   string
	Object string // full hash of what it names: of itself, when it is annotated
	Commit string // full hash of the commit below
}

// RemoteTags returns the tags of a remote (a name or an address) that begin with
// prefix, in the order of their names. The error is a *RemoteError.
func (r *Repo) RemoteTags(ctx context.Context, remote, prefix string) ([]RemoteTag, error) {
	out, err := r.ask(ctx, remoteCall{
		action: "read its tags", remote: remote, args: []string{"ls-remote", "--tags", "--", remote, "refs/tags/" + globEscape(prefix) + "*"},
	})
	if err != nil {
		return nil, err
	}
	var tags []RemoteTag
	for line := range strings.Lines(out) {
		hash, ref, ok := strings.Cut(strings.TrimSpace(line), "\t")
		name, peeled := strings.CutSuffix(strings.TrimPrefix(ref, "refs/tags/"), "^{}")
		switch {
		case !ok || !strings.HasPrefix(name, prefix):
		case peeled && len(tags) > 0 && tags[len(tags)-1].Name == name:
			tags[len(tags)-1].Commit = hash
		case !peeled:
			tags = append(tags, RemoteTag{Name: name, Object: hash, Commit: hash})
		}
	}
	return tags, nil
}

// remoteTag returns one tag of a remote; its Name is "" where it has none.
func (r *Repo) remoteTag(ctx context.Context, remote, name string) (RemoteTag, error) {
	tags, err := r.RemoteTags(ctx, remote, name)
	for _, t := range tags {
		if t.Name == name {
			return t, nil
		}
	}
	return RemoteTag{}, err
}

// RemoteBranch returns the hash of the commit that a branch of a remote is on, ""
// where there is no such branch. The error is a *RemoteError.
func (r *Repo) RemoteBranch(ctx context.Context, remote, branch string) (string, error) {
	ref := "refs/heads/" + branch
	out, err := r.ask(ctx, remoteCall{
		action: "read the branch " + branch, remote: remote, args: []string{"ls-remote", "--heads", "--", remote, globEscape(ref)},
	})
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(out) {
		if hash, name, _ := strings.Cut(strings.TrimSpace(line), "\t"); name == ref {
			return hash, nil
		}
	}
	return "", nil
}
