package gitlabtest

import (
	"slices"
	"time"
)

// Role is a level of access to a project, with GitLab's numbers.
// Source: doc/api/access_requests.md, valid access levels.
type Role int

const (
	NoAccess   Role = 0
	Guest      Role = 10
	Reporter   Role = 20
	Developer  Role = 30
	Maintainer Role = 40
	Owner      Role = 50
)

// Kind is a kind of token; each is sent in a header of its own.
type Kind string

const (
	JobToken     Kind = "job"    // JOB-TOKEN
	AccessToken  Kind = "access" // PRIVATE-TOKEN: personal, project and group access tokens
	OAuthToken   Kind = "oauth"  // Authorization: Bearer
	maxPageSize       = 100      // doc/api/rest: pagination
	defaultPages      = 20       // doc/api/rest: pagination
	firstID      int  = 100      // so that no id equals an iid by accident
	epoch             = "2026-01-01T00:00:00Z"
)

// state is everything that the double remembers beside git and package
// contents; it is written to state.json after each change.
type state struct {
	LastID   int64      `json:"last_id"`
	Clock    time.Time  `json:"clock"`
	Users    []*User    `json:"users"`
	Tokens   []*Token   `json:"tokens"`
	Projects []*Project `json:"projects"`
}

// User is somebody who can be a member; Bot marks the one behind a project
// access token.
type User struct {
	ID       int64  `json:"id"`
	Username string `json:"username"`
	Name     string `json:"name"`
	Bot      bool   `json:"bot,omitempty"`
}

// Token is a credential. A job token acts as User, from within Project.
type Token struct {
	ID      int64    `json:"id"`
	Kind    Kind     `json:"kind"`
	Value   string   `json:"value"`
	User    string   `json:"user"`
	Scopes  []string `json:"scopes,omitempty"`
	Project int64    `json:"project,omitempty"` // of a job token: where the job runs
	Job     int64    `json:"job,omitempty"`     // of a job token: the id of its job
	Revoked bool     `json:"revoked,omitempty"` // of a job token: the job has ended
}

func (t *Token) may(scopes ...string) bool {
	return slices.ContainsFunc(scopes, func(s string) bool { return slices.Contains(t.Scopes, s) })
}

// Settings are what an owner can choose for a project. The zero value is a
// private project on the Free tier as GitLab makes it.
type Settings struct {
	Public              bool `json:"public,omitempty"`
	Archived            bool `json:"archived,omitempty"`
	Premium             bool `json:"premium,omitempty"`               // approvals carry required and left
	ApprovalsRequired   int  `json:"approvals_required,omitempty"`    // Premium
	KeepApprovals       bool `json:"keep_approvals,omitempty"`        // a push does not reset approvals
	NoApprovalTimes     bool `json:"no_approval_times,omitempty"`     // an older server: approved_by has no approved_at
	NoReleases          bool `json:"no_releases,omitempty"`           // releases_access_level: disabled
	NoPackages          bool `json:"no_packages,omitempty"`           // package_registry_access_level: disabled
	NoDuplicatePackages bool `json:"no_duplicate_packages,omitempty"` // the group's setting
	JobTokenPush        bool `json:"job_token_push,omitempty"`        // ci_push_repository_for_job_token_allowed
	NoJobTokenTag       bool `json:"no_job_token_tag,omitempty"`      // before 18.8: no single tag for a job token
	MaxPackageFile      int  `json:"max_package_file,omitempty"`      // bytes; 0: no limit
}

// Project is one repository with all that belongs to it.
type Project struct {
	ID            int64           `json:"id"`
	Path          string          `json:"path"` // group/subgroup/name
	DefaultBranch string          `json:"default_branch"`
	CreatedAt     time.Time       `json:"created_at"`
	Settings      Settings        `json:"settings"`
	Members       map[string]Role `json:"members"`
	Allowlist     []int64         `json:"allowlist,omitempty"` // projects whose job tokens may come in
	ProtectedTags []ProtectedTag  `json:"protected_tags,omitempty"`
	Branches      []ProtectedTag  `json:"protected_branches,omitempty"` // who may push
	Milestones    []string        `json:"milestones,omitempty"`
	ProtectedPkgs []string        `json:"protected_packages,omitempty"`
	Releases      []*release      `json:"releases,omitempty"`
	Packages      []*pkg          `json:"packages,omitempty"`
	Requests      []*mergeRequest `json:"merge_requests,omitempty"`
	Environments  []*environment  `json:"environments,omitempty"`
	Deployments   []*deployment   `json:"deployments,omitempty"`
	JobFiles      []*jobFile      `json:"job_files,omitempty"`
	home          *Double
}

