package evidence

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Limits say what a cache keeps: what was used not longer ago than Unused, and
// of that the newest Bytes of contents. What is InUse stays in any case.
type Limits struct {
	Unused time.Duration
	Bytes  int64
}

// Freed is what was removed.
type Freed struct {
	Entries int   // verdicts, or files and folders of another cache
	Bytes   int64 // of their contents
}

// Add adds up.
func (f *Freed) Add(more Freed) {
	f.Entries += more.Entries
	f.Bytes += more.Bytes
}

// Trim removes the verdicts that the limits do not keep, the longest unused
// first, and then the contents that no verdict names. Other processes may use
// the store meanwhile: who misses a content afterwards makes it again. When it
// is killed, or ctx ends, the next Trim goes on. It removes what it can; the error is the
// first of those that it met.
func (s *Store) Trim(ctx context.Context, l Limits, now time.Time) (Freed, error) {
	t := trimming{ctx: ctx}
	verdicts := t.list(filepath.Join(s.dir, "verdicts"))
	blobs := map[string]entry{} // by the hexadecimal digits of the digest
	for _, b := range t.list(filepath.Join(s.dir, "cas")) {
		blobs[filepath.Base(b.name)] = b
	}
	slices.SortFunc(verdicts, func(a, b entry) int { return b.used.Compare(a.used) })
	kept := map[string]bool{}
	var size int64
	full := false
	for _, v := range verdicts {
		contents := contentsOf(v.name)
		var more int64
		for _, hex := range contents {
			if !kept[hex] {
				more += blobs[hex].size
			}
		}
		age := now.Sub(v.used)
		full = full || size+more > l.Bytes
		if age >= InUse && (full || age > l.Unused) && t.remove(v) {
			t.freed.Entries++
			continue
		}
		size += more
		for _, hex := range contents {
			kept[hex] = true
		}
	}
	for hex, b := range blobs {
		// A new one may belong to a verdict that is about to be put.
		if !kept[hex] && now.Sub(b.used) >= InUse {
			t.remove(b)
		}
	}
	return t.freed, t.err
}

// entry is a file of the store.
type entry struct {
	name string
	size int64 // bytes
	used time.Time
}

// trimming is what a Trim has done so far.
type trimming struct {
	ctx   context.Context
	freed Freed
	err   error
}

func (t *trimming) note(err error) {
	if t.err == nil && !errors.Is(err, fs.ErrNotExist) {
		t.err = err
	}
}

// remove removes a file, unless ctx has ended or the file has been used since it
// was listed.
func (t *trimming) remove(e entry) bool {
	info, err := os.Lstat(e.name)
	if err == nil && (t.ctx.Err() != nil || !info.ModTime().Equal(e.used)) {
		t.note(t.ctx.Err())
		return false
	}
	if err == nil {
		err = os.Remove(e.name)
	}
	t.note(err)
	if err == nil {
		t.freed.Bytes += e.size
	}
	return err == nil
}

// list returns the files below dir.
func (t *trimming) list(dir string) []entry {
	var entries []entry
	_ = filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			t.note(err)
			return nil
		}
		info, err := d.Info()
		if err != nil {
			t.note(err)
			return nil
		}
		entries = append(entries, entry{name, info.Size(), info.ModTime()})
		return nil
	})
	return entries
}

// contentsOf returns the contents that a verdict file names, each once, as
// hexadecimal digits; none for a file that is no verdict.
func contentsOf(name string) []string {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil
	}
	var v struct {
		Outputs  []Output `json:"outputs"`
		Findings Digest   `json:"findings"`
	}
	if json.Unmarshal(data, &v) != nil {
		return nil
	}
	digests := []string{v.Findings.Hex()}
	for _, o := range v.Outputs {
		digests = append(digests, o.Digest.Hex())
	}
	slices.Sort(digests)
	return slices.Compact(digests)
}
