package version_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bufbuild/protocompile"
	"github.com/bufbuild/protocompile/protoutil"
	"google.golang.org/protobuf/cmd/protoc-gen-go/internal_gengo"
	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"
)

// lab has a Go workspace for all old versions and one for all new ones, each
// with the same clients: two calls of the go command run everything.
type lab struct {
	dir   string
	pairs []*pair
	paths map[string]string // module path of each pair
}

func (l *lab) module(side string, p *pair) string { return filepath.Join(l.dir, side, p.name) }

func newLab(t *testing.T, pairs []*pair) *lab {
	t.Helper()
	_, err := exec.LookPath("go")
	needTool(t, err != nil, "the go command is missing")
	l := &lab{dir: t.TempDir(), pairs: pairs, paths: map[string]string{}}
	downloads := download(t, pairs)
	for _, side := range []string{"old", "new"} {
		work := "go 1.26\n\nuse ./clients\n"
		write(t, filepath.Join(l.dir, side, "clients", "go.mod"), "module example.com/clients\n\ngo 1.26\n\nrequire google.golang.org/protobuf "+protobufVersion(t)+"\n")
		write(t, filepath.Join(l.dir, side, "clients", "go.sum"), read(t, "../../go.sum"))
		for _, p := range pairs {
			l.lay(t, side, p, downloads)
			work += "use ./" + p.name + "\n"
		}
		write(t, filepath.Join(l.dir, side, "go.work"), work)
	}
	return l
}

// lay writes one version of a pair, without its tests but with the external
// ones of the old version, and the clients.
func (l *lab) lay(t *testing.T, side string, p *pair, downloads map[string]string) {
	t.Helper()
	dir := l.module(side, p)
	l.paths[p.name] = "example.com/" + p.name
	write(t, filepath.Join(dir, "go.mod"), "module example.com/"+p.name+"\n\ngo 1.26\n")
	switch m := p.first("module"); {
	case m != nil:
		l.paths[p.name] = m[0]
		write(t, filepath.Join(dir, "go.mod"), "module "+m[0]+"\n")
		versions := map[string]string{"old": m[1], "new": m[2]}
		copyModule(t, dir, downloads[m[0]+"@"+versions[side]], func(name string) bool { return !strings.HasSuffix(name, "_test.go") })
		copyModule(t, dir, downloads[m[0]+"@"+m[1]], func(name string) bool { return externalTest(downloads[m[0]+"@"+m[1]], name) })
	case p.proto():
		write(t, filepath.Join(dir, "go.mod"), "module example.com/"+p.name+"\n\ngo 1.26\n\nrequire google.golang.org/protobuf "+protobufVersion(t)+"\n")
		write(t, filepath.Join(dir, "go.sum"), read(t, "../../go.sum"))
		generate(t, dir, compileProto(t, p, side))
	}
	for _, f := range p.archive.Files {
		folder, name, _ := strings.Cut(f.Name, "/")
		test := strings.HasSuffix(name, "_test.go")
		switch {
		case folder == side && !test && !p.proto(), folder == "old" && test:
			write(t, filepath.Join(dir, name), string(f.Data))
		case folder == "client", folder == "uses":
			write(t, filepath.Join(l.dir, side, "clients", p.name, f.Name), string(f.Data))
		}
	}
}

// run runs the clients and the old tests with both versions.
func (l *lab) run(t *testing.T) {
	t.Helper()
	for _, side := range []string{"old", "new"} {
		passed := l.test(t, side)
		for _, p := range l.pairs {
			client, uses := passed["example.com/clients/"+p.name+"/client"], passed["example.com/clients/"+p.name+"/uses"]
			if platform := p.first("platform"); platform != nil {
				client, uses = l.builds(t, side, p, platform[0], "client"), l.builds(t, side, p, platform[0], "uses")
			}
			tests := map[string]bool{}
			for name, ok := range passed {
				if name == l.paths[p.name] || strings.HasPrefix(name, l.paths[p.name]+"/") {
					tests[name] = ok
				}
			}
			if side == "old" {
				p.clientOld, p.usesOld, p.testsOld = client, uses, tests
			} else {
				p.clientNew, p.usesNew, p.testsNew = client, uses, tests
			}
		}
	}
}

// test runs all tests of a workspace and returns which packages pass. Paths are
// trimmed, so that what was compiled and tested before is taken from Go's cache.
func (l *lab) test(t *testing.T, side string) map[string]bool {
	t.Helper()
	args := []string{"test", "-json", "-trimpath", "-vet=off", "./clients/..."}
	for _, p := range l.pairs {
		args = append(args, "./"+p.name+"/...")
	}
	out := l.goCommand(t, side, nil, args...)
	passed := map[string]bool{}
	for line := range bytes.Lines(out) {
		var e struct{ Action, Package, Test string }
		if json.Unmarshal(line, &e) == nil && e.Test == "" && (e.Action == "pass" || e.Action == "fail") {
			passed[e.Package] = e.Action == "pass"
		}
	}
	if len(passed) < len(l.pairs) {
		t.Fatalf("go test says too little: %s", out)
	}
	return passed
}

