package gitlabtest

import (
	"net/http"
	"strings"
)

// credential is the token of a request and the kind that its header is for.
// Generic packages take basic authentication too.
func (c *call) credential() (value string, kind Kind) {
	h := c.r.Header
	if v := h.Get("Job-Token"); v != "" {
		return v, JobToken
	}
	if v := h.Get("Private-Token"); v != "" {
		return v, AccessToken
	}
	if v, ok := strings.CutPrefix(h.Get("Authorization"), "Bearer "); ok {
		return v, OAuthToken
	}
	if user, password, ok := c.r.BasicAuth(); ok && strings.Contains(c.route.pattern, "/generic/") {
		if user == "gitlab-ci-token" {
			return password, JobToken
		}
		return password, AccessToken
	}
	return "", ""
}

// authenticate finds out who asks. A job token on an endpoint that is not made
// for it counts for nobody, which is why GitLab then answers 404 for a private
// project and serves the public part of a public one.
func (c *call) authenticate() bool {
	value, kind := c.credential()
	if value == "" {
		return true
	}
	t := c.d.state.token(value)
	switch {
	case t == nil || !fits(t.Kind, kind):
		c.fail("token_unknown")
		return false
	case t.Revoked && t.Kind == JobToken:
		c.fail("job_over")
		return false
	case t.Revoked:
		c.fail("token_revoked")
		return false
	case t.Kind != JobToken && !c.route.any && !c.scoped(t):
		c.fail("scope")
		return false
	}
	c.token = t
	if t.Kind != JobToken || c.jobMay(t) {
		c.user = c.d.state.user(t.User)
	}
	return true
}

// fits tells whether a token may be sent in the header of a kind: GitLab takes
// access tokens as bearer tokens too.
func fits(token, header Kind) bool {
	return token == header || (token == AccessToken && header == OAuthToken)
}

func (c *call) scoped(t *Token) bool {
	if c.r.Method == http.MethodGet || c.r.Method == http.MethodHead {
		return t.may("api", "read_api")
	}
	return t.may("api")
}

// jobMay is route.job, with the one endpoint that job tokens got late.
func (c *call) jobMay(*Token) bool {
	if c.route.method == "GET" && strings.HasSuffix(c.route.pattern, "/repository/tags/:tag_name") {
		p := c.d.state.find(c.segment["id"])
		return p == nil || !p.Settings.NoJobTokenTag
	}
	return c.route.job
}
