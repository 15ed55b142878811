package container

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"gitlab.com/selfcontained/pipeline/pipeline"
)

// program is what the build stage has left: build.json and modules.json.
//
// Of build.json, `binaries` is read; `path` may be absent and is then
// OS_ARCH/NAME, and `sha256` and `size` are checked only if they are there. An
// absent modules.json means no modules. Unknown fields are ignored, and so are
// programs for other systems than Linux: nothing runs them in a container.
type program struct {
	dir      string
	Name     string   `json:"name"`
	Module   string   `json:"module"`
	Binaries []binary `json:"binaries"`
	modules  []module
}

type binary struct {
	Platform string `json:"platform"` // "linux/amd64", "linux/arm/v7"
	Path     string `json:"path"`     // relative to the folder, with slashes
	SHA256   string `json:"sha256"`   // hex
	Size     int64  `json:"size"`
}

type module struct {
	Path    string `json:"path"`
	Version string `json:"version"`
	Sum     string `json:"sum"`
}

// readProgram reads the outputs of the build; no need for them with a builder.
func (b *bundler) readProgram() (*program, error) {
	dir, ok := b.job.Need("build")
	if !ok {
		if len(b.service.Image.Builder) > 0 {
			return &program{}, nil
		}
		return nil, &pipeline.NotTested{Why: "there is no program to put into an image", Remedy: "run the build stage first"}
	}
	p := &program{dir: dir}
	err := readJSON(filepath.Join(dir, "build.json"), p)
	if errors.Is(err, fs.ErrNotExist) && len(b.service.Image.Builder) > 0 {
		return &program{}, nil // a command built it, in a form that the builder knows
	}
	if err != nil {
		return nil, fmt.Errorf("outputs of the build stage: %w", err)
	}
	err = readJSON(filepath.Join(dir, "modules.json"), &p.modules)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("outputs of the build stage: %w", err)
	}
	p.Name = cmp.Or(p.Name, b.service.Name)
	named := len(p.Binaries)
	p.Binaries = slices.DeleteFunc(p.Binaries, func(bin binary) bool { return foreignSystem(bin.Platform) })
	for i := range p.Binaries {
		if err := p.complete(&p.Binaries[i]); err != nil {
			return nil, fmt.Errorf("outputs of the build stage: %w", err)
		}
	}
	slices.SortFunc(p.Binaries, func(a, b binary) int { return cmp.Compare(a.Platform, b.Platform) })
	if len(p.Binaries) == 0 && len(b.service.Image.Builder) == 0 {
		return nil, noBinaries(named)
	}
	return p, nil
}

// noBinaries says why there is none for an image, of so many that were named.
func noBinaries(named int) error {
	if named == 0 {
		return errors.New("outputs of the build stage: build.json names no binaries")
	}
	return errors.New("outputs of the build stage: build.json names no binary for Linux; an image needs one")
}

// foreignSystem reports whether a platform is one of another system than Linux.
// What is no platform at all is not: it has to be noticed.
func foreignSystem(platform string) bool {
	system, rest, ok := strings.Cut(platform, "/")
	return ok && system != "" && rest != "" && system != "linux"
}

func (p *program) complete(bin *binary) error {
	platform, err := v1.ParsePlatform(bin.Platform)
	if err != nil || platform.OS == "" || platform.Architecture == "" {
		return fmt.Errorf("build.json: platform %q; expected OS/ARCH", bin.Platform)
	}
	if bin.Path == "" {
		bin.Path = path.Join(platform.OS+"_"+platform.Architecture, p.Name)
	}
	if !filepath.IsLocal(filepath.FromSlash(bin.Path)) {
		return fmt.Errorf("build.json: path %q leaves the folder", bin.Path)
	}
	bin.SHA256 = strings.TrimPrefix(bin.SHA256, "sha256:")
	return nil
}

func readJSON(name string, into any) error {
	data, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(name), err)
	}
	return nil
}
