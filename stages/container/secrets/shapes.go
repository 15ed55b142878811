package secrets

import (
	"bytes"
	"regexp"
)

// privateKey matches the header of RFC 7468 (and of OpenSSH and PGP), optional
// header lines as in RFC 1421, and the beginning of a body. Line ends may be
// written as \n, as in JSON and YAML strings. A body of 40 characters tells a
// key from a program that knows how one begins.
var privateKey = regexp.MustCompile(
	`^-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----` + lineEnd +
		`(?:[ \t]*[A-Za-z-]+: [^\r\n\\]{0,200}` + lineEnd + `){0,4}[ \t]*[A-Za-z0-9+/=]{40}`)

const lineEnd = `(?:[ \t]*(?:\r?\n|(?:\\r)?\\n)){1,2}`

// privateKeyLimit bounds what is looked at behind a header.
const privateKeyLimit = 2 << 10

var pemBegin = []byte("-----BEGIN ")

func hasPrivateKey(data []byte) bool {
	for {
		at := bytes.Index(data, pemBegin)
		if at < 0 {
			return false
		}
		data = data[at:]
		if privateKey.Match(data[:min(len(data), privateKeyLimit)]) {
			return true
		}
		data = data[len(pemBegin):]
	}
}

// token is a credential with a prefix of its own.
type token struct {
	kind   string
	prefix []byte
	shape  *regexp.Regexp // with the prefix
	// random is the least number of changes between upper case, lower case and
	// digits that the token must have to be believed inside a program.
	random int
}

// GitLab: docs.gitlab.com, "Token prefixes". AWS: "IAM identifiers", unique
// identifiers; the key id alone is no secret, but never travels alone.
var tokens = []token{
	gitlab("glpat-"), gitlab("gldt-"), gitlab("glrt-"), gitlab("glptt-"), gitlab("gloas-"),
	aws("AKIA"), aws("ASIA"),
}

func gitlab(prefix string) token {
	return token{
		kind: "GitLab token", prefix: []byte(prefix), random: 7,
		shape: regexp.MustCompile(`^` + prefix + `[0-9A-Za-z_-]{20}`),
	}
}

func aws(prefix string) token {
	return token{
		kind: "AWS access key", prefix: []byte(prefix), random: 2,
		shape: regexp.MustCompile(`^` + prefix + `[A-Z2-7]{16}(?:[^0-9A-Za-z]|$)`),
	}
}

// tokenLimit bounds what is looked at behind a prefix.
const tokenLimit = 64

func (t token) in(data []byte, program bool) bool {
	var before byte
	for {
		at := bytes.Index(data, t.prefix)
		if at < 0 {
			return false
		}
		if at > 0 {
			before = data[at-1]
		}
		data = data[at:]
		found := t.shape.Find(data[:min(len(data), tokenLimit)])
		if found != nil && t.believed(found, before, program) {
			return true
		}
		before, data = data[len(t.prefix)-1], data[len(t.prefix):]
	}
}

func (t token) believed(found []byte, before byte, program bool) bool {
	if bytes.HasSuffix(bytes.TrimRight(found, "\"' \r\n"), []byte("EXAMPLE")) {
		return false // as in the vendor's documentation
	}
	if program {
		return changes(found[len(t.prefix):]) >= t.random
	}
	return class(before) == other
}

type charClass int

const (
	other charClass = iota
	upper
	lower
	digit
)

func class(c byte) charClass {
	switch {
	case 'A' <= c && c <= 'Z':
		return upper
	case 'a' <= c && c <= 'z':
		return lower
	case '0' <= c && c <= '9':
		return digit
	}
	return other
}

// changes counts how often the class of character changes: about 12 times in
// 20 random characters, rarely 5 times in words.
func changes(s []byte) int {
	n := 0
	for i := 1; i < len(s); i++ {
		if class(s[i]) != class(s[i-1]) {
			n++
		}
	}
	return n
}
