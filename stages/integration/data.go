package integration

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"gitlab.com/selfcontained/pipeline/kindtest"
	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/pipeline/proc"
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
	var open []*kindtest.Forward
	stop = func() {
		for _, f := range open {
			_ = f.Close()
		}
	}
	env = []string{
		"PIPELINE_NAMESPACE=" + d.lease.Namespace,
		"PIPELINE_KUBECONFIG=" + d.lease.Cluster().Kubeconfig,
		"PIPELINE_IMAGE=" + d.loaded.Ref,
		"PIPELINE_DATA=" + d.job.Scratch,
		"PIPELINE_TLS_CA=" + d.ca,
	}
	services, err := d.lease.Services(ctx)
	if err != nil {
		return nil, stop, err
	}
	for _, svc := range services {
		own := svc.Name == d.stage.o.Service.Name || len(services) == 1
		if len(svc.Ports) == 0 || svc.Ports[0].Protocol == "UDP" {
			continue
		}
		f, err := d.lease.Forward(ctx, svc.Name, strconv.Itoa(int(svc.Ports[0].Port)))
		if err != nil {
			stop()
			return nil, func() {}, err
		}
		open = append(open, f)
		env = append(env, "PIPELINE_ADDR_"+envName(svc.Name)+"="+f.Addr)
		if own {
			env = append(env, "PIPELINE_ADDR="+f.Addr)
		}
	}
	return env, stop, nil
}

// envName writes a service's name as part of an environment variable's.
func envName(service string) string {
	return strings.ToUpper(strings.NewReplacer("-", "_", ".", "_").Replace(service))
}
