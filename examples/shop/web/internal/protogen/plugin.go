package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/pluginpb"
)

// plugin is a command that speaks protoc's plugin protocol: a
// CodeGeneratorRequest on stdin, a CodeGeneratorResponse on stdout
// (google/protobuf/compiler/plugin.proto).
type plugin []string

// plugins are tools of this module, so that go.mod pins their versions.
var plugins = []plugin{
	{"go", "tool", "protoc-gen-go"},
	{"go", "tool", "protoc-gen-go-grpc"},
}

// generate has every plugin answer the request; the code goes below folder out.
func generate(ctx context.Context, plugins []plugin, out string, request *pluginpb.CodeGeneratorRequest) error {
	data, err := proto.Marshal(request)
	if err != nil {
		return fmt.Errorf("encode request: %w", err)
	}
	for _, p := range plugins {
		if err := p.generate(ctx, out, data); err != nil {
			return fmt.Errorf("%v: %w", []string(p), err)
		}
	}
	return nil
}

func (p plugin) generate(ctx context.Context, out string, request []byte) error {
	response, err := p.call(ctx, request)
	if err != nil {
		return err
	}
	for _, file := range response.GetFile() {
		if !filepath.IsLocal(file.GetName()) {
			return fmt.Errorf("file %q lies outside the output folder", file.GetName())
		}
		if err := writeFile(filepath.Join(out, file.GetName()), []byte(file.GetContent())); err != nil {
			return err
		}
	}
	return nil
}

func (p plugin) call(ctx context.Context, request []byte) (*pluginpb.CodeGeneratorResponse, error) {
	cmd := exec.CommandContext(ctx, p[0], p[1:]...)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(request), &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, bytes.TrimSpace(stderr.Bytes()))
	}
	response := &pluginpb.CodeGeneratorResponse{}
	if err := proto.Unmarshal(stdout.Bytes(), response); err != nil {
		return nil, fmt.Errorf("decode response: %w", err)
	}
	if response.GetError() != "" {
		return nil, errors.New(response.GetError())
	}
	return response, nil
}
