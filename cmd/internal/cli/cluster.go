package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"gitlab.com/selfcontained/pipeline/kindtest"
	"gitlab.com/selfcontained/pipeline/kindtest/existing"
	"gitlab.com/selfcontained/pipeline/kindtest/kind"
	"gitlab.com/selfcontained/pipeline/kindtest/nodeimage"
	"gitlab.com/selfcontained/pipeline/pipeline/config"
)

// clusterFlags choose the cluster; they win over the configuration.
type clusterFlags struct {
	name, nodeImage, context, kubeconfig, registry string
	waitCleanup                                    bool
}

func (f *clusterFlags) addFlags(cmd *cobra.Command) {
	f.addClusterFlags(cmd)
	cmd.Flags().BoolVar(&f.waitCleanup, "wait-cleanup", false, "wait until the namespace of the integration stage is gone")
}

func (f *clusterFlags) addClusterFlags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.name, "cluster", "", "name of the kind cluster (default \"pipeline\")")
	cmd.Flags().StringVar(&f.nodeImage, "node-image", "", "image of the kind cluster's node")
	cmd.Flags().StringVar(&f.context, "kube-context", "", "use this context of the kubeconfig instead of kind")
	cmd.Flags().StringVar(&f.kubeconfig, "kubeconfig", "", "kubeconfig for --kube-context (default $KUBECONFIG, then ~/.kube/config)")
	cmd.Flags().StringVar(&f.registry, "cluster-registry", "", "registry that the cluster of --kube-context pulls from")
	cmd.MarkFlagsMutuallyExclusive("kube-context", "cluster")
	cmd.MarkFlagsMutuallyExclusive("kube-context", "node-image")
}

// clusterChoice is the cluster that flags and configuration name together.
type clusterChoice struct {
	config.Cluster
	kubeconfig string
}

func (f *clusterFlags) cluster(c config.Cluster) clusterChoice {
	for _, over := range []struct{ flag, setting *string }{
		{&f.name, &c.Name}, {&f.nodeImage, &c.NodeImage}, {&f.context, &c.Context}, {&f.registry, &c.Registry},
	} {
		if *over.flag != "" {
			*over.setting = *over.flag
		}
	}
	if f.context != "" || f.kubeconfig != "" {
		c.Provider = "existing"
	}
	return clusterChoice{Cluster: c, kubeconfig: f.kubeconfig}
}

// provider returns the provider; nothing is started.
func (c clusterChoice) provider(cache string, log io.Writer) (kindtest.Provider, error) {
	if c.Provider == "existing" {
		return existing.New(existing.Options{
			Kubeconfig: c.kubeconfig, Context: c.Context, Registry: c.Registry, CacheDir: cache,
		})
	}
	p, err := kind.New(kind.Options{
		Cluster: c.Name, Image: c.NodeImage, PickImage: pickImage, CacheDir: cache, Log: log,
	})
	if err != nil {
		return nil, &usageError{err}
	}
	return p, nil
}

// pickImage chooses the node image of a new cluster: the one built here, if it
// is there. Otherwise kind's own is tried.
func pickImage(ctx context.Context, engine string) (image string, patches []string, err error) {
	there, err := nodeimage.Present(ctx, engine)
	if err != nil || !there {
		return "", nil, err
	}
	return nodeimage.Ref(), nodeimage.ConfigPatches(true), nil
}

// kubernetes returns the version that the cluster will have, as far as the
// choice tells.
func (c clusterChoice) kubernetes() string {
	if c.Provider != "existing" && c.NodeImage == "" {
		return nodeimage.Kubernetes
	}
	return ""
}

func newCluster(s *streams) *cobra.Command {
	return group(&cobra.Command{Use: "cluster", Short: "Create, look at and remove the cluster for tests"},
		newClusterUp(s),
		clusterCommand(s, "down", "Delete the cluster", func(ctx context.Context, p kindtest.Provider) error {
			return p.Delete(ctx)
		}),
		clusterCommand(s, "list", "List the namespaces that are on lease", func(ctx context.Context, p kindtest.Provider) error {
			return listLeases(ctx, p, s.out)
		}),
		clusterCommand(s, "sweep", "Delete the namespaces of runs that are over", func(ctx context.Context, p kindtest.Provider) error {
			return sweep(ctx, p, s.out)
		}),
		newNodeImage(s))
}

