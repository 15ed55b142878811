package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestMain makes the test binary the command when a test starts it as such.
func TestMain(m *testing.M) {
	if os.Getenv("GITLABDOUBLE_TEST_MAIN") == "1" {
		main()
		return
	}
	os.Exit(m.Run())
}

// process is a running gitlabdouble.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	line   ready
	stderr bytes.Buffer
	ended  bool
}

func start(t *testing.T, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(os.Args[0], args...)}
	p.cmd.Env = append(os.Environ(), "GITLABDOUBLE_TEST_MAIN=1")
	p.cmd.Stderr = &p.stderr
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.stop() })
	text, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil || json.Unmarshal(text, &p.line) != nil {
		p.stop()
		t.Fatalf("the line is %q: %v\n%s", text, err, p.stderr.String())
	}
	return p
}

// stop sends SIGTERM, expects success, and returns what was reported.
func (p *process) stop() string {
	p.t.Helper()
	if !p.ended {
		p.ended = true
		if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			p.t.Error(err)
		}
		if err := p.cmd.Wait(); err != nil {
			p.t.Errorf("after SIGTERM: %v", err)
		}
	}
	return p.stderr.String()
}

func (p *process) status(method, path, header, token, body string) int {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), method, p.line.URL+"/api/v4"+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set(header, token)
	r.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

// What one process made, the next one has, with its tokens.
func TestStateAndTokens(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	args := []string{"--state", dir, "--token", "access:glpat-a:maria", "--token", "job:a:b:joe", "--token", "oauth::olga", "--member", "joe:reporter"}
	p := start(t, args...)
	if len(p.line.Tokens) != 3 || p.line.Tokens[1].Value != "a:b" || p.line.Tokens[2].Value == "" {
		t.Fatalf("%+v", p.line)
	}
	const releases = "/projects/group%2Fproject/releases"
	body := `{"tag_name":"v1","ref":"main"}`
	if got := p.status("POST", releases, "Job-Token", "a:b", body); got != 403 {
		t.Errorf("a Reporter's job: %d", got)
	}
	if got := p.status("POST", releases, "Authorization", "Bearer "+p.line.Tokens[2].Value, body); got != 201 {
		t.Errorf("OAuth: %d", got)
	}
	p.stop()
	p = start(t, args...)
	if got := p.status("GET", releases+"/v1", "Private-Token", "glpat-a", ""); got != 200 {
		t.Errorf("in the next process: %d", got)
	}
	out, err := exec.Command("git", "ls-remote", strings.Replace(p.line.Clone, "://", "://maria:glpat-a@", 1)).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "refs/tags/v1") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestOverARepository(t *testing.T) {
	t.Parallel()
	repo := filepath.Join(t.TempDir(), "mine.git")
	if out, err := exec.Command("git", "init", "-q", "--bare", "-b", "main", repo).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	p := start(t, "--repo", repo)
	if got := p.status("POST", "/projects/group%2Fproject/releases", "Private-Token", p.line.Tokens[0].Value, `{"tag_name":"v1","ref":"main"}`); got != 201 {
		t.Fatalf("%d", got)
	}
	if out, err := exec.Command("git", "--git-dir", repo, "tag").Output(); err != nil || strings.TrimSpace(string(out)) != "v1" {
		t.Errorf("%q, %v", out, err)
	}
}

func TestWrongUsage(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		args []string
		code int
		want string
	}{
		"token without a user": {[]string{"--token", "access:x"}, 2, "kind:value:user"},
		"kind of token":        {[]string{"--token", "deploy:x:y"}, 2, "job, access or oauth"},
		"role":                 {[]string{"--member", "x:king"}, 2, "guest"},
		"argument":             {[]string{"now"}, 2, "unexpected"},
		"flag":                 {[]string{"--port", "1"}, 2, "port"},
		"address":              {[]string{"--listen", "256.0.0.1:0"}, 1, "listen"},
		"no repository":        {[]string{"--repo", t.TempDir()}, 1, "bare git repository"},
	} {
		var stdout, stderr bytes.Buffer
		code := run(t.Context(), test.args, &stdout, &stderr)
		if code != test.code || !strings.Contains(stderr.String(), test.want) || stdout.Len() > 0 {
			t.Errorf("%s: %d %q", name, code, stderr.String())
		}
	}
}
