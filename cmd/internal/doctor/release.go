package doctor

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"gitlab.com/selfcontained/pipeline/pipeline/config"
)

// registries looks at each registry that a service is released to.
func (d *patient) registries(ctx context.Context) []Finding {
	var hosts []string
	for _, c := range d.Services {
		if c.Release.Registry == "" {
			continue
		}
		host, _, _ := strings.Cut(c.Release.Registry, "/")
		if !slices.Contains(hosts, host) {
			hosts = append(hosts, host)
		}
	}
	if len(hosts) == 0 {
		return []Finding{{State: NotNeeded, Found: "release.registry is not set"}}
	}
	lines := make([]Finding, len(hosts))
	var wg sync.WaitGroup
	for i, host := range hosts {
		wg.Go(func() { lines[i] = registryLine(ctx, host) })
	}
	wg.Wait()
	return lines
}

// registryLine asks for /v2/, as the OCI distribution specification has it (end
// 1): 200 without a login, 401 when one is needed. No credential is sent.
func registryLine(ctx context.Context, host string) Finding {
	status, err := getStatus(ctx, registryURL(host))
	login, loginErr := dockerLogin(host)
	l := Finding{State: OK, Found: fmt.Sprintf("%s answers, %s", host, cmp.Or(login, "no login for it"))}
	remedy := fmt.Sprintf("`docker login %s`", host)
	switch {
	case err != nil:
		l.State, l.Found = Warning, fmt.Sprintf("%s does not answer: %s", host, oneText(err))
		l.Consequence, l.Remedy = "nothing can be released to it from here", "check release.registry, the network and the proxy settings"
	case status != http.StatusOK && status != http.StatusUnauthorized && status != http.StatusForbidden:
		l.State, l.Found = Warning, fmt.Sprintf("%s answers %d %s to /v2/", host, status, http.StatusText(status))
		l.Consequence, l.Remedy = "it seems to be no container registry", "check release.registry"
	case loginErr != nil:
		l.State, l.Found = Warning, fmt.Sprintf("%s answers; %s", host, oneText(loginErr))
		l.Consequence, l.Remedy = "nothing can be released to it from here", remedy
	case login == "" && status != http.StatusOK:
		l.State = Warning
		l.Consequence, l.Remedy = "nothing can be released to it from here", remedy
	}
	return l
}

// registryURL is plain HTTP on this machine alone, as container engines do it.
func registryURL(host string) string {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = host
	}
	if ip := net.ParseIP(name); name == "localhost" || ip != nil && ip.IsLoopback() {
		return "http://" + host + "/v2/"
	}
	return "https://" + host + "/v2/"
}

func getStatus(ctx context.Context, url string) (int, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	answer, err := (&http.Client{Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true}}).Do(request)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return 0, cause
		}
		return 0, err
	}
	answer.Body.Close()
	return answer.StatusCode, nil
}

// dockerConfig is the part of docker's config.json that says where the login
// for a registry is: https://docs.docker.com/reference/cli/docker/login/.
type dockerConfig struct {
	Auths map[string]struct {
		Auth          string `json:"auth"`
		Username      string `json:"username"`
		IdentityToken string `json:"identitytoken"`
		RegistryToken string `json:"registrytoken"`
	} `json:"auths"`
	CredHelpers map[string]string `json:"credHelpers"`
	CredsStore  string            `json:"credsStore"`
}

// dockerLogin says where the login for a registry is, "" when there is none. It
// is neither used nor returned, and a helper is not asked.
func dockerLogin(host string) (string, error) {
	for _, file := range loginFiles() {
		data, err := os.ReadFile(file)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", err
		}
		var c dockerConfig
		if json.Unmarshal(data, &c) != nil {
			return "", fmt.Errorf("%s is not the JSON of docker", file)
		}
		where, err := c.login(host)
		if where != "" || err != nil {
			return where + " in " + file, err
		}
	}
	return "", nil
}

// loginFiles are docker's, then podman's, in the order in which they are read.
func loginFiles() []string {
	home, _ := os.UserHomeDir()
	files := []string{filepath.Join(cmp.Or(os.Getenv("DOCKER_CONFIG"), filepath.Join(home, ".docker")), "config.json")}
	if auth := os.Getenv("REGISTRY_AUTH_FILE"); auth != "" {
		files = append(files, auth)
	}
	if run := os.Getenv("XDG_RUNTIME_DIR"); run != "" {
		files = append(files, filepath.Join(run, "containers", "auth.json"))
	}
	return files
}

