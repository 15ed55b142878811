package scaffold

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"unicode/utf8"
)

// Options say what is wanted.
type Options struct {
	// Service is the name of a service to make; empty translates what is there.
	Service string
	// Module is the module path of the new service. Default: that of the
	// remote origin and the folder, or the name.
	Module string
}

// File is a file that a plan adds. Path is relative to the plan's folder, with
// slashes.
type File struct {
	Path    string
	Content string
	Mode    fs.FileMode
}

// MarshalJSON implements json.Marshaler: {"path", "mode": "0644", "content"},
// or "base64" in place of the content of a file that is no text.
func (f File) MarshalJSON() ([]byte, error) {
	object := map[string]string{"path": f.Path, "mode": fmt.Sprintf("%04o", f.Mode.Perm())}
	if utf8.ValidString(f.Content) {
		object["content"] = f.Content
	} else {
		object["base64"] = base64.StdEncoding.EncodeToString([]byte(f.Content))
	}
	return json.Marshal(object)
}

// Missing is something that was looked for in vain, or cannot be translated.
type Missing struct {
	What  string `json:"what"`
	Means string `json:"means"` // what follows from it, and what to do
}

// Plan is what Write would do, and what a person should know.
type Plan struct {
	Dir string `json:"dir"` // absolute
	// Files are new, sorted by path: none of them is there.
	Files []File `json:"files"`
	// Kept are files that would be written if they were not there already.
	Kept    []string  `json:"kept"`
	Found   []string  `json:"found"`
	Missing []Missing `json:"missing"`
	// Include are lines to be added by hand to .gitlab-ci.yml: the one that is
	// there is not touched.
	Include string `json:"include,omitempty"`
	// Next are the next steps, in their order.
	Next []string `json:"next"`
}

// UsageError says that what was asked for makes no sense, and what would.
type UsageError struct{ Reason string }

func (e *UsageError) Error() string { return e.Reason }

func usage(format string, args ...any) error { return &UsageError{fmt.Sprintf(format, args...)} }

// Empty reports whether there is nothing to write.
func (p *Plan) Empty() bool { return len(p.Files) == 0 }

// Decide makes the plan. It reads and writes nothing. A *UsageError says that
// the folder or the options do not allow one.
func Decide(f *Facts, o Options) (*Plan, error) {
	if f == nil {
		return nil, errors.New("no facts: call Look first")
	}
	p := &Plan{Dir: f.Dir, Files: []File{}, Kept: []string{}, Found: []string{}, Missing: []Missing{}, Next: []string{}}
	var err error
	switch {
	case o.Service != "":
		err = p.newService(f, o)
	case o.Module != "":
		return nil, usage("a module path is for a new service; expected --service too")
	case f.has("scs.yaml"):
		p.system(f)
	case f.Module == "" && f.Config == "" && len(f.Services) > 0:
		p.several(f)
	default:
		err = p.translate(f)
	}
	if err != nil {
		return nil, err
	}
	p.finish()
	return p, nil
}

// add adds a file unless it is there.
func (p *Plan) add(f *Facts, name, content string) {
	if f.has(name) {
		p.Kept = append(p.Kept, name)
		return
	}
	p.Files = append(p.Files, File{Path: name, Content: content, Mode: 0o644})
}

func (p *Plan) found(format string, args ...any) {
	p.Found = append(p.Found, fmt.Sprintf(format, args...))
}

func (p *Plan) missing(what, format string, args ...any) {
	p.Missing = append(p.Missing, Missing{what, fmt.Sprintf(format, args...)})
}

func (p *Plan) next(format string, args ...any) {
	p.Next = append(p.Next, fmt.Sprintf(format, args...))
}

func (p *Plan) finish() {
	slices.SortFunc(p.Files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	slices.Sort(p.Kept)
}

// system is the plan for a folder with an scs.yaml: it has no service.
func (p *Plan) system(f *Facts) {
	p.found("a system: scs.yaml")
	p.ci(f, "scs", inputs{})
	p.next("pipeline scs resolve")
}

// several is the plan for a folder whose services lie below.
func (p *Plan) several(f *Facts) {
	p.found("services in %s: `pipeline run` here takes them all", strings.Join(f.Services, ", "))
	p.ci(f, "service", inputs{})
	for _, dir := range f.Services {
		if !f.has(dir + "/pipeline.yaml") {
			p.next("pipeline init --dir %s", shellWord(dir))
		}
	}
	p.next("pipeline run")
}

// shellWord quotes a word for a shell where that is needed.
func shellWord(s string) string {
	plain := s != "" && strings.IndexFunc(s, func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789./_-", r)
	}) < 0
	if plain {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
