package main

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"
)

const source = `syntax = "proto3"; package p;
import "google/protobuf/empty.proto";
// Comment.
message M { google.protobuf.Empty e = 1; }
`

func writeSource(t *testing.T, text string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "m.proto"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// The committed descriptor sets must be what the committed .proto files say.
func TestCommittedDescriptorsAreCurrent(t *testing.T) {
	t.Parallel()
	for set, source := range map[string]string{"cart.binpb": "cart/v1/cart.proto", "stock.binpb": "stock/v1/stock.proto"} {
		files, err := compile(t.Context(), "../../proto", []string{source})
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), set)
		if err := writeDescriptors(path, files); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(read(t, path), read(t, filepath.Join("../../api", set))) {
			t.Errorf(`api/%s is stale: run "go generate ./..."`, set)
		}
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestImportsComeFirstAndPositionsAreLeftOut(t *testing.T) {
	t.Parallel()
	files, err := compile(t.Context(), writeSource(t, source), []string{"m.proto", "m.proto"})
	if err != nil {
		t.Fatal(err)
	}
	data, err := descriptorSet(files)
	if err != nil {
		t.Fatal(err)
	}
	set := &descriptorpb.FileDescriptorSet{}
	if err := proto.Unmarshal(data, set); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, file := range set.GetFile() {
		names = append(names, file.GetName())
		if file.SourceCodeInfo != nil {
			t.Errorf("%s has source positions", file.GetName())
		}
	}
	if got := strings.Join(names, " "); got != "google/protobuf/empty.proto m.proto" {
		t.Errorf("files: %s", got)
	}
	if files[1].GetSourceCodeInfo() == nil {
		t.Error("the plugins get no comments")
	}
}

func TestMistakes(t *testing.T) {
	t.Parallel()
	good, bad := writeSource(t, source), writeSource(t, "message")
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"-nonsense"}, "nonsense"},
		{nil, "no .proto file"},
		{[]string{"-proto", bad, "m.proto"}, "m.proto:1:"},
		{[]string{"-package", "m.proto", "m.proto"}, "FILE.proto=IMPORT/PATH;NAME"},
		{[]string{"-package", "m.proto=a,b", "m.proto"}, "FILE.proto=IMPORT/PATH;NAME"},
		{[]string{"-proto", good, "-descriptors", good, "m.proto"}, good},
	} {
		err := run(t.Context(), test.args, io.Discard)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: error %v, want one with %q", test.args, err, test.want)
		}
	}
}

// respond returns a plugin that answers with r, whatever is asked.
func respond(t *testing.T, r *pluginpb.CodeGeneratorResponse) plugin {
	t.Helper()
	data, err := proto.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "response")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return plugin{"cat", path}
}

func answer(name string) *pluginpb.CodeGeneratorResponse {
	return &pluginpb.CodeGeneratorResponse{File: []*pluginpb.CodeGeneratorResponse_File{
		{Name: proto.String(name), Content: proto.String("package p\n")},
	}}
}

func TestPlugins(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("cat"); err != nil {
		t.Fatal("cat is missing")
	}
	out := t.TempDir()
	for name, test := range map[string]struct {
		plugin plugin
		want   string // empty: no error
	}{
		"good":    {respond(t, answer("p/m.go")), ""},
		"outside": {respond(t, answer("../m.go")), "outside"},
		"refused": {respond(t, &pluginpb.CodeGeneratorResponse{Error: proto.String("bad option")}), "bad option"},
		"no such": {plugin{"cat", out}, "cat"},
		"garbage": {plugin{"cat", "plugin.go"}, "decode response"},
	} {
		err := output{plugins: []plugin{test.plugin}, dir: out}.generate(t.Context(), nil, []string{"m.proto"})
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: error %v, want %q", name, err, test.want)
		}
	}
	if data, err := os.ReadFile(filepath.Join(out, "p", "m.go")); err != nil || string(data) != "package p\n" {
		t.Errorf("written: %q, %v", data, err)
	}
}

func TestPackagesAreHandedToThePlugins(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("sh"); err != nil {
		t.Fatal("sh is missing")
	}
	path := filepath.Join(t.TempDir(), "request")
	var packages packageFlag
	for _, value := range []string{"a.proto=example.com/a;a", "b.proto=example.com/b"} {
		if err := packages.Set(value); err != nil {
			t.Fatal(err)
		}
	}
	keep := plugin{"sh", "-c", `cat >"$0"`, path}
	if err := (output{[]plugin{keep}, t.TempDir(), packages}).generate(t.Context(), nil, nil); err != nil {
		t.Fatal(err)
	}
	request := &pluginpb.CodeGeneratorRequest{}
	if err := proto.Unmarshal(read(t, path), request); err != nil {
		t.Fatal(err)
	}
	want := "paths=source_relative,Ma.proto=example.com/a;a,Mb.proto=example.com/b"
	if got := request.GetParameter(); got != want {
		t.Errorf("parameter %q, want %q", got, want)
	}
}
