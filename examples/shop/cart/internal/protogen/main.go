// Command protogen compiles .proto files and writes Go code and a descriptor
// set. It stands in for protoc: the compiler is a Go library and the plugins
// are tools of this module, so that go.mod pins every version and nothing has
// to be installed.
//
// Usage:
//
//	go tool protogen [-proto DIR] [-out DIR] [-descriptors FILE] [-package FILE.proto=IMPORT/PATH;NAME]... FILE.proto...
//
// Files are named relative to the -proto folder. -package overrides a file's
// option go_package, as the plugins' option M does: the copy of a neighbour's
// file stays as it is and its code still belongs to this module. Equal input
// gives equal bytes.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
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
	var packages packageFlag
	flags.Var(&packages, "package", "Go package of a file, `FILE.proto=IMPORT/PATH;NAME`; may be repeated")
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
	return output{plugins, *out, packages}.generate(ctx, files, flags.Args())
}

// packageFlag collects the plugins' options M, one for each -package.
type packageFlag []string

// String implements flag.Value.
func (p *packageFlag) String() string { return strings.Join(*p, ",") }

// Set implements flag.Value.
func (p *packageFlag) Set(value string) error {
	file, path, found := strings.Cut(value, "=")
	if !found || file == "" || path == "" || strings.Contains(value, ",") {
		return errors.New("expected FILE.proto=IMPORT/PATH;NAME")
	}
	*p = append(*p, "M"+value)
	return nil
}