// ProtectedTag says who may create the tags that match Pattern (* is any
// text). Levels are roles; 0 is "no one"; Users come in beside the levels.
type ProtectedTag struct {
	Pattern string   `json:"pattern"`
	Levels  []Role   `json:"levels"`
	Users   []string `json:"users,omitempty"`
}

type release struct {
	Tag         string    `json:"tag"`
	Commit      string    `json:"commit"`
	Name        string    `json:"name"`
	Description string    `json:"description"`
	Author      string    `json:"author"`
	CreatedAt   time.Time `json:"created_at"`
	ReleasedAt  time.Time `json:"released_at"`
	Milestones  []string  `json:"milestones,omitempty"`
	Links       []*link   `json:"links,omitempty"`
}

type link struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
	URL  string `json:"url"`
	Path string `json:"path,omitempty"`
	Type string `json:"type"`
}

type pkg struct {
	ID        int64      `json:"id"`
	Name      string     `json:"name"`
	Version   string     `json:"version"`
	CreatedAt time.Time  `json:"created_at"`
	Files     []*pkgFile `json:"files"`
}

type pkgFile struct {
	ID        int64     `json:"id"`
	Name      string    `json:"name"`
	Size      int64     `json:"size"`
	SHA256    string    `json:"sha256"`
	CreatedAt time.Time `json:"created_at"`
}

type mergeRequest struct {
	ID          int64      `json:"id"`
	IID         int64      `json:"iid"`
	Title       string     `json:"title"`
	Description string     `json:"description,omitempty"`
	State       string     `json:"state"`          // opened, merged, closed
	Fork        bool       `json:"fork,omitempty"` // the source branch is of another project
	Draft       bool       `json:"draft,omitempty"`
	Author      string     `json:"author"`
	Source      string     `json:"source"`
	Target      string     `json:"target"`
	Labels      []string   `json:"labels,omitempty"`
	CreatedAt   time.Time  `json:"created_at"`
	MergedAt    *time.Time `json:"merged_at,omitempty"`
	MergedBy    string     `json:"merged_by,omitempty"`
	MergeCommit string     `json:"merge_commit,omitempty"`
	Versions    []version  `json:"versions"` // oldest first
	Approvals   []approval `json:"approvals,omitempty"`
	Notes       []*note    `json:"notes,omitempty"`
	// Checking is how many more looks find the merge request unchecked;
	// Syncing how many find the approvals of the last version still there.
	Checking int `json:"checking,omitempty"`
	Syncing  int `json:"syncing,omitempty"`
	// SlowReset is what Syncing becomes with each push.
	SlowReset int `json:"slow_reset,omitempty"`
}

// version is what one push made of a merge request.
type version struct {
	ID        int64     `json:"id"`
	Head      string    `json:"head"`
	Base      string    `json:"base"`
	Commits   []string  `json:"commits"`
	CreatedAt time.Time `json:"created_at"`
}

type approval struct {
	User string    `json:"user"`
	At   time.Time `json:"at"`
}

type note struct {
	ID        int64     `json:"id"`
	Author    string    `json:"author"`
	Body      string    `json:"body"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

func (s *state) id() int64 { s.LastID++; return s.LastID }

// tick is the time of the next event: a second after the last, so that two
// runs of one history agree.
func (s *state) tick() time.Time {
	s.Clock = s.Clock.Add(time.Second)
	return s.Clock
}

func (s *state) user(name string) *User {
	for _, u := range s.Users {
		if u.Username == name {
			return u
		}
	}
	return nil
}

func (s *state) token(value string) *Token {
	for _, t := range s.Tokens {
		if t.Value == value && value != "" {
			return t
		}
	}
	return nil
}

func (p *Project) release(tag string) *release {
	for _, r := range p.Releases {
		if r.Tag == tag {
			return r
		}
	}
	return nil
}

func (p *Project) request(iid int64) *mergeRequest {
	for _, m := range p.Requests {
		if m.IID == iid {
			return m
		}
	}
	return nil
}
