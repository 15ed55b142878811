package scs

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/Masterminds/semver/v3"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
)

// LockName is the name of the file with the lock, beside scs.yaml.
const LockName = "scs.lock"

// Lock is the combination of a system that was tested last and found good.
type Lock struct {
	// Version is that of the system: SemVer without "v".
	Version string
	Combination
	// Held are the newer versions that are not in the combination, and why. They
	// are for people; nothing rests on them.
	Held []Held
}

// Held is a version that was held back.
type Held struct {
	Service string `json:"service"`
	Version string `json:"version"`
	// With are the versions that it fails together with, "cart 0.1.3"; none when
	// it fails by itself, or was no candidate.
	With []string `json:"with,omitempty"`
	Why  string   `json:"why"`
	// Replay is the command that shows it.
	Replay string `json:"replay,omitempty"`
}

// lockFile is the file, with its keys in order.
type lockFile struct {
	APIVersion string          `json:"apiVersion"`
	Kind       string          `json:"kind"`
	System     string          `json:"system"`
	Version    string          `json:"version"`
	ID         evidence.Digest `json:"id"`
	Suite      evidence.Digest `json:"suite,omitempty"`
	Values     evidence.Digest `json:"values,omitempty"`
	Services   []Member        `json:"services"`
	Held       []Held          `json:"held,omitempty"`
}

const lockVersion, lockKind = "pipeline/v1", "Lock"

// Encode returns the file: JSON, which is YAML as well, in one form only, so
// that equal locks have equal bytes and git shows nothing but what changed.
func (l *Lock) Encode() []byte {
	f := lockFile{
		APIVersion: lockVersion, Kind: lockKind, System: l.System, Version: l.Version, ID: l.ID(),
		Suite: l.Suite, Values: l.Values, Services: l.Members, Held: l.Held,
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(f); err != nil {
		panic(err) // text and numbers can always be written
	}
	return b.Bytes()
}

// LockError says what is wrong with a lock.
type LockError struct {
	File string
	Line int // 0 when it is about the whole
	Why  string
	// Inconsistent says that the file can be read, but that its parts do not fit
	// together: it was changed by hand or by somebody else.
	Inconsistent bool
}

func (e *LockError) Error() string {
	where := e.File
	if e.Line > 0 {
		where = fmt.Sprintf("%s:%d", e.File, e.Line)
	}
	return where + ": " + e.Why + "; `pipeline scs update` writes this file, restore it with git"
}

// ParseLock reads a lock. Only what Encode writes is accepted, and only with the
// id that the services, the suite and the values come to. Every error is a
// *LockError.
func ParseLock(file string, data []byte) (*Lock, error) {
	var f lockFile
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return nil, &LockError{File: file, Line: lineOf(data, d, err), Why: strings.TrimPrefix(err.Error(), "json: ")}
	}
	if f.APIVersion != lockVersion || f.Kind != lockKind {
		return nil, &LockError{File: file, Line: 2, Why: fmt.Sprintf("apiVersion %q and kind %q; expected %s and %s", f.APIVersion, f.Kind, lockVersion, lockKind)}
	}
	l := &Lock{Version: f.Version, Held: f.Held, Combination: Combination{System: f.System, Members: f.Services, Suite: f.Suite, Values: f.Values}}
	if v, err := semver.StrictNewVersion(f.Version); err != nil || v.String() != f.Version {
		return nil, &LockError{File: file, Why: fmt.Sprintf("the version %q; expected a semantic version such as 1.4.2", f.Version)}
	}
	if err := l.Check(); err != nil {
		return nil, &LockError{File: file, Why: err.Error()}
	}
	if id := l.ID(); id != f.ID {
		return nil, &LockError{File: file, Why: fmt.Sprintf("the id is %s, but the services come to %s", f.ID, id), Inconsistent: true}
	}
	if encoded := l.Encode(); !bytes.Equal(encoded, data) {
		return nil, &LockError{File: file, Line: firstDifference(encoded, data), Why: "it is not written as it has to be", Inconsistent: true}
	}
	return l, nil
}

// lineOf returns the line in which decoding ended.
func lineOf(data []byte, d *json.Decoder, err error) int {
	at := d.InputOffset()
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		at = syntax.Offset
	case errors.As(err, &kind):
		at = kind.Offset
	}
	return 1 + bytes.Count(data[:min(int(at), len(data))], []byte("\n"))
}

// firstDifference returns the first line in which two texts differ.
func firstDifference(a, b []byte) int {
	line := 1
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			break
		}
		if a[i] == '\n' {
			line++
		}
	}
	return line
}
