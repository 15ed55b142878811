package interfaces_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/bufbuild/protocompile"
	"github.com/bufbuild/protocompile/protoutil"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	"gitlab.com/selfcontained/pipeline/pipeline/bundle"
	"gitlab.com/selfcontained/pipeline/release/scs/interfaces"
)

// compile returns the descriptors of sources with all that they import, as
// `buf build` writes them.
func compile(t testing.TB, files map[string]string) bundle.API {
	t.Helper()
	compiler := protocompile.Compiler{
		Resolver: protocompile.WithStandardImports(&protocompile.SourceResolver{Accessor: protocompile.SourceAccessorFromMap(files)}),
	}
	names := slices.Sorted(maps.Keys(files))
	compiled, err := compiler.Compile(context.Background(), names...)
	if err != nil {
		t.Fatal(err)
	}
	set := &descriptorpb.FileDescriptorSet{}
	seen := map[string]bool{}
	var add func(protoreflect.FileDescriptor)
	add = func(f protoreflect.FileDescriptor) {
		if seen[f.Path()] {
			return
		}
		seen[f.Path()] = true
		for i := range f.Imports().Len() {
			add(f.Imports().Get(i).FileDescriptor)
		}
		set.File = append(set.File, protoutil.ProtoFromFileDescriptor(f))
	}
	for _, f := range compiled {
		add(f)
	}
	return encode(t, names[0], set)
}

func encode(t testing.TB, title string, set *descriptorpb.FileDescriptorSet) bundle.API {
	t.Helper()
	data, err := proto.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	return bundle.API{Title: title, MediaType: "application/protobuf", Data: data}
}

// stock is a file with the service shop.Stock; a source that begins with a
// syntax of its own keeps it.
func stock(t testing.TB, body string) bundle.API {
	t.Helper()
	head := "syntax = \"proto3\";\n"
	if strings.HasPrefix(body, "syntax") || strings.HasPrefix(body, "edition") {
		first, rest, _ := strings.Cut(body, ";")
		head, body = first+";\n", rest
	}
	if !strings.Contains(body, "service ") {
		body += "\nservice Stock { rpc Get(Ask) returns (Answer); }"
	}
	return compile(t, map[string]string{"shop.proto": head + "package shop;\n" + body})
}

// openAPI is a small document.
func openAPI(title string, operations ...string) bundle.API {
	var b strings.Builder
	b.WriteString("openapi: 3.1.0\ninfo: {title: " + title + ", version: 1.0.0}\npaths:\n")
	for _, o := range operations {
		method, path, _ := strings.Cut(o, " ")
		b.WriteString("  " + path + ":\n    " + strings.ToLower(method) + ": {}\n")
	}
	return bundle.API{Title: title, MediaType: "application/vnd.oai.openapi", Data: []byte(b.String())}
}

func lines(problems []interfaces.Problem) string {
	var b strings.Builder
	for _, p := range problems {
		b.WriteString(p.String() + "\n")
	}
	return b.String()
}

// pair checks a client cart against a server stock.
func pair(client, server bundle.API) *interfaces.Report {
	return interfaces.Check(interfaces.Input{Members: []interfaces.Member{
		{Service: "cart", Uses: []bundle.API{client}}, {Service: "stock", Provides: []bundle.API{server}},
	}})
}

// rewritten is the same interface in other bytes: with a field that no reader
// knows.
func rewritten(api bundle.API) bundle.API {
	api.Data = append(slices.Clone(api.Data), 0x98, 0x75, 1) // field 1875, a varint
	return api
}
