package kindtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
)

// hookTimeout bounds each hook of a chart; it is Helm's own default.
const hookTimeout = 5 * time.Minute

// Chart is a Helm chart to install. Either Path or Archive is set.
type Chart struct {
	Release string         // name of the release
	Path    string         // folder or .tgz
	Archive []byte         // content of a .tgz
	Values  map[string]any // override the chart's own; not modified
}

// InstallChart renders the chart and creates what it describes in the lease. It
// does not wait for it to become ready (see WaitReady), except for the chart's
// hooks. A chart that cannot be loaded or rendered, or that lacks values, is a
// *ChartError, and then nothing was created.
func (l *Lease) InstallChart(ctx context.Context, c Chart) error {
	ch, err := c.load()
	if err != nil {
		return newChartError(c.name(nil), err)
	}
	config := &action.Configuration{}
	if err := config.Init(helmGetter{l}, l.Namespace, "secret", func(string, ...any) {}); err != nil {
		return fmt.Errorf("prepare helm: %w", err)
	}
	// Helm creates a chart's CRDs before it renders the templates, so render
	// once without the cluster.
	if err := l.render(ctx, c, ch); err != nil {
		return newChartError(c.name(ch), err)
	}
	install := action.NewInstall(config)
	install.ReleaseName, install.Namespace, install.Timeout = c.Release, l.Namespace, hookTimeout
	if _, err := install.RunWithContext(ctx, ch, copyValues(c.Values)); err != nil {
		return l.installError(c.name(ch), err)
	}
	return nil
}

// render asks for what Helm's "template" command does, for the version and the
// kinds of this cluster.
func (l *Lease) render(ctx context.Context, c Chart, ch *chart.Chart) error {
	kinds, err := action.GetVersionSet(l.cluster.discovery)
	if err != nil {
		return err
	}
	version, err := chartutil.ParseKubeVersion(l.cluster.Version)
	if err != nil {
		return err
	}
	dry := action.NewInstall(&action.Configuration{Log: func(string, ...any) {}})
	dry.ReleaseName, dry.Namespace = c.Release, l.Namespace
	dry.DryRun, dry.ClientOnly, dry.KubeVersion, dry.APIVersions = true, true, version, kinds
	_, err = dry.RunWithContext(ctx, ch, copyValues(c.Values))
	return err
}

func (c Chart) load() (*chart.Chart, error) {
	var ch *chart.Chart
	var err error
	switch {
	case c.Path != "" && c.Archive != nil:
		return nil, errors.New("both a path and an archive are given")
	case c.Path != "":
		ch, err = loader.Load(c.Path)
	default:
		ch, err = loader.LoadArchive(bytes.NewReader(c.Archive))
	}
	if err != nil {
		return nil, err
	}
	if err := ch.Validate(); err != nil {
		return nil, err
	}
	if err := action.CheckDependencies(ch, ch.Metadata.Dependencies); err != nil {
		return nil, fmt.Errorf("%w; run: helm dependency build", err)
	}
	return ch, nil
}

// name is how errors call the chart.
func (c Chart) name(ch *chart.Chart) string {
	switch {
	case c.Path != "":
		return c.Path
	case ch != nil && ch.Metadata != nil:
		return ch.Name()
	default:
		return c.Release
	}
}

// copyValues makes a deep copy: Helm writes into what it is given.
func copyValues(values map[string]any) map[string]any {
	out := make(map[string]any, len(values))
	for k, v := range values {
		if m, ok := v.(map[string]any); ok {
			v = copyValues(m)
		}
		out[k] = v
	}
	return out
}
