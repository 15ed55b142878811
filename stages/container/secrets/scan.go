// Package secrets finds credentials in what is about to be published.
//
// It looks for the few shapes that are secrets beyond doubt: private keys in
// PEM with a body, tokens of GitLab and AWS, and the files in which git, curl,
// ssh and docker keep credentials. A finding names the path and the kind and
// never the value. Programs are looked at too, with a second thought: a Go
// binary holds its string constants back to back, so a constant "glpat-" or the
// name of a PEM block is followed by other words; there a token must also look
// random, as a real one does.
package secrets

import (
	"bytes"
	"fmt"
	"io"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Finding is a secret by its place and kind.
type Finding struct {
	Path string // as given to Scan
	Kind string // "private key", "GitLab token"
}

func (f Finding) String() string { return f.Path + ": " + f.Kind }

// The windows that content is looked at through overlap, so that nothing is
// missed at a border: a header and the first line of a key need far less.
const (
	window  = 1 << 20
	overlap = 8 << 10
)

// Scanner looks at the content of one file as it is written to it.
type Scanner struct {
	path    string
	buf     []byte
	started bool
	program bool
	found   []Finding
}

// NewScanner returns a scanner for the file with this path; the path itself
// can be a finding (".ssh/id_rsa").
func NewScanner(path string) *Scanner { return &Scanner{path: path} }

// Write takes the next piece; it never fails.
func (s *Scanner) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		take := min(len(p), window-len(s.buf))
		s.buf, p = append(s.buf, p[:take]...), p[take:]
		if len(s.buf) == window {
			s.look()
			s.buf = s.buf[:copy(s.buf, s.buf[window-overlap:])]
		}
	}
	return n, nil
}

// Findings ends the scan and returns what was found, each kind once.
func (s *Scanner) Findings() []Finding {
	s.look()
	if kind := credentialFile(s.path, s.buf, s.started); kind != "" {
		s.add(kind)
	}
	return s.found
}

func (s *Scanner) look() {
	if !s.started {
		s.program = isProgram(s.buf)
		s.started = len(s.buf) > 0
	}
	if hasPrivateKey(s.buf) {
		s.add("private key")
	}
	for _, t := range tokens {
		if t.in(s.buf, s.program) {
			s.add(t.kind)
		}
	}
}

func (s *Scanner) add(kind string) {
	f := Finding{Path: s.path, Kind: kind}
	if !slices.Contains(s.found, f) {
		s.found = append(s.found, f)
	}
}

// Scan reads r to its end.
func Scan(path string, r io.Reader) ([]Finding, error) {
	s := NewScanner(path)
	if _, err := io.Copy(s, r); err != nil {
		return nil, fmt.Errorf("scan %s for secrets: %w", path, err)
	}
	return s.Findings(), nil
}

// Text scans a short text, such as the value of a variable.
func Text(path, text string) []Finding {
	s := NewScanner(path)
	_, _ = io.WriteString(s, text)
	return s.Findings()
}

// isProgram knows ELF, Mach-O and PE by their first bytes.
func isProgram(head []byte) bool {
	for _, magic := range []string{"\x7fELF", "\xcf\xfa\xed\xfe", "\xca\xfe\xba\xbe", "MZ"} {
		if bytes.HasPrefix(head, []byte(magic)) {
			return true
		}
	}
	return false
}

// credentialFile returns the kind of a file that is a secret by its name.
func credentialFile(name string, content []byte, notEmpty bool) string {
	if !notEmpty {
		return ""
	}
	switch base := path.Base(name); base {
	case ".netrc", "_netrc":
		return "credentials of curl and git (netrc)"
	case ".git-credentials":
		return "credentials of git"
	case "id_rsa", "id_dsa", "id_ecdsa", "id_ed25519":
		return "private key of ssh"
	case "config.json", ".dockerconfigjson", ".dockercfg":
		docker := base != "config.json" || strings.HasSuffix(path.Dir(name), ".docker")
		if docker && dockerAuth.Match(content) {
			return "credentials of docker"
		}
	}
	return ""
}

// dockerAuth matches a non-empty credential in a docker configuration; a list
// of registries without one (a credential helper keeps it) is no secret.
var dockerAuth = regexp.MustCompile(`"(auth|password|identitytoken|registrytoken)"\s*:\s*"[^"]+"`)
