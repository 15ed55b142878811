package gitlabtest

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// gitEnv keeps git away from the user's configuration.
func gitEnv(more ...string) []string {
	return append(append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "LC_ALL=C"), more...)
}

// git runs git in the bare repository.
func (p *Project) git(env []string, stdin string, args ...string) (string, error) {
	cmd := exec.Command("git", append([]string{"--git-dir", p.Dir()}, args...)...)
	cmd.Env = gitEnv(env...)
	cmd.Stdin = strings.NewReader(stdin)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("git %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(stderr.String()))
	}
	return strings.TrimRight(string(out), "\n"), nil
}

// adopt makes the bare repository of a project, or takes one that exists.
func (p *Project) adopt(repo string) error {
	if repo != "" {
		return os.Symlink(repo, p.Dir())
	}
	_, err := p.git(nil, "", "init", "-q", "--bare", "-b", p.DefaultBranch, "--template=", p.Dir())
	return err
}

// Commit adds a commit with these files to a branch, made by author, and
// returns its hash. A branch that does not exist begins at the default branch.
func (p *Project) Commit(branch, author, message string, files map[string]string) (string, error) {
	var at time.Time
	p.home.edit(func(s *state) { at = s.tick() })
	var b strings.Builder
	fmt.Fprintf(&b, "commit refs/heads/%s\ncommitter %s <%s@example.com> %d +0000\n%s", branch, author, author, at.Unix(), data(message))
	for _, parent := range []string{branch, p.DefaultBranch} {
		if p.hasBranch(parent) {
			fmt.Fprintf(&b, "from refs/heads/%s^0\n", parent)
			break
		}
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		fmt.Fprintf(&b, "M 100644 inline %s\n%s", name, data(files[name]))
	}
	if _, err := p.git(nil, b.String(), "fast-import", "--quiet", "--date-format=raw"); err != nil {
		return "", err
	}
	return p.resolve("refs/heads/" + branch), nil
}

// hasBranch tells whether a branch has a commit.
func (p *Project) hasBranch(name string) bool { return p.resolve("refs/heads/"+name) != "" }

// data is a counted string of git fast-import.
func data(s string) string { return fmt.Sprintf("data %d\n%s\n", len(s), s) }

// resolve returns the commit that a revision names, or "".
func (p *Project) resolve(rev string) string {
	if rev == "" || strings.HasPrefix(rev, "-") {
		return ""
	}
	// A branch that is a file of its own, as nearly all are, needs no process.
	if data, err := os.ReadFile(filepath.Join(p.Dir(), rev)); err == nil && strings.HasPrefix(rev, "refs/heads/") && len(data) == 41 {
		return string(data[:40])
	}
	out, err := p.git(nil, "", "rev-parse", "--verify", "--quiet", "--end-of-options", rev+"^{commit}")
	if err != nil {
		return ""
	}
	return out
}

// gitTag is a tag as the repository has it.
type gitTag struct {
	Name, Target, Commit, Message string
}

// tags lists the tags by name; a name other than "" asks for that one.
func (p *Project) tags(name string) []gitTag {
	pattern := "refs/tags"
	if name != "" {
		pattern += "/" + name
	}
	out, err := p.git(nil, "", "for-each-ref", "--format=%(refname:strip=2)%01%(objectname)%01%(*objectname)%01%(contents)%02", pattern)
	if err != nil {
		return nil
	}
	var tags []gitTag
	for entry := range strings.SplitSeq(out, "\x02") {
		f := strings.SplitN(strings.TrimPrefix(entry, "\n"), "\x01", 4)
		if len(f) < 4 || (name != "" && f[0] != name) {
			continue
		}
		t := gitTag{Name: f[0], Target: f[1], Commit: f[1]}
		if f[2] != "" {
			t.Commit, t.Message = f[2], strings.TrimSpace(f[3])
		}
		tags = append(tags, t)
	}
	return tags
}

func (p *Project) tag(name string) *gitTag {
	if tags := p.tags(name); len(tags) == 1 {
		return &tags[0]
	}
	return nil
}

// createTag makes a tag; a message makes it annotated, dated like the commit,
// so that the references of two runs of one history compare equal.
func (p *Project) createTag(name, commit, message, tagger string) error {
	if message == "" {
		_, err := p.git(nil, "", "update-ref", "refs/tags/"+name, commit, strings.Repeat("0", 40))
		return err
	}
	date, err := p.git(nil, "", "show", "-s", "--format=%cI", commit)
	if err != nil {
		return err
	}
	env := []string{"GIT_COMMITTER_NAME=" + tagger, "GIT_COMMITTER_EMAIL=" + tagger + "@example.com", "GIT_COMMITTER_DATE=" + date}
	_, err = p.git(env, "", "tag", "-a", "-m", message, "--", name, commit)
	return err
}

// CreateTag makes a tag behind the API's back, as another actor would.
func (p *Project) CreateTag(name, commit, message string) error {
	return p.createTag(name, commit, message, "somebody")
}

// DeleteTag removes a tag.
func (p *Project) DeleteTag(name string) error {
	_, err := p.git(nil, "", "update-ref", "-d", "refs/tags/"+name)
	return err
}

// Refs is every reference with the object it names, sorted.
func (p *Project) Refs() (string, error) {
	return p.git(nil, "", "for-each-ref", "--format=%(objectname) %(refname)")
}

// commits lists what head has and base has not, newest first.
func (p *Project) commits(base, head string) []string {
	span := head
	if base != "" {
		span = base + ".." + head
	}
	out, err := p.git(nil, "", "rev-list", span)
	if err != nil {
		return nil
	}
	return strings.Fields(out)
}

// commitInfo is what the API shows of a commit.
type commitInfo struct {
	ID, Author, AuthorEmail, Committer, CommitterEmail, Subject, Message string
	Parents                                                              []string
	Authored, Committed                                                  time.Time
}

// commit reads a commit. It is called under the lock; commits never change, so
// each is read once.
func (p *Project) commit(id string) (commitInfo, error) {
	if known, ok := p.home.commits[id]; ok {
		return known, nil
	}
	out, err := p.git(nil, "", "show", "-s", "--no-show-signature", "--format=%H%x01%an%x01%ae%x01%cn%x01%ce%x01%aI%x01%cI%x01%P%x01%s%x01%B", id)
	if err != nil {
		return commitInfo{}, err
	}
	f := strings.SplitN(out, "\x01", 10)
	if len(f) < 10 {
		return commitInfo{}, fmt.Errorf("git show %s: unexpected output %q", id, out)
	}
	authored, err := time.Parse(time.RFC3339, f[5])
	if err != nil {
		return commitInfo{}, err
	}
	committed, err := time.Parse(time.RFC3339, f[6])
	if err != nil {
		return commitInfo{}, err
	}
	info := commitInfo{
		ID: f[0], Author: f[1], AuthorEmail: f[2], Committer: f[3], CommitterEmail: f[4],
		Authored: authored.UTC(), Committed: committed.UTC(), Parents: strings.Fields(f[7]), Subject: f[8], Message: f[9],
	}
	p.home.commits[id] = info
	return info, nil
}
