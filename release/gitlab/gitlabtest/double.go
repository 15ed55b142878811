package gitlabtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Double is a GitLab that lives in a folder: state.json, blobs/ with the
// contents of packages by their SHA-256, and repos/ with bare repositories.
// All its methods may be called at once; the state has one lock, the races of
// GitLab are made with faults.
type Double struct {
	// URL is where clients reach it, without a slash at the end. It is set
	// once, before the first request.
	URL string

	dir    string
	errors map[string]errorRow
	routes []route

	mu      sync.Mutex
	state   state
	commits map[string]commitInfo // read already
	faults  faults
}

// Open returns the double whose state lies in a folder, which is made if it
// does not exist. It is not for two processes at once.
func Open(dir string) (*Double, error) {
	table, err := loadErrors()
	if err != nil {
		return nil, err
	}
	d := &Double{dir: dir, errors: table, routes: routes(), commits: map[string]commitInfo{}}
	for _, sub := range []string{"blobs", "repos", "hooks"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return nil, err
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "hooks", "update"), []byte(updateHook), 0o755); err != nil {
		return nil, err
	}
	return d, d.load()
}

func (d *Double) load() error {
	data, err := os.ReadFile(filepath.Join(d.dir, "state.json"))
	if errors.Is(err, fs.ErrNotExist) {
		start, err := time.Parse(time.RFC3339, epoch)
		d.state = state{LastID: int64(firstID), Clock: start}
		return err
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, &d.state); err != nil {
		return fmt.Errorf("%s/state.json: %w", d.dir, err)
	}
	for _, p := range d.state.Projects {
		p.home = d
	}
	return nil
}

// save writes the state through a temporary file, so that a killed double
// leaves a whole one.
func (d *Double) save() error {
	data, err := json.MarshalIndent(&d.state, "", " ")
	if err != nil {
		return err
	}
	return d.write("state.json", data)
}

func (d *Double) write(name string, data []byte) error {
	name = filepath.Join(d.dir, name)
	tmp := name + ".tmp"
	if err := os.WriteFile(tmp, data, 0o644); err != nil {
		return err
	}
	return os.Rename(tmp, name)
}

// edit changes the state under the lock and writes it.
func (d *Double) edit(change func(*state)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change(&d.state)
	if err := d.save(); err != nil {
		panic(fmt.Sprintf("gitlabtest: the state cannot be kept: %v", err))
	}
}

// ServeHTTP answers a REST or git request, after the faults that wait for it.
func (d *Double) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if repo, service, ok := gitPath(r); ok {
		d.serveGit(w, r, repo, service)
		return
	}
	d.serveAPI(w, r)
}

// User makes a user, or returns the one of that name.
func (d *Double) User(name string) *User {
	var u *User
	d.edit(func(s *state) { u = s.addUser(name, false) })
	return u
}

func (s *state) addUser(name string, bot bool) *User {
	if u := s.user(name); u != nil {
		return u
	}
	u := &User{ID: s.id(), Username: name, Name: strings.ToUpper(name[:1]) + name[1:], Bot: bot}
	s.Users = append(s.Users, u)
	return u
}

// AccessToken makes a personal access token of a user and returns its value.
func (d *Double) AccessToken(user string, scopes ...string) string {
	return d.addToken(&Token{Kind: AccessToken, User: user, Scopes: scopes}, "glpat-")
}

// OAuthToken makes an OAuth access token of a user and returns its value.
func (d *Double) OAuthToken(user string, scopes ...string) string {
	return d.addToken(&Token{Kind: OAuthToken, User: user, Scopes: scopes}, "oauth-")
}

// AddToken makes a token with a chosen value. A job token needs a project.
func (d *Double) AddToken(t Token) string { return d.addToken(&t, "") }

func (d *Double) addToken(t *Token, prefix string) string {
	d.edit(func(s *state) {
		s.addUser(t.User, false)
		t.ID = s.id()
		if t.Kind == JobToken {
			t.Job = s.id()
		}
		if t.Value == "" {
			t.Value = prefix + strings.Repeat("secret", 3) + strconv.FormatInt(t.ID, 10)
		}
		s.Tokens = append(s.Tokens, t)
	})
	return t.Value
}

// Revoke ends a token; for a job token that is the end of its job.
func (d *Double) Revoke(value string) {
	d.edit(func(s *state) { s.token(value).Revoked = true })
}

// Advance lets time pass.
func (d *Double) Advance(by time.Duration) {
	d.edit(func(s *state) { s.Clock = s.Clock.Add(by) })
}
