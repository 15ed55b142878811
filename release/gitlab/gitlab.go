// Package gitlab is the forge: what a release and its gates need from GitLab.
//
// Everything that changes something is "look, then do": it first reads what is
// there, changes only what is missing, and tells what it found. So each call
// can be repeated after any interruption, and by two jobs at once, and leaves
// one release, one tag, one link of a name and one file of a name. What is
// there and differs (a tag on another commit, a file with other bytes) is an
// error with a type of its own, raised before anything is written; GitLab by
// itself would attach a release to any tag of the name and serve the newest of
// several files.
//
// Nothing that writes is sent twice by the HTTP layer. After an answer that
// leaves open whether something happened (502, a broken connection) the call
// looks again instead. 429 is waited for as long as the context allows.
//
// A token never appears in an error, a log or a %+v.
package gitlab

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	api "gitlab.com/gitlab-org/api/client-go/v2"
)

// Config says whom to talk to, about what, and as whom.
type Config struct {
	// Server is the address of GitLab, such as https://gitlab.example.com or,
	// below a path, https://example.com/gitlab.
	Server string
	// Project is its path, such as group/subgroup/name, or its number.
	Project string
	Token   Token

	// Timeout is how long one request may wait for an answer once it is sent;
	// 0 is a minute. An upload may take longer.
	Timeout time.Duration
	// Pause is the wait before the first repetition; later ones double it. 0
	// is half a second.
	Pause time.Duration
	// Settle is how long a review waits for GitLab to finish with a push; 0 is
	// a minute.
	Settle time.Duration
	// Transport replaces the connections; nil makes them as usual, with the
	// proxies that the environment names.
	Transport http.RoundTripper
}

// Client works on one project. It may be used by several goroutines.
type Client struct {
	api     *api.Client
	server  string
	project string
	token   Token
	pause   time.Duration
	settle  time.Duration
}

// attempts is how often a look-then-do is done before it gives up.
const attempts = 5

// New returns a client; nothing is sent yet.
func New(c Config) (*Client, error) {
	server, err := checkServer(c.Server)
	if err != nil {
		return nil, err
	}
	if c.Project == "" {
		return nil, errors.New("GitLab: no project is named; set it or run in a folder with a git remote")
	}
	if c.Token.reveal == nil {
		return nil, ErrNoToken
	}
	client := &Client{
		server: server, project: strings.Trim(c.Project, "/"), token: c.Token,
		pause: orElse(c.Pause, 500*time.Millisecond), settle: orElse(c.Settle, time.Minute),
	}
	client.api, err = api.NewAuthSourceClient(c.Token,
		api.WithBaseURL(server+"/api/v4"),
		api.WithHTTPClient(&http.Client{Transport: transport(c), CheckRedirect: redirect}),
		api.WithOnlyIdempotentRetries(),
		api.WithCustomRetry(retry),
		api.WithCustomBackoff(client.backoff),
		api.WithURLWarningLogger(slog.New(slog.DiscardHandler)),
		api.WithUserAgent("pipeline"),
	)
	if err != nil {
		return nil, client.failed("connect to "+server, err)
	}
	return client, nil
}

func orElse(d, otherwise time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return otherwise
}

// checkServer returns the address without a slash and /api/v4 at its end. An
// address that may have credentials in it is refused without showing it.
func checkServer(server string) (string, error) {
	u, err := url.Parse(strings.TrimSuffix(strings.TrimRight(server, "/"), "/api/v4"))
	switch {
	case err != nil, u.User != nil, u.RawQuery != "":
		return "", errors.New("GitLab: the server's address is no URL, or has a user, a password or a query in it; give the token as a token")
	case (u.Scheme != "https" && u.Scheme != "http") || u.Host == "":
		return "", fmt.Errorf("GitLab: %q is no server's address; expected one like https://gitlab.example.com", server)
	}
	return strings.TrimRight(u.String(), "/"), nil
}

func transport(c Config) http.RoundTripper {
	if c.Transport != nil {
		return c.Transport
	}
	wait := orElse(c.Timeout, time.Minute)
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: wait,
		IdleConnTimeout:       90 * time.Second,
		ForceAttemptHTTP2:     true,
	}
}

// redirect follows reads only: a redirected POST would become a GET, whose
// answer looks like success. The token does not go to another host (package
// files may be served by an object storage), nor from https to http.
func redirect(r *http.Request, via []*http.Request) error {
	first := via[0]
	if first.Method != http.MethodGet && first.Method != http.MethodHead {
		return http.ErrUseLastResponse
	}
	if len(via) >= 5 {
		return errors.New("more than five redirections")
	}
	if r.URL.Host != first.URL.Host || (r.URL.Scheme != "https" && first.URL.Scheme == "https") {
		for _, header := range []string{api.AccessTokenHeaderName, api.JobTokenHeaderName, api.OAuthTokenHeaderName} {
			r.Header.Del(header)
		}
	}
	return nil
}

// Project is the project as the client was told it.
func (c *Client) Project() string { return c.project }

// String names server and project.
func (c *Client) String() string { return c.server + "/" + c.project + " with a " + c.token.String() }

// wait pauses before the repetition of attempt n (from 0), or until the
// context ends.
func (c *Client) wait(ctx context.Context, n int) error {
	timer := time.NewTimer(c.pause << min(n, 6))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
