package gitlab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"strings"

	api "gitlab.com/gitlab-org/api/client-go/v2"
)

// ErrNoToken says that there is nothing to sign in with.
var ErrNoToken = errors.New("GitLab: there is no token; set PIPELINE_GITLAB_TOKEN to an access token with scope api, or run in a CI job, which has CI_JOB_TOKEN")

// Kind is a kind of token; GitLab takes each in a header of its own.
type Kind string

const (
	// KindJob is CI_JOB_TOKEN: the rights of the user whose job it is, on a
	// short list of endpoints, until the job ends.
	KindJob Kind = "job token"
	// KindAccess is a personal, project or group access token.
	KindAccess Kind = "access token"
	// KindOAuth is an OAuth access token.
	KindOAuth Kind = "OAuth token"
)

// Token is a credential. It shows its kind wherever it is printed, and its
// value nowhere.
type Token struct {
	kind   Kind
	reveal func() string // a function, so that nothing that prints fields finds the value
}

// NewToken returns a token; an empty value is none.
func NewToken(kind Kind, value string) Token {
	value = strings.TrimSpace(value)
	if value == "" {
		return Token{}
	}
	return Token{kind: kind, reveal: func() string { return value }}
}

// Kind is the kind of the token, "" for none.
func (t Token) Kind() Kind { return t.kind }

// String is the kind.
func (t Token) String() string {
	if t.kind == "" {
		return "no token"
	}
	return string(t.kind)
}

// Format makes every verb print the kind.
func (t Token) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, t.String()) }

// LogValue is the kind.
func (t Token) LogValue() slog.Value { return slog.StringValue(t.String()) }

// MarshalText is the kind.
func (t Token) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// Init is for the API client; there is nothing to prepare.
func (t Token) Init(context.Context, *api.Client) error { return nil }

// Header is for the API client: the header that signs a request in.
func (t Token) Header(context.Context) (key, value string, err error) {
	switch t.kind {
	case KindJob:
		return api.JobTokenHeaderName, t.reveal(), nil
	case KindAccess:
		return api.AccessTokenHeaderName, t.reveal(), nil
	case KindOAuth:
		return api.OAuthTokenHeaderName, "Bearer " + t.reveal(), nil
	default:
		return "", "", ErrNoToken
	}
}

// mask takes the token out of a text, plain and as it stands in URLs.
func (t Token) mask(s string) string {
	if t.reveal == nil {
		return s
	}
	value := t.reveal()
	return strings.NewReplacer(value, "[MASKED]", url.QueryEscape(value), "[MASKED]", url.PathEscape(value), "[MASKED]").Replace(s)
}