func (c dockerConfig) login(host string) (string, error) {
	helper := c.CredHelpers[host]
	for key, auth := range c.Auths {
		key = strings.TrimPrefix(strings.TrimPrefix(key, "https://"), "http://")
		if name, _, _ := strings.Cut(key, "/"); name != host {
			continue
		}
		if auth.Auth != "" || auth.Username != "" || auth.IdentityToken != "" || auth.RegistryToken != "" {
			return "login", nil
		}
		helper = cmp.Or(helper, c.CredsStore) // an empty entry points there
	}
	if helper == "" {
		return "", nil
	}
	if _, err := exec.LookPath("docker-credential-" + helper); err != nil {
		return "", fmt.Errorf("its login is kept by docker-credential-%s, which is not in PATH", helper)
	}
	return "login kept by docker-credential-" + helper, nil
}

// What the two tokens of GitLab can do: docs.gitlab.com/ci/jobs/ci_job_token
// and /user/project/settings/project_access_tokens.
const (
	jobTokenCan   = "releases, generic packages, deployments and this project's registry"
	jobTokenNot   = "comments in merge requests, approvals, commit statuses, tags without a release"
	ownTokenCan   = "with the scope api everything that its role may"
	gitlabMissing = "set PIPELINE_GITLAB_TOKEN to a project access token with the scope api"
)

// forge looks at the variables for GitLab; no value of a token is read further
// than whether it is empty.
func (d *patient) forge(context.Context) []Finding {
	inCI := os.Getenv("GITLAB_CI") != ""
	published := slices.ContainsFunc(d.Services, func(c *config.Service) bool {
		return c.Release.Forge == "gitlab" || inCI && c.Release.Forge != "none"
	})
	own, job := os.Getenv("PIPELINE_GITLAB_TOKEN") != "", inCI && os.Getenv("CI_JOB_TOKEN") != ""
	l := Finding{State: OK}
	switch {
	case len(d.Services) > 0 && !published:
		return []Finding{{State: NotNeeded, Found: "release.forge is not gitlab, and this is no GitLab job"}}
	case own && job:
		l.Found = fmt.Sprintf("CI_JOB_TOKEN is there (%s), PIPELINE_GITLAB_TOKEN is there (%s)", jobTokenCan, ownTokenCan)
	case own:
		l.Found = fmt.Sprintf("PIPELINE_GITLAB_TOKEN is there (%s)", ownTokenCan)
	case job:
		l.Found = fmt.Sprintf("CI_JOB_TOKEN is there (%s), PIPELINE_GITLAB_TOKEN is not", jobTokenCan)
		l.State, l.Consequence, l.Remedy = Warning, "not from this job: "+jobTokenNot, gitlabMissing+" in the project's CI/CD variables, masked and protected"
	case len(d.Services) == 0 && !inCI:
		return []Finding{{State: NotNeeded, Found: "no service and no GitLab job here"}}
	default:
		l.Found = "neither PIPELINE_GITLAB_TOKEN nor CI_JOB_TOKEN is there"
		l.State, l.Consequence, l.Remedy = Warning, "a release from here cannot be published in GitLab", gitlabMissing
	}
	if !inCI {
		return []Finding{l}
	}
	return []Finding{l, jobLine()}
}

// jobLine says which of the variables that a release uses GitLab has set; see
// docs.gitlab.com/ci/variables/predefined_variables.
func jobLine() Finding {
	var there, missing []string
	for _, name := range []string{"CI_API_V4_URL", "CI_PROJECT_ID", "CI_PROJECT_PATH", "CI_COMMIT_SHA", "CI_DEFAULT_BRANCH", "CI_REGISTRY_IMAGE"} {
		if os.Getenv(name) != "" {
			there = append(there, name)
		} else {
			missing = append(missing, name)
		}
	}
	l := Finding{Name: "job", State: OK, Found: "a GitLab job with " + strings.Join(there, ", ")}
	if len(missing) > 0 {
		l.State, l.Found = Warning, "a GitLab job without "+strings.Join(missing, ", ")
		l.Consequence = "a release does not know where it goes"
		l.Remedy = "turn on the project's container registry (CI_REGISTRY_IMAGE), and do not unset what GitLab sets"
	}
	return l
}
