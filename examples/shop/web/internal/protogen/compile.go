package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/bufbuild/protocompile"
	"github.com/bufbuild/protocompile/protoutil"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
)

// compile returns the named files and everything that they import, each after
// its imports, with source positions and comments.
func compile(ctx context.Context, root string, names []string) ([]*descriptorpb.FileDescriptorProto, error) {
	if len(names) == 0 {
		return nil, errors.New("no .proto file is named")
	}
	compiler := protocompile.Compiler{
		Resolver: protocompile.WithStandardImports(&protocompile.SourceResolver{
			ImportPaths: []string{root},
		}),
		SourceInfoMode: protocompile.SourceInfoStandard,
	}
	linked, err := compiler.Compile(ctx, names...)
	if err != nil {
		return nil, fmt.Errorf("compile below %s: %w", root, err)
	}
	var files []*descriptorpb.FileDescriptorProto
	seen := map[string]bool{}
	for _, file := range linked {
		files = appendWithImports(files, seen, file)
	}
	return files, nil
}

func appendWithImports(files []*descriptorpb.FileDescriptorProto, seen map[string]bool, file protoreflect.FileDescriptor) []*descriptorpb.FileDescriptorProto {
	if seen[file.Path()] {
		return files
	}
	seen[file.Path()] = true
	imports := file.Imports()
	for i := range imports.Len() {
		files = appendWithImports(files, seen, imports.Get(i).FileDescriptor)
	}
	return append(files, protoutil.ProtoFromFileDescriptor(file))
}

// descriptorSet encodes the files without source positions: a comment that
// changes is no change of the API.
func descriptorSet(files []*descriptorpb.FileDescriptorProto) ([]byte, error) {
	set := &descriptorpb.FileDescriptorSet{}
	for _, file := range files {
		bare := proto.CloneOf(file)
		bare.SourceCodeInfo = nil
		set.File = append(set.File, bare)
	}
	return proto.MarshalOptions{Deterministic: true}.Marshal(set)
}

func writeDescriptors(path string, files []*descriptorpb.FileDescriptorProto) error {
	if path == "" {
		return nil
	}
	data, err := descriptorSet(files)
	if err != nil {
		return fmt.Errorf("encode descriptor set: %w", err)
	}
	return writeFile(path, data)
}

func writeFile(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o644)
}
