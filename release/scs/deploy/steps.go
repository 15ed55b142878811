package deploy

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"gitlab.com/selfcontained/pipeline/kindtest"
	"gitlab.com/selfcontained/pipeline/release"
)

// maxAtOnce is how many services of a wave are changed at once.
const maxAtOnce = 8

// MissingSecretsError names the secrets that charts need and nobody has made.
type MissingSecretsError struct {
	Namespace string
	Secrets   []string
	DevTLS    bool // DevTLS would make what is missing
}

func (e *MissingSecretsError) Error() string {
	text := fmt.Sprintf("namespace %s has no secret %s, which the charts need: create it there", e.Namespace, strings.Join(e.Secrets, ", "))
	if e.DevTLS {
		text += ", or make one for development with --self-signed"
	}
	return text
}

// preflight renders the charts that are to be changed and looks for the secrets. A
// certificate is made for the services of all charts.
func (r *run) preflight(ctx context.Context) error {
	hosts, secrets := make(map[string]bool), make(map[string]bool)
	for _, c := range r.planned.Changes {
		m := r.deployment.member(c.Service)
		if m == nil || c.Action == Keep && !r.options.DevTLS {
			continue
		}
		rendered, err := r.space.Render(ctx, r.charts[c.Service])
		if err != nil {
			return fmt.Errorf("service %s %s: %w", m.Service, m.Version, err)
		}
		if !slices.ContainsFunc(rendered.Images, func(image string) bool { return kindtest.SameImage(image, m.Image.Ref) }) {
			return fmt.Errorf("service %s %s: its chart does not run its image: no container has %s, they have %s; let the chart use image.repository with image.tag or image.digest",
				m.Service, m.Version, m.Image.Ref, strings.Join(rendered.Images, ", "))
		}
		for _, s := range rendered.Secrets {
			secrets[s] = true
		}
		for _, s := range rendered.Services {
			hosts[s] = true
		}
	}
	r.hosts = slices.Sorted(maps.Keys(hosts))
	r.secrets = nil
	for _, name := range slices.Sorted(maps.Keys(secrets)) {
		there, err := r.space.HasSecret(ctx, name)
		if err != nil {
			return err
		}
		if !there {
			r.secrets = append(r.secrets, name)
		}
	}
	return r.missingSecrets()
}

// missingSecrets is an error unless the secret that DevTLS makes is all that is
// missing.
func (r *run) missingSecrets() error {
	missing := r.secrets
	if r.options.DevTLS {
		missing = slices.DeleteFunc(slices.Clone(missing), func(s string) bool { return s == TLSSecret })
	}
	if len(missing) == 0 {
		return nil
	}
	return &MissingSecretsError{Namespace: r.space.Namespace, Secrets: missing, DevTLS: slices.Equal(missing, []string{TLSSecret})}
}

func (r *run) namespace() release.Step {
	return release.Step{
		Name: "namespace", What: fmt.Sprintf("make namespace %s in cluster %s", r.space.Namespace, r.space.Cluster().Name),
		Look: r.space.Labelled, Do: r.space.Ensure,
	}
}

// changes are the steps after which a failure brings everything back.
func (r *run) changes() []release.Step {
	var steps []release.Step
	if slices.Contains(r.secrets, TLSSecret) {
		steps = append(steps, r.secret())
	}
	for _, wave := range r.deployment.waves() {
		var changed []*Member
		for _, m := range wave {
			if c := r.planned.change(m.Service); c != nil && c.Action != Keep {
				changed = append(changed, m)
			}
		}
		if len(changed) > 0 {
			steps = append(steps, r.wave(changed))
		}
	}
	if s := r.settle(); s != nil {
		steps = append(steps, *s)
	}
	return steps
}

// ends are the steps with which a deployment is completed. A failure in one of
// them leaves the new combination running; running again does the rest.
func (r *run) ends() []release.Step {
	var steps []release.Step
	for _, c := range r.planned.Changes {
		if c.Action == Remove {
			steps = append(steps, r.remove(c))
		}
	}
	return append(steps, r.recordStep())
}

func (r *run) secret() release.Step {
	return release.Step{
		Name: "secret", What: "make the self-signed certificate " + TLSSecret,
		Look: func(ctx context.Context) (bool, error) { return r.space.HasSecret(ctx, TLSSecret) },
		Do:   func(ctx context.Context) error { return r.space.TLS(ctx, TLSSecret, r.hosts) },
	}
}

// wave installs and upgrades members at the same time and waits until they are
// ready. The first failure ends it.
func (r *run) wave(members []*Member) release.Step {
	var what []string
	for _, m := range members {
		what = append(what, r.planned.change(m.Service).String())
	}
	return release.Step{
		Name: "services", What: strings.Join(what, ", "),
		Look: func(ctx context.Context) (bool, error) { return false, nil }, // it was looked under the lock
		Do: func(ctx context.Context) error {
			g, ctx := errgroup.WithContext(ctx)
			g.SetLimit(maxAtOnce)
			for _, m := range members {
				g.Go(func() error { return r.install(ctx, m) })
			}
			return g.Wait()
		},
	}
}

func (r *run) install(ctx context.Context, m *Member) error {
	_, err := r.space.Install(ctx, r.charts[m.Service], kindtest.ReleaseOptions{
		Labels: r.deployment.labels(m), Ready: r.ready(m.Service), Locked: true,
		Again: r.planned.change(m.Service).Action == Repair,
	})
	if err != nil {
		return fmt.Errorf("service %s %s: %w", m.Service, m.Version, err)
	}
	return nil
}

// settle waits for services that are kept and were not ready; nil when all were.
func (r *run) settle() *release.Step {
	var releases []kindtest.Release
	var names []string
	for _, c := range r.planned.Changes {
		if c.Unready {
			releases = append(releases, *r.state.release(c.Service))
			names = append(names, c.Service)
		}
	}
	if len(releases) == 0 {
		return nil
	}
	return &release.Step{
		Name: "ready", What: "wait until " + strings.Join(names, ", ") + " is ready",
		Look: func(context.Context) (bool, error) { return false, nil },
		Do: func(ctx context.Context) error {
			return r.space.WaitReleases(ctx, releases, r.ready(strings.Join(names, ", ")))
		},
	}
}

func (r *run) remove(c Change) release.Step {
	return release.Step{
		Name: "remove", What: c.String(),
		Look: func(ctx context.Context) (bool, error) {
			there, err := r.space.Release(ctx, c.Service)
			return there == nil, err
		},
		Do: func(ctx context.Context) error { return r.space.Uninstall(ctx, c.Service) },
	}
}

func (r *run) recordStep() release.Step {
	return release.Step{
		Name: "record", What: fmt.Sprintf("write down that namespace %s has %s %s", r.space.Namespace, r.deployment.System, r.deployment.Version),
		Look: func(context.Context) (bool, error) { return false, nil }, // Deploying is there
		Do: func(ctx context.Context) error {
			d := r.deployment
			installed := &Installed{Version: d.Version, ID: d.ID, Sequence: d.Sequence, By: r.options.By, At: now()}
			for _, m := range d.Members {
				installed.Members = append(installed.Members, Placed{m.Service, m.Version, m.Bundle, m.Image.Ref, m.Image.Config})
			}
			r.store.record = Record{System: d.System, Environment: d.Environment, Installed: installed}
			return r.store.write(ctx)
		},
	}
}
