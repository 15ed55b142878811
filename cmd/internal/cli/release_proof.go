package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"

	"gitlab.com/selfcontained/pipeline/pipeline/config"
	"gitlab.com/selfcontained/pipeline/release/version/goapi"
	"gitlab.com/selfcontained/pipeline/release/version/protoapi"
)

// oldSources are those of the last release.
type oldSources struct {
	root string // to be removed
	dir  string // of the service
}

// prove compares the code with that of the last release, and tests the bundle
// with its tests.
func (f *releaseFlags) prove(ctx context.Context, s *streams, sess *session, svc *service, t *releaseTarget, facts *releaseFacts) error {
	if facts.version.Last == nil {
		return nil
	}
	old, err := facts.extractLast(ctx, svc, t)
	if err != nil {
		return err
	}
	defer os.RemoveAll(old.root)
	if err := facts.proveCode(ctx, svc, old); err != nil {
		return err
	}
	return facts.testWithOld(ctx, s, f, sess, svc, old)
}

func (facts *releaseFacts) extractLast(ctx context.Context, svc *service, t *releaseTarget) (old oldSources, err error) {
	if old.root, err = os.MkdirTemp("", "pipeline-release-"); err != nil {
		return old, err
	}
	if _, err := t.repo.Extract(ctx, facts.lastTag(), old.root, svc.Dir); err != nil {
		return old, errors.Join(fmt.Errorf("read the sources of %s: %w", facts.lastTag(), err), os.RemoveAll(old.root))
	}
	rel, err := filepath.Rel(t.repo.Root, svc.Dir)
	old.dir = filepath.Join(old.root, rel)
	return old, err
}

// proveCode compares what the service offers to other programs.
func (facts *releaseFacts) proveCode(ctx context.Context, svc *service, old oldSources) error {
	if err := facts.proveGo(ctx, svc, old.dir); err != nil {
		return fmt.Errorf("compare the Go interface with %s: %w", facts.lastTag(), err)
	}
	return facts.proveProto(svc, old.dir, facts.lastTag())
}

// proveGo compares the exported interface of the module.
func (facts *releaseFacts) proveGo(ctx context.Context, svc *service, old string) error {
	before, err := goapi.Load(ctx, old, goapi.Options{})
	if errors.Is(err, goapi.ErrNoModule) {
		return nil
	}
	if err != nil {
		return err
	}
	after, err := goapi.Load(ctx, svc.Dir, goapi.Options{})
	if errors.Is(err, goapi.ErrNoModule) {
		return nil
	}
	if err != nil {
		return err
	}
	facts.version.Proof = append(facts.version.Proof, goapi.Compare(before, after)...)
	return nil
}

// proveProto compares the descriptors that the service provides with those that
// it provided.
func (facts *releaseFacts) proveProto(svc *service, old, tag string) error {
	then, err := config.Load(old)
	var none *config.NoService
	if err != nil && !errors.As(err, &none) {
		return fmt.Errorf("the configuration of %s: %w", tag, err)
	}
	files := slices.Clone(svc.API.Provides)
	if then != nil {
		files = append(files, then.API.Provides...)
	}
	slices.Sort(files)
	for _, file := range slices.Compact(files) {
		if document(file) {
			continue
		}
		before, err := readDescriptors(old, file)
		if err != nil {
			return fmt.Errorf("%s of %s: %w", file, tag, err)
		}
		after, err := readDescriptors(svc.Dir, file)
		if err != nil {
			return err
		}
		facts.version.Proof = append(facts.version.Proof, protoapi.Compare(before, after)...)
	}
	return nil
}

// document reports whether an interface is described by text (OpenAPI), which
// nothing is proved about.
func document(file string) bool {
	return slices.Contains([]string{".json", ".yaml", ".yml"}, filepath.Ext(file))
}

// readDescriptors reads a binary FileDescriptorSet; one that is not there is
// empty.
func readDescriptors(dir, file string) (*descriptorpb.FileDescriptorSet, error) {
	set := &descriptorpb.FileDescriptorSet{}
	data, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(file)))
	if errors.Is(err, os.ErrNotExist) {
		return set, nil
	}
	if err != nil {
		return nil, err
	}
	if err := proto.Unmarshal(data, set); err != nil {
		return nil, fmt.Errorf("%s is no binary FileDescriptorSet: %w", file, err)
	}
	return set, nil
}
