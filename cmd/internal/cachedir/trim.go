// Package cachedir keeps the folder that all checkouts of a user share from
// growing: a change of one line leaves a program and a layer behind.
//
// What has not been used for a while is removed, and of verdicts and outputs
// also what is over a size. The time of the last use is the modification time,
// as evidence.Used writes it. Nothing is locked: everything that is removed can
// be made again, what was used in the last hour stays, and who misses something
// makes it. What only a release or an environment knows (the local registry,
// what was seen to be deployed) is not touched.
package cachedir

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
)

const (
	// Unused is how long something is kept after its last use.
	Unused = 7 * day
	// Bytes is the size of the outputs that are kept.
	Bytes = 5_000_000_000

	day = 24 * time.Hour
)

// stampFile is in the folder; its time is that of the last Daily.
const stampFile = "trimmed"

// Daily trims, but not if that has been done in the last 24 hours.
func Daily(ctx context.Context, dir string, l evidence.Limits, now time.Time) (evidence.Freed, error) {
	stamp := filepath.Join(dir, stampFile)
	if info, err := os.Stat(stamp); err == nil && now.Sub(info.ModTime()) < day {
		return evidence.Freed{}, nil
	}
	// First of all: another process need not do the same.
	if err := evidence.WriteFile(stamp, []byte("The time of this file is that of the last daily clean-up.\n")); err != nil {
		return evidence.Freed{}, err
	}
	return Trim(ctx, dir, l, now)
}

// Trim removes what the limits do not keep. It removes what it can; the errors
// are those that it met.
func Trim(ctx context.Context, dir string, l evidence.Limits, now time.Time) (evidence.Freed, error) {
	freed, err := evidence.Open(dir).Trim(ctx, l, now)
	old := func(name string, info fs.FileInfo) bool {
		age := now.Sub(info.ModTime())
		if filepath.Base(name)[0] == '.' {
			return leftover(name) && age > day
		}
		return age > max(l.Unused, evidence.InUse)
	}
	// Blobs of bundles are linked into each that has them.
	alone := func(name string, info fs.FileInfo) bool {
		_, several := links(info)
		return !several && old(name, info)
	}
	for _, cache := range []struct {
		pattern string
		goes    func(string, fs.FileInfo) bool
	}{{"bundles/*", old}, {"bundles/.blobs/*", alone}, {"suites/*", old}, {"content/*/*", old}, {"locks/*", old}} {
		more, e := removeAll(ctx, filepath.Join(dir, cache.pattern), cache.goes)
		freed.Add(more)
		err = errors.Join(err, e)
	}
	return freed, err
}

// leftover reports whether a hidden file is one that a process was about to
// give its name, or to remove, when it was killed.
func leftover(name string) bool {
	for _, prefix := range []string{".old-", ".tmp-", ".layout-"} {
		if strings.HasPrefix(filepath.Base(name), prefix) {
			return true
		}
	}
	return false
}

// removeAll removes those files and folders of a pattern that may go.
func removeAll(ctx context.Context, pattern string, goes func(string, fs.FileInfo) bool) (freed evidence.Freed, all error) {
	names, err := filepath.Glob(pattern)
	if err != nil {
		return freed, err
	}
	for _, name := range names {
		if ctx.Err() != nil {
			return freed, errors.Join(all, ctx.Err())
		}
		info, err := os.Lstat(name)
		if err != nil || !goes(name, info) {
			continue
		}
		bytes := size(name, true)
		if err := remove(name, info); err != nil {
			all = errors.Join(all, err)
			continue
		}
		freed.Add(evidence.Freed{Entries: 1, Bytes: bytes})
	}
	return freed, all
}

// remove takes a folder out of its place before it goes: nobody finds half of it.
func remove(name string, info fs.FileInfo) error {
	if !info.IsDir() {
		return os.Remove(name)
	}
	away, err := os.MkdirTemp(filepath.Dir(name), ".old-*")
	if err != nil {
		return err
	}
	err = os.Rename(name, filepath.Join(away, "d"))
	return errors.Join(err, os.RemoveAll(away))
}
