package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"gitlab.com/selfcontained/pipeline/pipeline/config"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/sign"
)

// maxStatements bounds what is read of a file with statements, in bytes.
const maxStatements = 64 << 20

// releasedFile is what is proved of a file that was downloaded from a release.
type releasedFile struct {
	File    string          `json:"file"`
	Digest  evidence.Digest `json:"digest"`
	Name    string          `json:"name"` // of what was released
	Version string          `json:"version"`
	Tag     string          `json:"tag"`
	Commit  string          `json:"commit"`
	Bundle  evidence.Digest `json:"bundle"`
	Issued  time.Time       `json:"issued"`
	Key     string          `json:"key"` // id of the one that signed
	// Exceptions are what the gate let pass.
	Exceptions []sign.Exception `json:"exceptions,omitempty"`
}

// statementsBeside are the files with statements in the folder of a file.
func statementsBeside(file string) []string {
	found, _ := filepath.Glob(filepath.Join(globQuote(filepath.Dir(file)), "*"+statementsSuffix))
	return found
}

// globQuote makes a path mean itself in a pattern.
func globQuote(dir string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(dir)
}

// isReleasedFile reports whether target is a file of a release: one beside the
// statements of one, and neither these nor a lock.
func isReleasedFile(target string) bool {
	info, err := os.Stat(target)
	other := strings.HasSuffix(target, statementsSuffix) || strings.HasSuffix(target, ".lock")
	return err == nil && info.Mode().IsRegular() && !other && len(statementsBeside(target)) > 0
}

// noReleasedFile says why a target that looks like a file of a release is none;
// nil for one that does not look like it.
func noReleasedFile(target string) error {
	info, err := os.Stat(target)
	switch {
	case err == nil && info.Mode().IsRegular():
		return &usageError{fmt.Errorf("%s: no signed statements lie beside it; expected NAME-VERSION%s of the same release in its folder", target, statementsSuffix)}
	case err != nil && strings.Contains(filepath.Base(target), ".") && !strings.Contains(target, ":") && (!strings.Contains(target, "/") || filepath.IsAbs(target)):
		return &usageError{fmt.Errorf("%s: there is no such file; expected a file of a release, or a bundle such as registry.example.com/shop/stock:1.4.2", target)}
	}
	return nil
}

// file verifies a file and prints what is proved of it.
func (f *verifyFlags) file(ctx context.Context, s *streams, target string) error {
	var sess *systemSession
	if len(f.keys) == 0 {
		var err error
		var none *config.NoSystem
		if sess, err = openWithoutLock(ctx, &f.systemFlags); errors.As(err, &none) {
			return &usageError{fmt.Errorf("%w; or name the trusted keys with --key to verify a file", err)}
		} else if err != nil {
			return err
		}
	}
	r, err := f.rules(ctx, sess)
	if err != nil {
		return err
	}
	found, err := verifyFile(target, r.Trust, time.Now())
	switch {
	case err != nil:
		return err
	case f.asJSON:
		return printJSON(s.out, found)
	}
	_, err = io.WriteString(s.out, harmless(found.text()))
	return err
}

// verifyFile proves a file by the statements beside it: that of a release by a
// trusted key has to name the file, by its name and with its digest. The name
// counts too, or an old file could be given out for a new one.
func verifyFile(file string, trust sign.Trust, now time.Time) (*releasedFile, error) {
	sum, err := evidence.SumFile(file)
	if err != nil {
		return nil, err
	}
	var refused []error
	for _, beside := range statementsBeside(file) {
		data, err := readBounded(beside, maxStatements)
		if err != nil {
			return nil, err
		}
		for line := range bytes.Lines(data) {
			found, err := judgeFile(file, sum, bytes.TrimSpace(line), trust, now)
			if found != nil {
				return found, nil
			}
			if err != nil {
				refused = append(refused, fmt.Errorf("%s: %w", filepath.Base(beside), err))
			}
		}
	}
	if len(refused) == 0 {
		return nil, &gateError{fmt.Sprintf("%s: no statement beside it names a file %s", file, filepath.Base(file))}
	}
	return nil, &gateError{fmt.Sprintf("%s: %v", file, errors.Join(refused...))}
}

// readBounded reads a file of at most limit bytes.
func readBounded(file string, limit int64) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("%s has more than %d bytes", file, limit)
	}
	return data, err
}

// judgeFile looks at one statement; neither a result nor an error means that it
// is about something else.
func judgeFile(file string, sum evidence.Digest, envelope []byte, trust sign.Trust, now time.Time) (*releasedFile, error) {
	kind, about, err := sign.Peek(envelope)
	if err != nil || kind != sign.ReleaseType {
		return nil, err
	}
	s, err := sign.Verify(envelope, trust, about, now)
	if err != nil {
		return nil, err
	}
	r, err := sign.As[sign.Release](s)
	if err != nil {
		return nil, err
	}
	switch named := r.Digests[filepath.Base(file)]; named {
	case sum:
	case "":
		return nil, nil
	default:
		return nil, fmt.Errorf("%s %s was released with %s, and this file has %s", s.Subject.Name, r.Version, named, sum)
	}
	return &releasedFile{
		File: filepath.Base(file), Digest: sum, Name: s.Subject.Name, Version: r.Version, Tag: r.Tag, Commit: r.Commit,
		Bundle: s.Subject.Digest, Issued: r.Issued, Key: s.KeyID, Exceptions: append(r.Overridden, r.Waived...),
	}, nil
}

// text is what is proved, for people.
func (r *releasedFile) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s is of %s %s\n", r.File, r.Name, r.Version)
	fmt.Fprintf(&b, "  digest   %s\n  tag      %s on commit %.12s\n  bundle   %s\n", r.Digest, r.Tag, r.Commit, r.Bundle)
	fmt.Fprintf(&b, "  signed   by key %.16s, issued %s\n", r.Key, r.Issued.Format(time.RFC3339))
	for _, e := range r.Exceptions {
		fmt.Fprintf(&b, "  let pass %s: %s\n", e.Rule, e.Reason)
	}
	return b.String()
}
