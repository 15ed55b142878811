package cachedir

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// Part is a part of the folder.
type Part struct {
	What    string
	Bytes   int64
	Trimmed bool // by Trim; else it stays
}

// folder is one or several folders of a cache: those whose names begin so.
type folder struct {
	prefix string
	part   Part
}

func folders() []folder {
	verdicts := Part{What: "verdicts, and what stages made and found", Trimmed: true}
	return []folder{
		{"cas", verdicts},
		{"verdicts", verdicts},
		{"bundles", Part{What: "bundles of systems", Trimmed: true}},
		{"suites", Part{What: "compiled suites of systems", Trimmed: true}},
		{"content", Part{What: "what registries said", Trimmed: true}},
		{"staticcheck", Part{What: "staticcheck, and what it remembers"}},
		{"node", Part{What: "parts of the kind node image"}},
		{"registry", Part{What: "releases in the local registry"}},
		{"", Part{What: "everything else"}},
	}
}

// Usage returns what takes how much space, the largest first.
func Usage(dir string) ([]Part, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var parts []Part
	for _, e := range entries {
		bytes := size(filepath.Join(dir, e.Name()), false)
		all := folders()
		part := all[slices.IndexFunc(all, func(f folder) bool { return strings.HasPrefix(e.Name(), f.prefix) })].part
		i := slices.IndexFunc(parts, func(p Part) bool { return p.What == part.What })
		if i < 0 {
			parts, i = append(parts, part), len(parts)
		}
		parts[i].Bytes += bytes
	}
	slices.SortStableFunc(parts, func(a, b Part) int { return cmp.Compare(b.Bytes, a.Bytes) })
	return parts, nil
}

// size returns the bytes of the files below a name: each file once, or only
// those that have no other name elsewhere.
func size(name string, alone bool) int64 {
	var total int64
	seen := map[uint64]bool{}
	_ = filepath.WalkDir(name, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil // gone meanwhile
		}
		info, err := d.Info()
		if err != nil {
			return nil
		}
		if st, linked := links(info); linked {
			if alone || seen[st.Ino] {
				return nil
			}
			seen[st.Ino] = true
		}
		total += info.Size()
		return nil
	})
	return total
}

// links reports whether a file has several names.
func links(info fs.FileInfo) (st *syscall.Stat_t, several bool) {
	st, ok := info.Sys().(*syscall.Stat_t)
	return st, ok && st.Nlink > 1
}
