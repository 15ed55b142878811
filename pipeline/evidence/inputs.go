// Package evidence keeps verdicts and the bytes they speak of.
//
// A verdict is bound to a key: the hash of everything that a stage looked at.
// Inputs collects that as labelled digests, so that the difference between two
// keys can be told in words ("internal/store/store.go changed"). Tools are
// inputs of a softer kind: their versions are kept beside the key and compared
// where they can be seen, so that a machine without Go can still tell that
// nothing has changed.
package evidence

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"slices"
	"strings"
)

// Digest is a content address as OCI writes it: "sha256:" and 64 hex digits.
type Digest string

// Short returns the first twelve hex digits, for people.
func (d Digest) Short() string {
	_, hexes, _ := strings.Cut(string(d), ":")
	return hexes[:min(12, len(hexes))]
}

// Hex returns the digest without its algorithm.
func (d Digest) Hex() string {
	_, hexes, _ := strings.Cut(string(d), ":")
	return hexes
}

// Sum returns the digest of data.
func Sum(data []byte) Digest {
	sum := sha256.Sum256(data)
	return Digest("sha256:" + hex.EncodeToString(sum[:]))
}

// SumOf returns the digest that a running SHA-256 hash has come to.
func SumOf(h hash.Hash) Digest { return Digest("sha256:" + hex.EncodeToString(h.Sum(nil))) }

// Input is one labelled thing that a result depends on.
type Input struct {
	// Label says what it is: "file cmd/stock/main.go", "setting unit.coverage".
	Label  string `json:"label"`
	Digest Digest `json:"digest"`
	// Value is the text itself where it is short enough to be shown.
	Value string `json:"value,omitempty"`
}

// shownValue is the length up to which a value is kept beside its digest.
const shownValue = 120

// Inputs collects what a stage depends on. The order of the calls does not
// matter. Not for concurrent use.
type Inputs struct {
	list  []Input
	tools map[string]string
}

// Digest adds something that is already hashed.
func (in *Inputs) Digest(label string, d Digest) {
	in.list = append(in.list, Input{Label: label, Digest: d})
}

// File adds a file by its path relative to the service.
func (in *Inputs) File(path string, d Digest) { in.Digest("file "+path, d) }

// Value adds a setting or another short text.
func (in *Inputs) Value(label, value string) {
	i := Input{Label: label, Digest: Sum([]byte(value))}
	if len(value) <= shownValue {
		i.Value = value
	}
	in.list = append(in.list, i)
}

// Values adds several values, printed with their field names, as one.
func (in *Inputs) Values(label string, values ...any) {
	words := make([]string, len(values))
	for i, v := range values {
		words[i] = fmt.Sprintf("%+v", v)
	}
	in.Value(label, strings.Join(words, " "))
}

// Tool adds the version of a tool; empty means that it cannot be seen here.
func (in *Inputs) Tool(name, version string) {
	if in.tools == nil {
		in.tools = map[string]string{}
	}
	in.tools[name] = version
}

// List returns the inputs sorted by label.
func (in *Inputs) List() []Input {
	list := slices.Clone(in.list)
	slices.SortFunc(list, func(a, b Input) int {
		return strings.Compare(a.Label+"\x00"+string(a.Digest), b.Label+"\x00"+string(b.Digest))
	})
	return list
}

// Tools returns the tools and their versions.
func (in *Inputs) Tools() map[string]string { return in.tools }

// Key returns the hash over all inputs, tools excepted.
func (in *Inputs) Key() Digest {
	h := sha256.New()
	for _, i := range in.List() {
		fmt.Fprintf(h, "%d:%s%s\n", len(i.Label), i.Label, i.Digest)
	}
	return SumOf(h)
}
