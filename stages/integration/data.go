package integration

import (
	"context"
	"fmt"
	"path/filepath"

	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/pipeline/proc"
	"gitlab.com/selfcontained/pipeline/stages/internal/installation"
)

// data applies what integration.data names: manifests, and commands that get
// the endpoints in their environment.
func (d *deployment) data(ctx context.Context) error {
	for _, item := range d.stage.o.Service.Integration.Data {
		switch filepath.Ext(item) {
		case ".yaml", ".yml":
			if err := d.applyPath(ctx, filepath.Join(d.stage.o.Service.Dir, item), nil); err != nil {
				return err
			}
		default:
			if err := d.dataCommand(ctx, item); err != nil {
				return err
			}
		}
	}
	if len(d.stage.o.Service.Integration.Data) == 0 {
		return nil
	}
	return d.ready(ctx, "data ready") // jobs that load data have to complete
}

func (d *deployment) dataCommand(ctx context.Context, command string) error {
	env, stop, err := d.endpoints(ctx)
	if err != nil {
		return err
	}
	defer stop()
	cmd := d.job.Command("sh", "-c", command)
	cmd.Env = append(cmd.Env, env...)
	if err := cmd.Run(ctx); err != nil {
		if ctx.Err() != nil || proc.NotFound(err) {
			return err
		}
		return &pipeline.Failure{Summary: fmt.Sprintf("integration.data: %v", err)}
	}
	return nil
}

// endpoints opens a local port for each service and returns the environment
// that names them. stop closes the ports.
func (d *deployment) endpoints(ctx context.Context) (env []string, stop func(), err error) {
	forwards, err := d.lease.ForwardAll(ctx)
	if err != nil {
		return nil, nil, err
	}
	env = []string{
		"PIPELINE_NAMESPACE=" + d.lease.Namespace,
		"PIPELINE_KUBECONFIG=" + d.lease.Cluster().Kubeconfig,
		"PIPELINE_IMAGE=" + d.loaded.Ref,
		"PIPELINE_DATA=" + d.job.Scratch,
		"PIPELINE_TLS_CA=" + d.ca,
	}
	for _, name := range forwards.Services() {
		env = append(env, "PIPELINE_ADDR_"+installation.EnvName(name)+"="+forwards.Addrs[name])
		if name == d.stage.o.Service.Name || len(forwards.Addrs) == 1 {
			env = append(env, "PIPELINE_ADDR="+forwards.Addrs[name])
		}
	}
	for _, without := range forwards.Without {
		fmt.Fprintf(d.job.Log, "no address: %s\n", without)
	}
	return env, func() { _ = forwards.Close() }, nil
}