// clusterCommand is a subcommand that does something with a provider.
func clusterCommand(s *streams, use, short string, run func(context.Context, kindtest.Provider) error) *cobra.Command {
	f := &clusterFlags{}
	cmd := &cobra.Command{Use: use, Short: short, Args: usageArgs(cobra.NoArgs)}
	f.addClusterFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cache, err := cacheDir()
		if err != nil {
			return err
		}
		p, err := f.cluster(config.Cluster{}).provider(cache, s.err)
		if err != nil {
			return err
		}
		return run(cmd.Context(), p)
	}
	return cmd
}

func newClusterUp(s *streams) *cobra.Command {
	var build bool
	cmd := clusterCommand(s, "up", "Create the cluster, or check that it can be used", func(ctx context.Context, p kindtest.Provider) error {
		c, err := p.Ensure(ctx)
		var missing *kind.ImageError
		if build && errors.As(err, &missing) {
			fmt.Fprintf(s.err, "%v\nbuilding a node image from source instead (about 14 minutes from nothing, seconds from caches)\n", err)
			if err := buildNodeImage(ctx, s.err, s.err, missing.Engine, false); err != nil {
				return err
			}
			c, err = p.Ensure(ctx)
		}
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(s.out, "%s\t%s\t%s\n", c.Name, c.Version, c.Kubeconfig)
		return err
	})
	cmd.Flags().BoolVar(&build, "build-node-image", false, "build the node image where none is there and none can be pulled")
	return cmd
}

// listLeases prints a JSON list; without a cluster it is empty.
func listLeases(ctx context.Context, p kindtest.Provider, w io.Writer) error {
	c, err := p.Attach(ctx)
	if err != nil {
		return err
	}
	leases := []kindtest.Leased{}
	if c != nil {
		if leases, err = c.Leases(ctx); err != nil {
			return err
		}
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(leases)
}

// sweep deletes the namespaces of runs that are over and prints their names.
func sweep(ctx context.Context, p kindtest.Provider, w io.Writer) error {
	c, err := p.Attach(ctx)
	if c == nil || err != nil {
		return err
	}
	names, err := c.Sweep(ctx)
	for _, n := range names {
		fmt.Fprintln(w, n)
	}
	return err
}

func newNodeImage(s *streams) *cobra.Command {
	var engine string
	var dryRun, verbose bool
	cmd := &cobra.Command{
		Use:   "node-image",
		Short: "Build the node image for kind from source",
		Long: `Build an image for the nodes of kind from Go modules and Debian packages, for
hosts that cannot pull kindest/node. It takes about 14 minutes from nothing and
some seconds when everything is in Go's caches.`,
		Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if dryRun {
				_, err := fmt.Fprintln(s.out, nodeimage.Ref())
				return err
			}
			return buildNodeImage(cmd.Context(), s.out, s.err, engine, verbose)
		},
	}
	cmd.Flags().StringVar(&engine, "engine", "docker", "container engine that takes the image: docker or podman")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "print the name of the image and stop")
	cmd.Flags().BoolVar(&verbose, "verbose", false, "show the output of the commands")
	return cmd
}

// buildNodeImage builds the image and prints its name to out, progress to log.
func buildNodeImage(ctx context.Context, out, log io.Writer, engine string, verbose bool) error {
	cache, err := cacheDir()
	if err != nil {
		return err
	}
	o := nodeimage.Options{Engine: engine, Work: filepath.Join(cache, "node"), Progress: func(step string, done bool, took time.Duration) {
		if done {
			fmt.Fprintf(log, "  %s: %s\n", step, seconds(took))
			return
		}
		fmt.Fprintf(log, "  %s ...\n", step)
	}}
	if verbose {
		o.Log = log
	}
	ref, err := nodeimage.Build(ctx, o)
	if err != nil {
		return fmt.Errorf("build the node image: %w", err)
	}
	_, err = fmt.Fprintln(out, ref)
	return err
}
