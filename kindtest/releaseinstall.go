package kindtest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/release"
)

// ReleaseOptions tell how a release is made.
type ReleaseOptions struct {
	// Labels are stored with the release; `helm list --selector` knows them.
	Labels map[string]string
	// Ready bounds the wait for the release's own workloads.
	Ready ReadyOptions
	// Again makes a new revision although chart and values are the same: it brings
	// objects back that were edited or deleted by hand.
	Again bool
	// Locked says that whoever made a pending revision of ours is certainly gone,
	// because the caller holds the lock of the space.
	Locked bool
}

// BusyError tells that somebody else's helm is at work on a release, or died there.
type BusyError struct {
	Namespace, Release string
	Status             string
	Since              time.Time
}

func (e *BusyError) Error() string {
	return fmt.Sprintf("release %s in namespace %s is %s since %s, by somebody's helm: wait until it has ended; if it has died, run: helm rollback %[2]s --namespace %[1]s",
		e.Release, e.Namespace, e.Status, e.Since.UTC().Format(time.RFC3339))
}

// Inputs is the digest of chart and values: 40 hex digits, fit for a label.
// Archives with the same files have the same one, whatever the times in them.
func (c Chart) Inputs() (string, error) {
	ch, err := c.load()
	if err != nil {
		return "", newChartError(c.name(nil), err)
	}
	return inputs(ch, c.Values)
}

func inputs(ch *chart.Chart, values map[string]any) (string, error) {
	h := sha256.New()
	files := slices.Clone(ch.Raw)
	slices.SortFunc(files, func(a, b *chart.File) int { return strings.Compare(a.Name, b.Name) })
	for _, f := range files {
		fmt.Fprintf(h, "%d %s %d\n", len(f.Name), f.Name, len(f.Data))
		h.Write(f.Data)
	}
	text, err := json.Marshal(values) // with sorted keys
	if err != nil {
		return "", fmt.Errorf("values of chart %s: %w", ch.Name(), err)
	}
	h.Write(text)
	return hex.EncodeToString(h.Sum(nil))[:40], nil
}

// Install makes the release be there with this chart and these values, installing
// or upgrading it, and waits until its workloads are ready: *NotReadyError says
// why they are not. A release that is there like that already is left alone.
// changed reports whether there is a new revision, in the case of an error too;
// a revision that did not get ready stays as a failed one until Rollback or
// Uninstall. A revision that a dead run of ours left pending is taken over, one
// of another helm is a *BusyError. A wrong chart is a *ChartError.
//
// A context that ends ends the wait, not a write in the middle.
func (s *Space) Install(ctx context.Context, c Chart, o ReleaseOptions) (changed bool, err error) {
	ch, err := c.load()
	if err != nil {
		return false, newChartError(c.name(nil), err)
	}
	in, err := inputs(ch, c.Values)
	if err != nil {
		return false, err
	}
	config, err := s.helm(ctx, o.Ready)
	if err != nil {
		return false, err
	}
	last, err := s.recover(config, c.Release, o.Locked)
	if err != nil {
		return false, err
	}
	if last != nil && last.Info.Status == release.StatusDeployed && ours(last) && last.Labels[inputsLabel] == in && !o.Again {
		return false, nil
	}
	manifest, err := s.lease.check(ctx, config, c, ch)
	if err != nil {
		return false, err
	}
	if err := ctx.Err(); err != nil {
		return false, context.Cause(ctx)
	}
	labels := maps.Clone(o.Labels)
	if labels == nil {
		labels = make(map[string]string)
	}
	labels[inputsLabel] = in
	if err := s.dropOrphans(config, last, manifest); err != nil {
		return true, err
	}
	if err := s.change(config, ch, c, last, labels); err != nil {
		return true, s.installError(c.name(ch), err)
	}
	return true, nil
}

