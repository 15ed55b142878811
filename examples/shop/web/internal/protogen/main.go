// Command protogen compiles .proto files and writes Go code and a descriptor
// set. It stands in for protoc: the compiler is a Go library and the plugins
// are tools of this module, so that go.mod pins every version and nothing has
// to be installed.
//
// Usage:
//
//	go tool protogen [-proto DIR] [-out DIR] [-descriptors FILE] [-opt OPTION]... FILE.proto...
//
// Files are named relative to the -proto folder. An option is one of the
// plugins: MFILE.proto=IMPORT/PATH;NAME gives a copy of another module's file a
// Go package in this one. Equal input gives equal bytes.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "protogen:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stderr io.Writer) error {
	flags := flag.NewFlagSet("protogen", flag.ContinueOnError)
	flags.SetOutput(stderr)
	root := flags.String("proto", "proto", "folder of the .proto files")
	out := flags.String("out", "gen", "folder for the Go code")
	descriptors := flags.String("descriptors", "", "file for the descriptor set; empty: none")
	options := []string{"paths=source_relative"}
	flags.Func("opt", "`option` for the plugins; may be repeated", func(option string) error {
		options = append(options, option)
		return nil
	})
	if err := flags.Parse(args); err != nil {
		return err
	}
	files, err := compile(ctx, *root, flags.Args())
	if err != nil {
		return err
	}
	if err := writeDescriptors(*descriptors, files); err != nil {
		return err
	}
	return generate(ctx, plugins, *out, newRequest(files, flags.Args(), options))
}

// newRequest asks for code for the named files.
func newRequest(files []*descriptorpb.FileDescriptorProto, names, options []string) *pluginpb.CodeGeneratorRequest {
	return &pluginpb.CodeGeneratorRequest{
		FileToGenerate: names,
		Parameter:      proto.String(strings.Join(options, ",")),
		ProtoFile:      files,
	}
}
