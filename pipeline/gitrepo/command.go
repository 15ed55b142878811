package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"

	"gitlab.com/selfcontained/pipeline/pipeline/proc"
)

// call is one git command.
type call struct {
	args   []string
	stdin  string
	stdout io.Writer // nil: what run returns
	env    []string
	// remote says that a server is spoken to.
	remote bool
}

// git runs a command that reads or changes this repository alone and returns
// its output.
func (r *Repo) git(ctx context.Context, args ...string) (string, error) {
	return r.run(ctx, call{args: args})
}

// run runs a git command. Its error is an *proc.Error without credentials and
// without the settings that every call has: a person can type what it shows.
func (r *Repo) run(ctx context.Context, c call) (string, error) {
	args := append([]string{"git", "--no-optional-locks", "--literal-pathspecs"}, settings()...)
	cmd := proc.Cmd{Dir: r.Root, CleanEnv: true, Env: append(environment(os.Environ()), c.env...)}
	if c.remote {
		ssh, err := r.sshCommand(ctx)
		if err != nil {
			return "", err
		}
		cmd.Env = append(cmd.Env, "GIT_TERMINAL_PROMPT=0", "GCM_INTERACTIVE=never", "GIT_SSH_COMMAND="+ssh)
	}
	cmd.Args = append(args, c.args...)
	if c.stdin != "" {
		cmd.Stdin = strings.NewReader(c.stdin)
	}
	if c.stdout != nil {
		cmd.Stdout = c.stdout
		return "", readable(cmd.Run(ctx), c.args)
	}
	out, err := cmd.Output(ctx)
	return string(out), readable(err, c.args)
}

// readable is an error of a command as a person would have typed it.
func readable(err error, args []string) error {
	if proc.NotFound(err) {
		return fmt.Errorf("%w: git is not installed", ErrNoRepository)
	}
	var e *proc.Error
	if !errors.As(err, &e) {
		return err
	}
	shown := []string{"git"}
	for _, a := range args {
		shown = append(shown, withoutCredentials(a))
	}
	return &proc.Error{Args: shown, Dir: e.Dir, ExitCode: e.ExitCode, Signal: e.Signal, Stderr: withoutCredentials(e.Stderr), Err: e.Err}
}

func exitCode(err error) int { return proc.ExitCode(err) }

// settings are options that switch off what a user's configuration would change
// about a result. See git-config(1).
func settings() []string {
	var args []string
	for _, s := range []string{
		"core.hooksPath=/dev/null", "core.fsmonitor=", "core.attributesFile=/dev/null", "core.quotePath=true", "color.ui=false",
		"i18n.commitEncoding=UTF-8", "i18n.logOutputEncoding=UTF-8", "log.showSignature=false", "log.mailmap=false",
		"tag.gpgSign=false", "tag.forceSignAnnotated=false", "commit.gpgSign=false",
		"fetch.prune=false", "fetch.pruneTags=false", "fetch.recurseSubmodules=false", "fetch.writeCommitGraph=false", "fetch.all=false",
		"push.followTags=false", "push.gpgSign=false", "push.recurseSubmodules=no", "push.pushOption=", "submodule.recurse=false",
		"gc.auto=0", "maintenance.auto=false", "protocol.version=2",
	} {
		args = append(args, "-c", s)
	}
	return args
}

// environment is what a git command sees of the variables of this process.
func environment(all []string) []string {
	kept := slices.DeleteFunc(slices.Clone(all), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return dropped(name)
	})
	return append(kept, "LC_ALL=C", "GIT_NO_REPLACE_OBJECTS=1")
}

// dropped are variables that name another repository, as in a hook, or change
// what commands print. See git(1), section "Environment Variables".
func dropped(name string) bool {
	switch name {
	case "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_INDEX_VERSION", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES",
		"GIT_COMMON_DIR", "GIT_NAMESPACE", "GIT_PREFIX", "GIT_INTERNAL_SUPER_PREFIX", "GIT_SHALLOW_FILE", "GIT_GRAFT_FILE",
		"GIT_REPLACE_REF_BASE", "GIT_QUARANTINE_PATH", "GIT_IMPLICIT_WORK_TREE", "GIT_CONFIG", "GIT_ATTR_SOURCE", "GIT_NOTES_REF",
		"GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE", "GIT_EXTERNAL_DIFF", "GIT_DIFF_OPTS", "GIT_PUSH_OPTION_COUNT", "GIT_REFLOG_ACTION",
		"GIT_GLOB_PATHSPECS", "GIT_NOGLOB_PATHSPECS", "GIT_ICASE_PATHSPECS", "GIT_DEFAULT_HASH", "SSH_ASKPASS":
		return true
	}
	return strings.HasPrefix(name, "GIT_TRACE") || strings.HasPrefix(name, "GIT_TRACE2")
}

// sshCommand is the user's ssh, which must fail instead of asking for a
// passphrase or about an unknown host.
func (r *Repo) sshCommand(ctx context.Context) (string, error) {
	command := os.Getenv("GIT_SSH_COMMAND")
	if command == "" && os.Getenv("GIT_SSH") != "" {
		command = proc.Quote([]string{os.Getenv("GIT_SSH")})
	}
	if command == "" {
		out, err := r.git(ctx, "config", "--get", "core.sshCommand")
		if err != nil && exitCode(err) != 1 {
			return "", err
		}
		command = strings.TrimSpace(out)
	}
	if command == "" {
		command = "ssh"
	}
	if program, _, _ := strings.Cut(command, " "); path.Base(strings.Trim(program, `'"`)) == "ssh" {
		command += " -o BatchMode=yes -o ConnectTimeout=30"
	}
	return command, nil
}

// withoutCredentials replaces what stands before "@" in addresses; the name of
// a user alone is kept for ssh, where it is no secret.
func withoutCredentials(s string) string {
	const mark = "://"
	var b strings.Builder
	for {
		at := strings.Index(s, mark)
		if at < 0 {
			return b.String() + s
		}
		scheme := strings.HasSuffix(s[:at], "ssh")
		b.WriteString(s[:at+len(mark)])
		s = s[at+len(mark):]
		end := strings.IndexAny(s, "/?# \t\r\n'\"")
		if end < 0 {
			end = len(s)
		}
		user := strings.LastIndexByte(s[:end], '@')
		if user < 0 || scheme && !strings.Contains(s[:user], ":") {
			continue
		}
		b.WriteString(proc.Mask)
		s = s[user:]
	}
}

// identity returns the variables for a command that makes a commit or a tag:
// none where git knows who makes it.
func (r *Repo) identity(ctx context.Context) []string {
	who := r.Identity
	if who.Name == "" {
		who.Name = "pipeline"
	}
	if who.Email == "" {
		who.Email = "pipeline@localhost"
	}
	var env []string
	for _, role := range []string{"AUTHOR", "COMMITTER"} {
		if _, err := r.git(ctx, "-c", "user.useConfigOnly=true", "var", "GIT_"+role+"_IDENT"); err != nil {
			env = append(env, "GIT_"+role+"_NAME="+who.Name, "GIT_"+role+"_EMAIL="+who.Email)
		}
	}
	return env
}
