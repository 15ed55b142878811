package gitlab

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	api "gitlab.com/gitlab-org/api/client-go/v2"
)

// Needs is what is going to be done.
type Needs struct {
	// Tag is the tag that EnsureRelease may have to make; it implies Release.
	Tag     string
	Release bool // EnsureRelease
	Assets  bool // EnsureAsset
	Review  bool // Review
	Note    bool // EnsureNote
	Push    bool // git push with the token
	Deploy  bool // EnsureDeployment
	Request bool // EnsureMergeRequest
	// Branch is a branch that git pushes to, by whatever way git signs in. Rules
	// of protected branches that do not let the token's user in are told as not
	// known: somebody else may be the one who pushes.
	Branch string
	// Probe asks, where reading does not tell, with a request to create the
	// release that GitLab must refuse: it names a milestone that nobody can
	// have, and GitLab looks at rights first, at milestones before it makes
	// anything. Without Probe nothing but reads is sent.
	Probe bool
}

// Missing is a right that the token does not have, or of which that cannot be
// known.
type Missing struct {
	// Need is release, tag, assets, review, note, push, deployment, merge request
	// or branch; "" is all of them.
	Need    string
	Right   string // such as "role Developer"
	Setting string // where it is granted
	// Unknown tells that the token may not read whether it has the right.
	Unknown bool
}

func (m Missing) String() string {
	state := "is missing"
	if m.Unknown {
		state = "cannot be known with this token"
	}
	s := m.Right + " " + state
	if m.Need != "" {
		s = "for the " + m.Need + ": " + s
	}
	return s + "; it is granted at " + m.Setting
}

// Preflight names what would be denied, before the first effect. It is empty
// when everything is known to be allowed. The error is for a GitLab that does
// not answer; a denial is a result.
func (c *Client) Preflight(ctx context.Context, n Needs) ([]Missing, error) {
	n.Release = n.Release || n.Tag != ""
	check := &preflight{c: c, needs: n}
	var err error
	if c.token.Kind() == KindJob {
		err = check.job(ctx)
	} else {
		err = check.access(ctx)
	}
	if err == nil && n.Probe && n.Tag != "" && check.unknown() {
		err = check.probe(ctx)
	}
	return check.found, err
}

// preflight gathers what is missing.
type preflight struct {
	c     *Client
	needs Needs
	found []Missing
}

func (p *preflight) missing(need, right, setting string) {
	p.found = append(p.found, Missing{Need: need, Right: right, Setting: setting})
}

func (p *preflight) cannotKnow(need, right, setting string) {
	p.found = append(p.found, Missing{Need: need, Right: right, Setting: setting, Unknown: true})
}

func (p *preflight) unknown() bool {
	return slices.ContainsFunc(p.found, func(m Missing) bool { return m.Unknown && (m.Need == "release" || m.Need == "tag") })
}

// asked lists the needs that are wanted, of the given ones.
func (p *preflight) asked() map[string]bool {
	n := p.needs
	return map[string]bool{"release": n.Release, "assets": n.Assets, "review": n.Review, "note": n.Note, "push": n.Push,
		"deployment": n.Deploy, "merge request": n.Request}
}

// job is for a job token, which may read little: the job itself, releases and
// packages. Roles and protected tags it may not read.
// Source: doc/ci/jobs/fine_grained_permissions.md, available API endpoints.
func (p *preflight) job(ctx context.Context) error {
	job, _, err := p.c.api.Jobs.GetJobTokensJob(nil, api.WithContext(ctx))
	if err = p.c.failed("read the job of the job token", err); err != nil {
		if code := status(err); code == http.StatusUnauthorized || code == http.StatusNotFound {
			p.missing("", "a job that runs", "the job of CI_JOB_TOKEN has ended or is none of this server; run in a job, or "+settingToken)
			return nil
		}
		return err
	}
	if p.needs.Review {
		p.missing("review", "reading approvals, which no job token may,", settingReadToken)
	}
	if p.needs.Note {
		p.missing("note", "writing notes, which no job token may,", settingToken)
	}
	if p.needs.Push {
		p.cannotKnow("push", "git push with the job token", settingJobPush)
	}
	if p.needs.Request {
		p.missing("merge request", "opening merge requests, which no job token may,", settingToken)
	}
	if p.needs.Branch != "" {
		p.cannotKnow("branch", "pushing to "+p.needs.Branch, settingProtectedBranches)
	}
	return p.jobProject(ctx, userOf(job))
}

