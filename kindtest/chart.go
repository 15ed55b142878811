package kindtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
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
// hooks. A chart that cannot be loaded or rendered, that lacks values or has an
// object with a field that the cluster does not know is a *ChartError.
func (l *Lease) InstallChart(ctx context.Context, c Chart) error {
	p, err := l.PrepareChart(ctx, c)
	if err != nil {
		return err
	}
	return p.Install(ctx)
}

// PreparedChart is a chart that was found fit for the cluster.
type PreparedChart struct {
	lease  *Lease
	config *action.Configuration
	chart  *chart.Chart
	Chart
}

// PrepareChart does what of InstallChart creates nothing: it renders the chart
// and looks whether the cluster knows the kinds of its objects.
func (l *Lease) PrepareChart(ctx context.Context, c Chart) (*PreparedChart, error) {
	ch, err := c.load()
	if err != nil {
		return nil, newChartError(c.name(nil), err)
	}
	config := &action.Configuration{}
	if err := config.Init(helmGetter{lease: l, keeps: len(ch.CRDObjects()) == 0}, l.Namespace, "secret", func(string, ...any) {}); err != nil {
		return nil, fmt.Errorf("prepare helm: %w", err)
	}
	if _, err := l.check(ctx, config, c, ch); err != nil {
		return nil, err
	}
	return &PreparedChart{lease: l, config: config, chart: ch, Chart: c}, nil
}

// check renders a chart and looks whether the cluster knows the kinds of its
// objects.
func (l *Lease) check(ctx context.Context, config *action.Configuration, c Chart, ch *chart.Chart) (manifest string, err error) {
	// Helm creates a chart's CRDs before it renders the templates, so render
	// once without the cluster.
	if manifest, err = l.render(ctx, c, ch); err != nil {
		return "", newChartError(c.name(ch), err)
	}
	if len(ch.CRDObjects()) > 0 { // the cluster does not know all kinds yet
		return manifest, nil
	}
	if _, err := config.KubeClient.Build(strings.NewReader(manifest), false); err != nil {
		return "", l.installError(c.name(ch), fmt.Errorf("unable to build kubernetes objects from release manifest: %w", err))
	}
	return manifest, nil
}

// Install creates what the chart describes.
func (p *PreparedChart) Install(ctx context.Context) error {
	install := action.NewInstall(p.config)
	install.ReleaseName, install.Namespace, install.Timeout = p.Release, p.lease.Namespace, hookTimeout
	install.DisableOpenAPIValidation = true // the server does it, see strictFields
	if _, err := install.RunWithContext(ctx, p.chart, copyValues(p.Values)); err != nil {
		return p.lease.installError(p.name(p.chart), err)
	}
	return nil
}

// render asks for what Helm's "template" command does, for the version and the
// kinds of this cluster.
func (l *Lease) render(ctx context.Context, c Chart, ch *chart.Chart) (manifest string, err error) {
	kinds, err := action.GetVersionSet(l.cluster.discovery)
	if err != nil {
		return "", err
	}
	version, err := chartutil.ParseKubeVersion(l.cluster.Version)
	if err != nil {
		return "", err
	}
	dry := action.NewInstall(&action.Configuration{Log: func(string, ...any) {}})
	dry.ReleaseName, dry.Namespace = c.Release, l.Namespace
	dry.DryRun, dry.ClientOnly, dry.KubeVersion, dry.APIVersions = true, true, version, kinds
	release, err := dry.RunWithContext(ctx, ch, copyValues(c.Values))
	if err != nil {
		return "", err
	}
	return release.Manifest, nil
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
