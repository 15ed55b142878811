package kind

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/kind/pkg/cluster"

	"gitlab.com/selfcontained/pipeline/kindtest"
	"gitlab.com/selfcontained/pipeline/pipeline/proc"
)

// clusterLabel is on every node container: kind's pkg/cluster/internal/
// providers/docker/constants.go.
const clusterLabel = "io.x-k8s.kind.cluster"

// pullTimeout bounds the one try to pull a node image. Where there is a
// registry at hand the image comes at once or not at all.
const pullTimeout = 20 * time.Second

// engine is a container engine's command.
type engine struct {
	name string
	// host is set when the engine runs elsewhere: the name under which its
	// published ports are reached.
	host string
}

// engine finds the engine that the options name, or the first that answers.
func (p *Provider) engine(ctx context.Context) (*engine, error) {
	candidates := []string{"docker", "podman", "nerdctl"}
	if p.options.Engine != "" {
		candidates = []string{p.options.Engine}
	} else if s := p.files.state(); s.Engine != "" {
		candidates = []string{s.Engine} // the cluster is there and nowhere else
	}
	var tried []error
	for _, name := range candidates {
		probe, cancel := context.WithTimeout(ctx, 10*time.Second)
		_, err := proc.Cmd{Args: []string{name, "info", "--format", "{{.ID}}"}}.Output(probe)
		if name != "docker" && err != nil { // only docker has an ID
			_, err = proc.Cmd{Args: []string{name, "info"}}.Output(probe)
		}
		cancel()
		if err == nil {
			return &engine{name: name, host: remoteHost(name)}, nil
		}
		if !proc.NotFound(err) || len(candidates) == 1 {
			tried = append(tried, err)
		}
	}
	if len(tried) == 0 {
		tried = append(tried, errors.New("none of docker, podman and nerdctl is installed"))
	}
	return nil, &kindtest.EnvironmentError{What: "no container engine answers", Err: errors.Join(tried...), Remedy: "start docker or podman, or set DOCKER_HOST"}
}

// remoteHost returns the host in DOCKER_HOST if that is not this one.
func remoteHost(engine string) string {
	u, err := url.Parse(os.Getenv("DOCKER_HOST"))
	if engine != "docker" || err != nil || u.Scheme != "tcp" {
		return ""
	}
	host := u.Hostname()
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
		return ""
	}
	return host
}

// provider returns kind's library for this engine.
func (e *engine) provider(log *logger) *cluster.Provider {
	option := cluster.ProviderWithDocker()
	switch e.name {
	case "podman":
		option = cluster.ProviderWithPodman()
	case "nerdctl":
		option = cluster.ProviderWithNerdctl("")
	}
	return cluster.NewProvider(cluster.ProviderWithLogger(log), option)
}

// nodeContainer is a node as the engine knows it.
type nodeContainer struct {
	Name  string
	State string // "running", "exited", "created", ...
	Image string
	// Started is when it was started last.
	Started time.Time
}

// lastStart returns when the last of the nodes was started.
func lastStart(nodes []nodeContainer) time.Time {
	var last time.Time
	for _, n := range nodes {
		if n.Started.After(last) {
			last = n.Started
		}
	}
	return last
}

// nodes lists the cluster's containers, running or not.
func (e *engine) nodes(ctx context.Context, name string) ([]nodeContainer, error) {
	out, err := proc.Cmd{Args: []string{e.name, "ps", "-a", "-q", "--filter", "label=" + clusterLabel + "=" + name}}.Output(ctx)
	if err != nil {
		return nil, err
	}
	ids := strings.Fields(string(out))
	if len(ids) == 0 {
		return nil, nil
	}
	out, err = proc.Cmd{Args: append([]string{e.name, "inspect", "--type=container"}, ids...)}.Output(ctx)
	if err != nil {
		return nil, err
	}
	return parseInspect(out)
}

// parseInspect reads the part of "inspect" that is the same for all engines.
func parseInspect(data []byte) ([]nodeContainer, error) {
	var list []struct {
		Name      string
		ImageName string // podman
		State     struct {
			Status    string
			StartedAt time.Time
		}
		Config struct{ Image string }
	}
	if err := json.NewDecoder(bytes.NewReader(data)).Decode(&list); err != nil {
		return nil, fmt.Errorf("read the engine's description of the nodes: %w", err)
	}
	var out []nodeContainer
	for _, c := range list {
		n := nodeContainer{Name: strings.TrimPrefix(c.Name, "/"), State: c.State.Status, Image: c.Config.Image, Started: c.State.StartedAt}
		if n.Image == "" {
			n.Image = c.ImageName
		}
		out = append(out, n)
	}
	return out, nil
}

func (e *engine) start(ctx context.Context, container string) error {
	return proc.Cmd{Args: []string{e.name, "start", container}}.Run(ctx)
}

// pinScript keeps kubelet from removing the images that the node came with: some
// run only now and then, and it might not be possible to pull them.
const pinScript = `ctr --namespace=k8s.io images ls -q | while read -r name; do
  ctr --namespace=k8s.io images label "$name" io.cri-containerd.pinned=pinned >/dev/null || exit
done`

// pinImages pins the images of new nodes. Those of a cluster's applications,
// which come later, are collected when nothing uses them.
func (e *engine) pinImages(ctx context.Context, cluster string) error {
	nodes, err := e.nodes(ctx, cluster)
	if err != nil {
		return err
	}
	for _, n := range nodes {
		if err := (proc.Cmd{Args: []string{e.name, "exec", n.Name, "sh", "-c", pinScript}}).Run(ctx); err != nil {
			return fmt.Errorf("pin the images of node %s: %w", n.Name, err)
		}
	}
	return nil
}

// ImageError is the *kindtest.EnvironmentError of a node image that cannot be
// had. Engine is the engine that lacks it.
type ImageError struct {
	kindtest.EnvironmentError
	Engine string
}

func (e *ImageError) Unwrap() error { return &e.EnvironmentError }

// ensureImage tries once to pull an image that is not there.
func (e *engine) ensureImage(ctx context.Context, image string) error {
	if (proc.Cmd{Args: []string{e.name, "image", "inspect", image}}).Run(ctx) == nil {
		return nil
	}
	pull, cancel := context.WithTimeout(ctx, pullTimeout)
	defer cancel()
	err := proc.Cmd{Args: []string{e.name, "pull", "--quiet", image}, Grace: time.Second}.Run(pull)
	if err == nil || ctx.Err() != nil {
		return err
	}
	return &ImageError{Engine: e.name, EnvironmentError: kindtest.EnvironmentError{
		What: "node image " + image + " is not there and cannot be pulled", Err: err,
		Remedy: "build one (pipeline cluster node-image) or name one that can be had (--node-image)",
	}}
}

// reachable replaces the API server's address where the engine runs elsewhere.
func (e *engine) reachable(kubeconfig []byte) ([]byte, error) {
	if e.host == "" {
		return kubeconfig, nil
	}
	config, err := clientcmd.Load(kubeconfig)
	if err != nil {
		return nil, err
	}
	for _, c := range config.Clusters {
		u, err := url.Parse(c.Server)
		if err != nil {
			return nil, err
		}
		u.Host = net.JoinHostPort(e.host, u.Port())
		c.Server = u.String()
	}
	return clientcmd.Write(*config)
}
