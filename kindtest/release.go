package kindtest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/kube"
	"helm.sh/helm/v3/pkg/release"
	"helm.sh/helm/v3/pkg/storage"
	"helm.sh/helm/v3/pkg/storage/driver"
)

// Labels that every revision of a release gets which is made here. Helm hands the
// labels of one revision on to the next: a revision whose number is not that in
// its label was made by somebody else, with a helm of his own.
const (
	revisionLabel = "pipeline.selfcontained/revision"
	inputsLabel   = "pipeline.selfcontained/inputs"
)

// maxHistory is how many revisions of a release are kept; it is the default of
// Helm's own program.
const maxHistory = 10

// Release is the last revision of a Helm release in a space, stored as Helm
// stores it: `helm list` and `helm history` show it.
type Release struct {
	Name     string
	Revision int
	// Status is Helm's: "deployed", "failed", "pending-install", ...
	Status      string
	Description string
	Updated     time.Time
	Chart       string // "stock-0.1.0"
	// Labels are those that were given to Install.
	Labels map[string]string
	// Inputs is a digest of chart and values, as Chart.Inputs returns it.
	Inputs   string
	Manifest string
	// Ours is false when somebody made the revision with a helm of his own.
	Ours bool
	// Deployed is the last revision that got ready; 0 when there is none.
	Deployed int
}

// Steady reports whether the release is ours and was ready when it was made.
func (r *Release) Steady() bool {
	return r.Ours && r.Status == string(release.StatusDeployed)
}

// Pending reports whether the release is being changed, or was when its changer
// died.
func (r *Release) Pending() bool { return release.Status(r.Status).IsPending() }

// Releases lists the releases of the space, of whomever, sorted by name.
func (s *Space) Releases(ctx context.Context) ([]Release, error) {
	config, err := s.helm(ctx, ReadyOptions{})
	if err != nil {
		return nil, err
	}
	all, err := config.Releases.ListReleases()
	if err != nil {
		return nil, s.lease.cluster.apiError("list the Helm releases of namespace "+s.Namespace, err)
	}
	slices.SortFunc(all, func(a, b *release.Release) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Version, b.Version))
	})
	var out []Release
	for i := 0; i < len(all); {
		end := i + 1
		for end < len(all) && all[end].Name == all[i].Name {
			end++
		}
		out = append(out, summary(all[i:end]))
		i = end
	}
	return out, nil
}

// Release returns one release, nil when there is none.
func (s *Space) Release(ctx context.Context, name string) (*Release, error) {
	config, err := s.helm(ctx, ReadyOptions{})
	if err != nil {
		return nil, err
	}
	history, err := s.history(config, name)
	if err != nil || len(history) == 0 {
		return nil, err
	}
	r := summary(history)
	return &r, nil
}

// history returns the revisions of a release, the last one at the end.
func (s *Space) history(config *action.Configuration, name string) ([]*release.Release, error) {
	list, err := config.Releases.History(name)
	if errors.Is(err, driver.ErrReleaseNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, s.lease.cluster.apiError(fmt.Sprintf("read the Helm release %s of namespace %s", name, s.Namespace), err)
	}
	slices.SortFunc(list, func(a, b *release.Release) int { return cmp.Compare(a.Version, b.Version) })
	return list, nil
}

// summary describes the revisions of one release, of which there is at least one.
func summary(history []*release.Release) Release {
	last := history[len(history)-1]
	r := Release{
		Name: last.Name, Revision: last.Version, Status: string(last.Info.Status), Description: last.Info.Description,
		Updated: last.Info.LastDeployed.Time.UTC(), Labels: last.Labels, Inputs: last.Labels[inputsLabel], Manifest: last.Manifest, Ours: ours(last),
	}
	if last.Chart != nil && last.Chart.Metadata != nil {
		r.Chart = last.Chart.Metadata.Name + "-" + last.Chart.Metadata.Version
	}
	for _, h := range history {
		if h.Info.Status == release.StatusDeployed {
			r.Deployed = h.Version
		}
	}
	return r
}

func ours(r *release.Release) bool { return r.Labels[revisionLabel] == strconv.Itoa(r.Version) }

// helm is Helm's access to the space: with our readiness in the place of its
// polling, and with our mark on each revision.
func (s *Space) helm(ctx context.Context, ready ReadyOptions) (*action.Configuration, error) {
	config := &action.Configuration{}
	if err := config.Init(helmGetter{lease: s.lease}, s.Namespace, "secret", func(string, ...any) {}); err != nil {
		return nil, fmt.Errorf("prepare helm: %w", err)
	}
	client, ok := config.KubeClient.(*kube.Client)
	if !ok {
		return nil, fmt.Errorf("prepare helm: its client is a %T", config.KubeClient)
	}
	config.KubeClient = &readyClient{Client: client, ctx: ctx, lease: s.lease, ready: ready}
	config.Releases = storage.Init(markedStore{config.Releases.Driver})
	config.Releases.MaxHistory = maxHistory
	return config, nil
}

// markedStore is Helm's storage, with our mark on each revision that is made.
type markedStore struct{ driver.Driver }

func (m markedStore) Create(key string, r *release.Release) error {
	r.Labels = markRevision(r.Labels, r.Version)
	return m.Driver.Create(key, r)
}

func markRevision(labels map[string]string, revision int) map[string]string {
	out := map[string]string{revisionLabel: strconv.Itoa(revision)}
	for k, v := range labels {
		if k != revisionLabel {
			out[k] = v
		}
	}
	return out
}

// WaitReleases waits until the workloads of releases are ready, as Install does of
// its own.
func (s *Space) WaitReleases(ctx context.Context, releases []Release, o ReadyOptions) error {
	config, err := s.helm(ctx, o)
	if err != nil {
		return err
	}
	only := &expected{}
	for _, r := range releases {
		objects, err := buildObjects(config, r.Manifest)
		if err != nil {
			return s.lease.installError(r.Name, err)
		}
		for _, o := range objects {
			only.expect(o.GetKind(), o)
		}
	}
	return s.lease.waitReady(ctx, o, only)
}