// change makes the revision. Helm gets a context that does not end: when one
// does, it records a failure and goes on writing in the background. What takes
// long, readiness and hooks, ends with the context of readyClient.
func (s *Space) change(config *action.Configuration, ch *chart.Chart, c Chart, last *release.Release, labels map[string]string) error {
	ctx := context.Background()
	if last == nil {
		install := action.NewInstall(config)
		install.ReleaseName, install.Namespace, install.Timeout = c.Release, s.Namespace, hookTimeout
		install.DisableOpenAPIValidation = true // the server does it, see strictFields
		install.Wait, install.WaitForJobs, install.Labels = true, true, labels
		_, err := install.RunWithContext(ctx, ch, copyValues(c.Values))
		return err
	}
	upgrade := action.NewUpgrade(config)
	upgrade.Namespace, upgrade.Timeout, upgrade.MaxHistory = s.Namespace, hookTimeout, maxHistory
	upgrade.DisableOpenAPIValidation = true
	upgrade.Wait, upgrade.WaitForJobs, upgrade.Labels = true, true, labels
	upgrade.ResetValues = true // the values are all there is, nothing of before
	_, err := upgrade.RunWithContext(ctx, c.Release, ch, copyValues(c.Values))
	return err
}

func (s *Space) installError(chart string, err error) error {
	var notReady *NotReadyError
	if errors.As(err, &notReady) {
		return notReady
	}
	return s.lease.installError(chart, err)
}

// recover returns the last revision as Helm can go on from it; nil when there is
// none. Helm refuses to touch a pending release, for it knows no owner of one.
func (s *Space) recover(config *action.Configuration, name string, locked bool) (*release.Release, error) {
	history, err := s.history(config, name)
	if err != nil || len(history) == 0 {
		return nil, err
	}
	last := history[len(history)-1]
	switch status := last.Info.Status; {
	case status == release.StatusUninstalling || status == release.StatusUninstalled:
		return nil, s.uninstall(config, name)
	case !status.IsPending():
		return last, nil
	case !ours(last) || !locked:
		return nil, &BusyError{Namespace: s.Namespace, Release: name, Status: string(status), Since: last.Info.LastDeployed.Time}
	}
	last.SetStatus(release.StatusFailed, "interrupted while "+string(last.Info.Status))
	if err := config.Releases.Update(last); err != nil {
		return nil, s.lease.cluster.apiError(fmt.Sprintf("take over the release %s of namespace %s", name, s.Namespace), err)
	}
	return last, nil
}

// Rollback brings a release back to an earlier revision, as a new one, and waits
// until it is ready. One that is on that revision is left alone.
func (s *Space) Rollback(ctx context.Context, name string, revision int, o ReleaseOptions) error {
	config, err := s.helm(ctx, o.Ready)
	if err != nil {
		return err
	}
	last, err := s.recover(config, name, o.Locked)
	if err != nil {
		return err
	}
	if last != nil && last.Version == revision && last.Info.Status == release.StatusDeployed {
		return nil
	}
	rollback := action.NewRollback(config)
	rollback.Version, rollback.Timeout, rollback.MaxHistory = revision, hookTimeout, maxHistory
	rollback.Wait, rollback.WaitForJobs = true, true
	if err := rollback.Run(name); err != nil {
		return s.installError(name, fmt.Errorf("roll back to revision %d: %w", revision, err))
	}
	return nil
}

// Uninstall deletes a release with its objects and its history. One that is not
// there is no error.
func (s *Space) Uninstall(ctx context.Context, name string) error {
	config, err := s.helm(ctx, ReadyOptions{})
	if err != nil {
		return err
	}
	return s.uninstall(config, name)
}

func (s *Space) uninstall(config *action.Configuration, name string) error {
	history, err := s.history(config, name)
	if err != nil || len(history) == 0 {
		return err
	}
	u := action.NewUninstall(config)
	u.Timeout = hookTimeout
	if _, err := u.Run(name); err != nil {
		return s.installError(name, fmt.Errorf("uninstall it: %w", err))
	}
	return nil
}