// builds reports whether a client compiles for another platform.
func (l *lab) builds(t *testing.T, side string, p *pair, platform, folder string) bool {
	t.Helper()
	goos, goarch, _ := strings.Cut(platform, "/")
	target := "./clients/" + p.name + "/" + folder
	if _, err := os.Stat(filepath.Join(l.dir, side, target)); err != nil {
		return false
	}
	out := l.goCommand(t, side, []string{"GOOS=" + goos, "GOARCH=" + goarch}, "build", "-trimpath", "-json", target)
	return !bytes.Contains(out, []byte("build-fail"))
}

// goCommand returns what the go command says, whether it is content or not.
func (l *lab) goCommand(t *testing.T, side string, env []string, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = filepath.Join(l.dir, side)
	cmd.Env = append(os.Environ(), append([]string{"GOWORK=" + filepath.Join(cmd.Dir, "go.work"), "GOFLAGS=", "GOTOOLCHAIN=local", "PWD=" + cmd.Dir}, env...)...)
	out, err := cmd.Output()
	var failed *exec.ExitError
	if err != nil && (!errors.As(err, &failed) || len(failed.Stderr) > 0) {
		t.Logf("go %s: %v\n%s", args[0], err, failed.Stderr)
	}
	return out
}

// download fetches the real modules, and returns where each lies.
func download(t *testing.T, pairs []*pair) map[string]string {
	t.Helper()
	args := []string{"mod", "download", "-json"}
	for _, p := range pairs {
		if m := p.first("module"); m != nil {
			args = append(args, m[0]+"@"+m[1], m[0]+"@"+m[2])
		}
	}
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = t.TempDir()
	write(t, filepath.Join(cmd.Dir, "go.mod"), "module example.com/download\n")
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=", "PWD="+cmd.Dir)
	out, err := cmd.Output()
	needTool(t, err != nil, "cannot download the modules of the corpus: is there a module proxy?")
	dirs := map[string]string{}
	for d := json.NewDecoder(bytes.NewReader(out)); d.More(); {
		var m struct{ Path, Version, Dir string }
		if err := d.Decode(&m); err != nil {
			t.Fatal(err)
		}
		dirs[m.Path+"@"+m.Version] = m.Dir
	}
	return dirs
}

// copyModule copies the files of a module whose name is wanted; relative to
// the module.
func copyModule(t *testing.T, to, from string, wanted func(string) bool) {
	t.Helper()
	err := filepath.WalkDir(from, func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		rel, err := filepath.Rel(from, name)
		if err == nil && wanted(rel) {
			write(t, filepath.Join(to, rel), read(t, name))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// externalTest reports whether a file is a test that looks from outside.
func externalTest(dir, name string) bool {
	if !strings.HasSuffix(name, "_test.go") {
		return false
	}
	f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(dir, name), nil, parser.PackageClauseOnly)
	return err == nil && strings.HasSuffix(f.Name.Name, "_test")
}

// compileProto compiles the .proto files of one side.
func compileProto(t *testing.T, p *pair, side string) *descriptorpb.FileDescriptorSet {
	t.Helper()
	files := map[string]string{}
	for _, f := range p.archive.Files {
		if name, ok := strings.CutPrefix(f.Name, side+"/"); ok && strings.HasSuffix(name, ".proto") {
			files[name] = string(f.Data)
		}
	}
	compiler := protocompile.Compiler{Resolver: &protocompile.SourceResolver{Accessor: protocompile.SourceAccessorFromMap(files)}}
	set := &descriptorpb.FileDescriptorSet{}
	for name := range files {
		compiled, err := compiler.Compile(context.Background(), name)
		if err != nil {
			t.Fatalf("%s: %v", p.name, err)
		}
		set.File = append(set.File, protoutil.ProtoFromFileDescriptor(compiled[0]))
	}
	slices.SortFunc(set.File, func(a, b *descriptorpb.FileDescriptorProto) int { return strings.Compare(a.GetName(), b.GetName()) })
	return set
}

// generate writes the Go code that protoc-gen-go makes.
func generate(t *testing.T, dir string, set *descriptorpb.FileDescriptorSet) {
	t.Helper()
	request := &pluginpb.CodeGeneratorRequest{Parameter: proto.String("paths=source_relative"), ProtoFile: set.File}
	for _, f := range set.File {
		request.FileToGenerate = append(request.FileToGenerate, f.GetName())
	}
	plugin, err := protogen.Options{}.New(request)
	if err != nil {
		t.Fatal(err)
	}
	plugin.SupportedFeatures = internal_gengo.SupportedFeatures
	for _, f := range plugin.Files {
		internal_gengo.GenerateFile(plugin, f)
	}
	response := plugin.Response()
	if response.Error != nil {
		t.Fatal(response.GetError())
	}
	for _, f := range response.File {
		write(t, filepath.Join(dir, f.GetName()), f.GetContent())
	}
}

// protobufVersion is the one that this module requires: its sums are known.
func protobufVersion(t *testing.T) string {
	t.Helper()
	_, rest, ok := strings.Cut(read(t, "../../go.mod"), "google.golang.org/protobuf ")
	if !ok {
		t.Fatal("go.mod does not require google.golang.org/protobuf")
	}
	return strings.Fields(rest)[0]
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(text), 0o644)); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
