package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"gitlab.com/selfcontained/pipeline/release/gitlab/gitlabtest"
)

// options are the flags.
type options struct {
	listen, state, repo, project string
	tokens, members              list
}

// list is a flag that may be given several times.
type list []string

func (l *list) String() string     { return strings.Join(*l, " ") }
func (l *list) Set(s string) error { *l = append(*l, s); return nil }

// ready is the line that is printed when clients may come.
type ready struct {
	URL     string  `json:"url"`
	Project string  `json:"project"`
	Clone   string  `json:"clone"`
	Tokens  []token `json:"tokens"`
}

type token struct {
	Kind  gitlabtest.Kind `json:"kind"`
	User  string          `json:"user"`
	Value string          `json:"value"`
}

// run returns the exit code: 2 for wrong usage, 1 when it cannot serve.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var o options
	flags := flag.NewFlagSet("gitlabdouble", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.listen, "listen", "127.0.0.1:0", "`address` to listen on; port 0 takes a free one")
	flags.StringVar(&o.state, "state", "", "`folder` that keeps the state (default: a temporary one, removed at the end)")
	flags.StringVar(&o.repo, "repo", "", "bare git `repository` of the project (default: a new one with one commit)")
	flags.StringVar(&o.project, "project", "group/project", "`path` of the project")
	flags.Var(&o.members, "member", "`user:role` of the project, role being guest, reporter, developer, maintainer or owner (default: the users of tokens are maintainers); may be given several times")
	flags.Var(&o.tokens, "token", "`kind:value:user`, kind being job, access or oauth, an empty value one of its own making (default: access::root); may be given several times")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	if flags.NArg() > 0 {
		fmt.Fprintf(stderr, "gitlabdouble: unexpected argument %q\n", flags.Arg(0))
		return 2
	}
	if err := serve(ctx, o, stdout, stderr); err != nil {
		fmt.Fprintf(stderr, "gitlabdouble: %v\n", err)
		var wrong usageError
		if errors.As(err, &wrong) {
			return 2
		}
		return 1
	}
	return 0
}

type usageError string

func (e usageError) Error() string { return string(e) }

func serve(ctx context.Context, o options, stdout, stderr io.Writer) error {
	if o.state == "" {
		dir, err := os.MkdirTemp("", "gitlabdouble-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		o.state = dir
	}
	d, err := gitlabtest.Open(o.state)
	if err != nil {
		return err
	}
	line, err := o.furnish(d)
	if err != nil {
		return err
	}
	handler, _, err := gitlabtest.Checked(d, func(err error) { fmt.Fprintf(stderr, "gitlabdouble: %v\n", err) })
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", o.listen)
	if err != nil {
		return err
	}
	d.URL = "http://" + listener.Addr().String()
	line.URL, line.Clone = d.URL, d.URL+"/"+o.project+".git"
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	if err := json.NewEncoder(stdout).Encode(line); err != nil {
		return errors.Join(err, server.Close())
	}
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		return server.Close()
	}
}

// furnish makes what the flags name, unless the state has it from before.
func (o options) furnish(d *gitlabtest.Double) (ready, error) {
	if o.repo != "" {
		absolute, err := filepath.Abs(o.repo)
		if err != nil {
			return ready{}, err
		}
		o.repo = absolute
	}
	p, err := d.ProjectOver(o.project, o.repo)
	if err != nil {
		return ready{}, err
	}
	if refs, err := p.Refs(); err != nil {
		return ready{}, fmt.Errorf("%s is no bare git repository: %w", o.repo, err)
	} else if refs == "" {
		if _, err := p.Commit(p.DefaultBranch, "root", "feat: first", map[string]string{"README.md": "# A project\n"}); err != nil {
			return ready{}, err
		}
	}
	line := ready{Project: o.project}
	if len(o.tokens) == 0 {
		o.tokens = list{"access::root"}
	}
	for _, spec := range o.tokens {
		t, err := addToken(d, p, spec)
		if err != nil {
			return ready{}, err
		}
		line.Tokens = append(line.Tokens, t)
	}
	return line, o.setMembers(p)
}

// addToken reads kind:value:user. The value may have colons in it.
func addToken(d *gitlabtest.Double, p *gitlabtest.Project, spec string) (token, error) {
	kind, rest, ok := strings.Cut(spec, ":")
	at := strings.LastIndex(rest, ":")
	if !ok || at < 0 || rest[at+1:] == "" {
		return token{}, usageError(fmt.Sprintf("--token %q: expected kind:value:user", spec))
	}
	t := token{Kind: gitlabtest.Kind(kind), Value: rest[:at], User: rest[at+1:]}
	made := gitlabtest.Token{Kind: t.Kind, Value: t.Value, User: t.User}
	switch t.Kind {
	case gitlabtest.JobToken:
		made.Project = p.ID
	case gitlabtest.AccessToken, gitlabtest.OAuthToken:
		made.Scopes = []string{"api"}
	default:
		return token{}, usageError(fmt.Sprintf("--token %q: the kind must be job, access or oauth", spec))
	}
	if p.RoleOf(t.User) == gitlabtest.NoAccess {
		p.Member(t.User, gitlabtest.Maintainer)
	}
	if t.Value == "" || !d.HasToken(t.Value) {
		t.Value = d.AddToken(made)
	}
	return t, nil
}

func (o options) setMembers(p *gitlabtest.Project) error {
	roles := map[string]gitlabtest.Role{
		"guest": gitlabtest.Guest, "reporter": gitlabtest.Reporter, "developer": gitlabtest.Developer,
		"maintainer": gitlabtest.Maintainer, "owner": gitlabtest.Owner,
	}
	for _, spec := range o.members {
		user, name, _ := strings.Cut(spec, ":")
		role, ok := roles[name]
		if !ok || user == "" {
			return usageError(fmt.Sprintf("--member %q: expected user:role, role being guest, reporter, developer, maintainer or owner", spec))
		}
		p.Member(user, role)
	}
	return nil
}
