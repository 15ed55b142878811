package kindtest

import (
	"errors"
	"fmt"
	"strings"

	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/kube"
	"helm.sh/helm/v3/pkg/release"
	"helm.sh/helm/v3/pkg/storage/driver"
	"k8s.io/apimachinery/pkg/api/meta"
)

// dropOrphans deletes what a failed or interrupted revision made that neither the
// deployed one nor the next one has: Helm compares these two and would forget
// it. last may be nil.
func (s *Space) dropOrphans(config *action.Configuration, last *release.Release, next string) error {
	if last == nil || last.Info.Status != release.StatusFailed {
		return nil
	}
	deployed, err := config.Releases.Deployed(last.Name)
	if errors.Is(err, driver.ErrNoDeployedReleases) {
		return nil // Helm compares with the failed one then
	}
	if err != nil {
		return s.lease.cluster.apiError(fmt.Sprintf("read the Helm release %s of namespace %s", last.Name, s.Namespace), err)
	}
	orphans, err := difference(config, last.Manifest, deployed.Manifest, next)
	if err != nil || len(orphans) == 0 {
		return err
	}
	if _, errs := config.KubeClient.Delete(orphans); len(errs) > 0 {
		return fmt.Errorf("delete what a failed upgrade of %s left: %w", last.Name, errors.Join(errs...))
	}
	return nil
}

// difference returns the objects of a manifest that none of the others has and
// that may be deleted.
func difference(config *action.Configuration, manifest string, others ...string) (kube.ResourceList, error) {
	list, err := config.KubeClient.Build(strings.NewReader(manifest), false)
	if err != nil {
		return nil, err
	}
	for _, other := range others {
		there, err := config.KubeClient.Build(strings.NewReader(other), false)
		if err != nil {
			return nil, err
		}
		list = list.Difference(there)
	}
	var out kube.ResourceList
	for _, r := range list {
		object, err := meta.Accessor(r.Object)
		if err != nil {
			return nil, err
		}
		if object.GetAnnotations()[kube.ResourcePolicyAnno] != kube.KeepPolicy {
			out = append(out, r)
		}
	}
	return out, nil
}