func userOf(job *api.Job) string {
	if job.User == nil {
		return "the user of the job"
	}
	return job.User.Username
}

func (p *preflight) jobProject(ctx context.Context, user string) error {
	if p.needs.Deploy {
		if err := p.jobDeployments(ctx, user); err != nil {
			return err
		}
	}
	if !p.needs.Release && !p.needs.Assets {
		return nil
	}
	one := api.ListOptions{PerPage: 1}
	_, _, err := p.c.api.Releases.ListReleases(p.c.project, &api.ListReleasesOptions{ListOptions: one}, api.WithContext(ctx))
	err = p.c.failed("list the releases of "+p.c.project, err)
	switch status(err) {
	case http.StatusNotFound:
		p.missing("", "access of "+user+" to "+p.c.project, settingMember+"; for a job of another project: "+settingAllowlist)
		return nil
	case http.StatusForbidden:
		if p.needs.Release {
			p.missing("release", "reading releases", settingReleases+"; or the role Reporter at "+settingMember)
		}
	default:
		if err != nil {
			return err
		}
	}
	if p.needs.Assets {
		if err := p.jobPackages(ctx); err != nil {
			return err
		}
	}
	if p.needs.Release && !p.has("release") {
		p.cannotKnow("release", "the role Developer of "+user, settingMember)
	}
	if p.needs.Tag != "" && !p.has("release") {
		p.cannotKnow("tag", "creating tag "+p.needs.Tag, settingProtectedTags)
	}
	if p.needs.Assets && !p.has("assets") {
		p.cannotKnow("assets", "the role Developer of "+user, settingMember)
	}
	return nil
}

// has tells whether a need is known to lack something.
func (p *preflight) has(need string) bool {
	return slices.ContainsFunc(p.found, func(m Missing) bool { return m.Need == need && !m.Unknown })
}

func (p *preflight) jobPackages(ctx context.Context) error {
	_, _, err := p.c.api.Packages.ListProjectPackages(p.c.project, &api.ListProjectPackagesOptions{ListOptions: api.ListOptions{PerPage: 1}}, api.WithContext(ctx))
	err = p.c.failed("list the packages of "+p.c.project, err)
	switch status(err) {
	case http.StatusForbidden, http.StatusNotFound:
		p.missing("assets", "reading packages", settingPackages+"; or the role Reporter at "+settingMember)
		return nil
	}
	return err
}

// probe replaces what cannot be known about release and tag by GitLab's own
// answer. Source of the order of checks: app/services/releases/create_service.rb.
func (p *preflight) probe(ctx context.Context) error {
	impossible := []string{"pipeline-preflight-" + random()}
	_, _, err := p.c.api.Releases.CreateRelease(p.c.project, &api.CreateReleaseOptions{TagName: &p.needs.Tag, Milestones: &impossible}, api.WithContext(ctx))
	err = p.c.failed("ask whether release "+p.needs.Tag+" may be created", err)
	answer := status(err)
	if err == nil || answer == 0 || answer >= http.StatusInternalServerError || answer == http.StatusTooManyRequests {
		return err
	}
	role := slices.ContainsFunc(p.found, func(m Missing) bool { return m.Need == "assets" && m.Unknown })
	p.found = slices.DeleteFunc(p.found, func(m Missing) bool {
		// The role for packages is the role for releases.
		return m.Unknown && (m.Need == "release" || m.Need == "tag" || m.Need == "assets")
	})
	switch {
	case answer == http.StatusForbidden && strings.Contains(messageOf(err), "protected"):
		p.missing("tag", "creating tag "+p.needs.Tag, settingProtectedTags)
	case answer == http.StatusForbidden || answer == http.StatusNotFound || answer == http.StatusUnauthorized:
		p.missing("release", "the role Developer", settingMember)
		if role {
			p.missing("assets", "the role Developer", settingMember)
		}
	}
	return nil
}

func (p *preflight) role(need, user string, have, least api.AccessLevelValue) {
	if have < least {
		p.missing(need, fmt.Sprintf("the role %s of %s (it has %s)", roleName(least), user, roleName(have)), settingMember)
	}
}

func roleName(level api.AccessLevelValue) string {
	switch {
	case level >= api.OwnerPermissions:
		return "Owner"
	case level >= api.MaintainerPermissions:
		return "Maintainer"
	case level >= api.DeveloperPermissions:
		return "Developer"
	case level >= api.ReporterPermissions:
		return "Reporter"
	case level >= api.GuestPermissions:
		return "Guest"
	default:
		return "none"
	}
}
