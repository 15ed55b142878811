package scaffold

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"

	"gitlab.com/selfcontained/pipeline/pipeline/gitrepo"
)

const (
	// maxFile bounds a file that is read, in bytes: nobody writes longer ones.
	maxFile = 1 << 20
	// maxFiles bounds the files of a folder that are looked at.
	maxFiles = 50_000
)

// Look reads a folder. Nothing is changed and nothing outside of the folder is
// read but, in its repository, the address of the git remote, .gitlab-ci.yml and
// whether there is a go.mod above. Files that cannot be understood are
// noted in the facts; an error says that the folder itself cannot be read, a
// *UsageError that it is none, or too large to be a service's.
func Look(ctx context.Context, dir string) (*Facts, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return nil, usage("%s is no folder; expected that of a repository", dir)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("look at the folder: %w", err)
	}
	defer root.Close()
	l := &looker{root: root, facts: &Facts{Dir: dir}}
	if err := l.walk(ctx); err != nil {
		return nil, err
	}
	slices.Sort(l.facts.Files) // a walk sorts folder by folder
	l.git(ctx)
	l.files()
	l.goCode()
	l.kubernetes()
	slices.Sort(l.facts.Unread)
	return l.facts, ctx.Err()
}

// looker fills in facts.
type looker struct {
	root  *os.Root
	facts *Facts
	// dirs are the folders, vendored those called vendor.
	dirs, vendored []string
}

// passedOver reports whether a folder has nothing that a team deploys.
func passedOver(name string) bool {
	return name == "vendor" || name == "node_modules" || name == "testdata" || name[0] == '_' || name[0] == '.'
}

func (l *looker) walk(ctx context.Context) error {
	return fs.WalkDir(l.root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && name == ".":
			return fmt.Errorf("look at the folder: %w", err)
		case err != nil:
			l.unread(name, err)
			return nil
		case len(l.facts.Files) >= maxFiles:
			return usage("more than %d files in %s; expected the folder of a service, or of a few", maxFiles, l.facts.Dir)
		case !d.IsDir():
			l.facts.Files = append(l.facts.Files, name)
		case name == ".":
		case passedOver(d.Name()):
			if d.Name() == "vendor" {
				l.vendored = append(l.vendored, name)
			}
			return fs.SkipDir
		default:
			l.dirs = append(l.dirs, name)
		}
		return nil
	})
}

func (l *looker) unread(name string, err error) {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		err = pathErr.Err
	}
	l.facts.Unread = append(l.facts.Unread, fmt.Sprintf("%s: %v", name, err))
}

// read returns the content of a regular file, empty when there is none.
func (l *looker) read(name string) string {
	if !l.facts.has(name) {
		return ""
	}
	text, err := readText(l.root, name)
	if err != nil {
		l.unread(name, err)
	}
	return text
}

// readText reads a regular file: a pipe would never end.
func readText(root *os.Root, name string) (string, error) {
	info, err := root.Stat(name)
	switch {
	case err != nil:
		return "", err
	case !info.Mode().IsRegular():
		return "", errors.New("is no regular file")
	case info.Size() > maxFile:
		return "", errors.New("has more than 1 MiB")
	}
	data, err := root.ReadFile(name)
	return strings.TrimPrefix(string(data), "\ufeff"), err
}

// git finds out where the folder lies in its repository.
func (l *looker) git(ctx context.Context) {
	repo, err := gitrepo.Open(l.facts.Dir)
	if err != nil {
		return
	}
	if rel, err := filepath.Rel(repo.Root, l.facts.Dir); err == nil {
		l.facts.Below = filepath.ToSlash(rel)
	}
	if l.facts.Below != "." {
		l.above(repo.Root)
	}
	if address, err := repo.RemoteURL(ctx, "origin"); err == nil {
		l.facts.Remote = hostAndPath(address)
	}
}

// above looks at what concerns a folder from above, in its repository.
func (l *looker) above(top string) {
	root, err := os.OpenRoot(top)
	if err != nil {
		return
	}
	defer root.Close()
	l.facts.CI, _ = readText(root, ".gitlab-ci.yml") // as if there were none
	for dir := path.Dir(l.facts.Below); l.facts.PartOf == ""; dir = path.Dir(dir) {
		if _, err := root.Stat(path.Join(dir, "go.mod")); err == nil {
			l.facts.PartOf = dir
		}
		if dir == "." {
			return
		}
	}
}

// hostAndPath returns "host/path" of a remote's address, empty for one that is
// no address of a server: https://host/path.git, ssh://git@host:22/path,
// git@host:path.git.
func hostAndPath(address string) string {
	scheme, rest, isURL := strings.Cut(address, "://")
	if !isURL {
		rest = address
		host, p, ok := strings.Cut(rest, ":")
		if !ok || strings.Contains(host, "/") {
			return ""
		}
		rest = host + "/" + p
	} else if scheme == "file" {
		return ""
	}
	host, p, _ := strings.Cut(rest, "/")
	if i := strings.LastIndexByte(host, '@'); i >= 0 {
		host = host[i+1:]
	}
	host, _, _ = strings.Cut(host, ":")
	p = strings.Trim(strings.TrimSuffix(strings.Trim(p, "/"), ".git"), "/")
	if host == "" || p == "" {
		return ""
	}
	return host + "/" + p
}

// files looks at the files with a name of their own.
func (l *looker) files() {
	f := l.facts
	f.Config = l.read("pipeline.yaml")
	if f.Below == "" || f.Below == "." {
		f.CI = l.read(".gitlab-ci.yml")
	}
	if f.has("go.mod") {
		f.Module = modfile.ModulePath([]byte(l.read("go.mod")))
	}
	for _, dir := range l.dirs {
		if !strings.Contains(dir, "/") && (f.has(dir+"/go.mod") || f.has(dir+"/pipeline.yaml")) {
			f.Services = append(f.Services, dir)
			if parent, last := path.Split(modfile.ModulePath([]byte(l.read(dir + "/go.mod")))); last == dir && f.Neighbours == "" {
				f.Neighbours = path.Clean(parent)
			}
		}
	}
	for _, name := range []string{"GNUmakefile", "makefile", "Makefile"} {
		if f.has(name) && f.Makefile == nil {
			f.Makefile = parseMakefile(name, l.read(name))
		}
	}
	for _, name := range []string{"Dockerfile", "deploy/Dockerfile", "docker/Dockerfile", "build/Dockerfile", "build/package/Dockerfile"} {
		if f.has(name) && f.Dockerfile == nil {
			f.Dockerfile = parseDockerfile(name, l.read(name))
		}
	}
	for _, name := range f.Files {
		switch path.Ext(name) {
		case ".proto":
			f.Protos = append(f.Protos, name)
		case ".binpb", ".protoset", ".desc":
			f.Descriptors = append(f.Descriptors, name)
		}
		switch base := path.Base(name); {
		case strings.HasSuffix(base, ".openapi.yaml"), strings.HasSuffix(base, ".openapi.json"), base == "openapi.yaml", base == "openapi.json":
			f.Descriptors = append(f.Descriptors, name)
		}
	}
}
