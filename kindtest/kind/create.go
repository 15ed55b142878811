package kind

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"sigs.k8s.io/kind/pkg/apis/config/defaults"
	"sigs.k8s.io/kind/pkg/cluster"
	"sigs.k8s.io/kind/pkg/exec"
	"sigs.k8s.io/yaml"

	"gitlab.com/selfcontained/pipeline/kindtest"
)

// cleanupTime bounds the removal of a cluster after cancellation.
const cleanupTime = 60 * time.Second

func (p *Provider) recreate(ctx context.Context, e *engine, why string) (*kindtest.Cluster, error) {
	p.log.printf("deleting it: %s", why)
	if err := p.remove(ctx, e); err != nil {
		return nil, err
	}
	return p.create(ctx, e)
}

// create makes the cluster from nothing. When it fails or ctx ends, nothing is
// left.
func (p *Provider) create(ctx context.Context, e *engine) (*kindtest.Cluster, error) {
	image, patches, err := p.pickImage(ctx, e)
	if err != nil {
		return nil, err
	}
	if err := e.ensureImage(ctx, image); err != nil {
		return nil, err
	}
	if err := p.files.write(state{Phase: phaseCreating, Image: image, Engine: e.name, Created: time.Now().UTC()}); err != nil {
		return nil, err
	}
	c, err := p.build(ctx, e, image, patches)
	if err == nil {
		return c, nil
	}
	cleanup, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer cancel()
	return nil, errors.Join(p.creationError(ctx, err), p.remove(cleanup, e))
}

// pickImage returns the image of a new cluster and kubeadm patches for it.
func (p *Provider) pickImage(ctx context.Context, e *engine) (string, []string, error) {
	if p.options.Image == "" && p.options.PickImage != nil {
		image, patches, err := p.options.PickImage(ctx, e.name)
		if err != nil || image != "" {
			return image, patches, err
		}
	}
	if p.options.Image == "" {
		return defaults.Image, p.options.Patches, nil
	}
	return p.options.Image, p.options.Patches, nil
}

func (p *Provider) build(ctx context.Context, e *engine, image string, patches []string) (*kindtest.Cluster, error) {
	config, err := p.config(e, patches)
	if err != nil {
		return nil, err
	}
	if err := p.runCreate(ctx, e, config, image); err != nil {
		return nil, err
	}
	if err := e.pinImages(ctx, p.options.Cluster); err != nil {
		return nil, err
	}
	kubeconfig, err := os.ReadFile(p.files.scratch)
	if err != nil {
		return nil, err
	}
	_ = os.Remove(p.files.scratch)
	return p.finish(ctx, e, kubeconfig, image, time.Time{})
}

// runCreate runs kind's Create, which takes no context: when ctx ends, its
// nodes are deleted under it until it gives up.
func (p *Provider) runCreate(ctx context.Context, e *engine, config []byte, image string) error {
	_ = os.Remove(p.files.scratch) // kind would merge into it
	created := make(chan error, 1)
	go func() {
		created <- e.provider(p.log).Create(p.options.Cluster,
			cluster.CreateWithRawConfig(config),
			cluster.CreateWithNodeImage(image),
			cluster.CreateWithKubeconfigPath(p.files.scratch),
			cluster.CreateWithWaitForReady(0), // see WaitSystem
			cluster.CreateWithDisplayUsage(false), cluster.CreateWithDisplaySalutation(false))
	}()
	select {
	case err := <-created:
		return err
	case <-ctx.Done():
	}
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(cleanupTime)
	for {
		_ = e.provider(p.log).Delete(p.options.Cluster, p.files.scratch)
		select {
		case <-created:
			return context.Cause(ctx)
		case <-tick.C:
		case <-deadline:
			return context.Cause(ctx)
		}
	}
}

// config is kind's configuration: one node, which is what all of kind's images
// can do.
func (p *Provider) config(e *engine, patches []string) ([]byte, error) {
	c := map[string]any{
		"kind": "Cluster", "apiVersion": "kind.x-k8s.io/v1alpha4",
		"kubeadmConfigPatches": patches,
	}
	if e.host != "" {
		c["networking"] = map[string]any{"apiServerAddress": "0.0.0.0"}
		san, err := json.Marshal(map[string]any{"kind": "ClusterConfiguration", "apiServer": map[string]any{"certSANs": []string{e.host, "localhost", "127.0.0.1"}}})
		if err != nil {
			return nil, err
		}
		c["kubeadmConfigPatches"] = append(append([]string{}, patches...), string(san))
	}
	return yaml.Marshal(c)
}

// creationError explains a failure with what kind and its last command wrote.
func (p *Provider) creationError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("create cluster %s: %w", p.options.Cluster, context.Cause(ctx))
	}
	tail := p.log.tail()
	var run *exec.RunError
	if errors.As(err, &run) {
		tail = append(tail, lastLines(string(run.Output), 20)...)
	}
	what := "cluster " + p.options.Cluster + " cannot be created"
	if len(tail) > 0 {
		err = fmt.Errorf("%w\nthe end of kind's log:\n  %s", err, strings.Join(tail, "\n  "))
	}
	return &kindtest.EnvironmentError{What: what, Err: err, Remedy: "look whether the engine can run privileged containers and has memory (1 GiB) and disk space"}
}

func lastLines(s string, n int) []string {
	lines := strings.Split(strings.TrimRight(s, "\n"), "\n")
	return lines[max(0, len(lines)-n):]
}
