package kindtest

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	autoscaling "k8s.io/api/autoscaling/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
)

// The kinds of ObjectDrift.
const (
	DriftDeleted  = "deleted"    // an object of the release is not there
	DriftScaled   = "scaled"     // other replicas
	DriftEdited   = "edited"     // a field that the chart sets has another value
	DriftAdded    = "added"      // a field that the chart does not set was set with kubectl
	DriftImage    = "image"      // a pod runs another image
	DriftNotReady = "not ready"  // a workload, and why
	DriftUnknown  = "unreadable" // an object that could not be compared, and why
)

// ObjectDrift is one thing in which the objects of a release are not as its
// manifest says.
type ObjectDrift struct {
	Kind   string
	Object string // "deployment/stock"
	Field  string // "spec.replicas"; empty when it is about the whole
	Want   string // compact JSON for fields; content of secrets is left out
	Have   string
}

// driftManager is the field manager of dry runs; it never owns anything.
const driftManager = "pipeline-drift"

// maxCompared is how many objects are compared at once.
const maxCompared = 8

// Drift compares the objects of releases with their manifests, by release. Each
// object is applied as a dry run, and what that would change is the drift: so
// defaults, other notations of one value, fields that the chart does not set and
// status never count, nor do replicas that an autoscaler sets. images are what
// the release's own containers have to run, by release; releases without one are
// not asked. Nothing is changed.
func (s *Space) Drift(ctx context.Context, releases []Release, images map[string]Loaded) (map[string][]ObjectDrift, error) {
	d := &driftSearch{space: s, same: make(map[string]bool)}
	if err := d.survey(ctx); err != nil {
		return nil, err
	}
	config, err := s.helm(ctx, ReadyOptions{})
	if err != nil {
		return nil, err
	}
	out := make(map[string][]ObjectDrift)
	for _, r := range releases {
		objects, err := buildObjects(config, r.Manifest)
		if err != nil {
			return nil, s.lease.installError(r.Name, err)
		}
		found, err := d.compareAll(ctx, r.Name, objects)
		if err != nil {
			return nil, err
		}
		if image, ok := images[r.Name]; ok {
			wrong, err := d.wrongImages(ctx, objects, image)
			if err != nil {
				return nil, err
			}
			found = append(found, wrong...)
		}
		if found = append(found, d.notReady(objects)...); len(found) > 0 {
			out[r.Name] = found
		}
	}
	return out, nil
}

type driftSearch struct {
	space    *Space
	snapshot *Snapshot
	scaled   map[string]bool // "deployment/stock": an autoscaler sets its replicas
	same     map[string]bool // what runs has found out
}

// survey looks at what pods there are and at who scales them.
func (d *driftSearch) survey(ctx context.Context) error {
	lease := d.space.lease
	watching, stop := context.WithCancel(ctx)
	m, err := lease.mirrorNamespace(watching)
	if err != nil {
		stop()
		return lease.cluster.apiError("list what is in namespace "+lease.Namespace, err)
	}
	d.snapshot = lease.snapshot(m, 1)
	stop()
	m.wait()
	list, err := lease.cluster.client.AutoscalingV2().HorizontalPodAutoscalers(lease.Namespace).List(ctx, metav1.ListOptions{})
	if ignoreForbidden(err) != nil {
		return lease.cluster.apiError("list the autoscalers of namespace "+lease.Namespace, err)
	}
	d.scaled = make(map[string]bool)
	if err == nil {
		for _, a := range list.Items {
			d.scaled[targetOf(a)] = true
		}
	}
	return nil
}

func targetOf(a autoscaling.HorizontalPodAutoscaler) string {
	return strings.ToLower(a.Spec.ScaleTargetRef.Kind) + "/" + a.Spec.ScaleTargetRef.Name
}

func (d *driftSearch) compareAll(ctx context.Context, release string, objects []*object) ([]ObjectDrift, error) {
	found := make([][]ObjectDrift, len(objects))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(maxCompared)
	for i, o := range objects {
		g.Go(func() error {
			var err error
			found[i], err = d.compare(ctx, release, o)
			return err
		})
	}
	err := g.Wait()
	return slices.Concat(found...), err
}

func (d *driftSearch) compare(ctx context.Context, release string, o *object) ([]ObjectDrift, error) {
	cluster := d.space.lease.cluster
	var api dynamic.ResourceInterface = cluster.dynamic.Resource(o.mapping.Resource)
	if o.namespace != "" {
		api = cluster.dynamic.Resource(o.mapping.Resource).Namespace(o.namespace)
	}
	live, err := api.Get(ctx, o.GetName(), metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err) && passing(o):
		return nil, nil
	case apierrors.IsNotFound(err):
		return []ObjectDrift{{Kind: DriftDeleted, Object: o.key(), Want: "there", Have: "not there"}}, nil
	case err != nil:
		return nil, cluster.apiError("look at "+o.key()+" of namespace "+d.space.Namespace, err)
	}
	wanted, err := dryRun(ctx, api, intended(o, release, d.space.Namespace), live)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case err != nil && (apierrors.IsForbidden(err) || environmental(err)):
		return nil, cluster.apiError("compare "+o.key()+" of namespace "+d.space.Namespace, err)
	case err != nil:
		return []ObjectDrift{{Kind: DriftUnknown, Object: o.key(), Have: err.Error()}}, nil
	}
	return d.differences(o, wanted, live), nil
}

// passing reports whether an object goes away by itself.
func passing(o *object) bool {
	_, found, _ := unstructured.NestedFieldNoCopy(o.Object, "spec", "ttlSecondsAfterFinished")
	return found && o.GetKind() == "Job"
}

// intended is the object as Helm makes it (helm.sh/helm/v3/pkg/action,
// validate.go): with the marks of its release.
func intended(o *object, release, namespace string) *unstructured.Unstructured {
	u := o.DeepCopy()
	dropNulls(u.Object)
	if o.GetKind() == "Secret" {
		encodeStrings(u.Object)
	}
	unstructured.RemoveNestedField(u.Object, "status")
	labels, annotations := u.GetLabels(), u.GetAnnotations()
	if labels == nil {
		labels = make(map[string]string)
	}
	if annotations == nil {
		annotations = make(map[string]string)
	}
	labels[ManagedLabel] = "Helm"
	annotations["meta.helm.sh/release-name"], annotations["meta.helm.sh/release-namespace"] = release, namespace
	u.SetLabels(labels)
	u.SetAnnotations(annotations)
	if o.namespace != "" {
		u.SetNamespace(o.namespace)
	}
	return u
}

// encodeStrings puts a Secret's stringData where the API server puts it: else its
// fields would seem to be nobody's.
func encodeStrings(secret map[string]any) {
	text, _ := secret["stringData"].(map[string]any)
	delete(secret, "stringData")
	for key, v := range text {
		if s, ok := v.(string); ok {
			_ = unstructured.SetNestedField(secret, base64.StdEncoding.EncodeToString([]byte(s)), "data", key) // data is a map
		}
	}
}

// dropNulls removes fields without a value: in a patch they would delete.
func dropNulls(v any) {
	switch v := v.(type) {
	case map[string]any:
		for key, inner := range v {
			if inner == nil {
				delete(v, key)
			} else {
				dropNulls(inner)
			}
		}
	case []any:
		for _, inner := range v {
			dropNulls(inner)
		}
	}
}

// dryRun returns what the object would be after it was applied. Server-side apply
// refuses what Helm lets pass, such as a variable that is set twice; such an
// object is laid over the live one here, and the server adds its defaults.
func dryRun(ctx context.Context, api dynamic.ResourceInterface, u, live *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	body, err := json.Marshal(u)
	if err != nil {
		return nil, err
	}
	force, dry := true, []string{metav1.DryRunAll}
	wanted, err := api.Patch(ctx, u.GetName(), types.ApplyPatchType, body, metav1.PatchOptions{FieldManager: driftManager, Force: &force, DryRun: dry})
	if !apierrors.IsInvalid(err) && !apierrors.IsBadRequest(err) && !apierrors.IsInternalError(err) {
		return wanted, err
	}
	laid := &unstructured.Unstructured{Object: overlay(live.DeepCopy().Object, u.Object).(map[string]any)}
	updated, again := api.Update(ctx, laid, metav1.UpdateOptions{FieldManager: driftManager, DryRun: dry})
	if apierrors.IsConflict(again) { // its status changed just now
		laid.SetResourceVersion("")
		updated, again = api.Update(ctx, laid, metav1.UpdateOptions{FieldManager: driftManager, DryRun: dry})
	}
	if again != nil {
		return nil, err
	}
	return updated, nil
}

func (d *driftSearch) differences(o *object, wanted, live *unstructured.Unstructured) []ObjectDrift {
	added := addedByHand(live, wanted)
	var out []ObjectDrift
	for _, f := range compareFields(comparable(wanted), comparable(live)) {
		drift := ObjectDrift{Kind: DriftEdited, Object: o.key(), Field: f.path, Want: f.want, Have: f.have}
		if f.path == "spec.replicas" {
			if d.scaled[o.key()] {
				continue
			}
			drift.Kind = DriftScaled
		}
		if o.GetKind() == "Secret" && strings.HasPrefix(f.path, "data") {
			drift.Want, drift.Have = "(hidden)", "(hidden, another one)"
		}
		out = append(out, drift)
	}
	for _, a := range added {
		out = append(out, ObjectDrift{Kind: DriftAdded, Object: o.key(), Field: a.path, Want: absent, Have: "set by " + a.manager})
	}
	return out
}

// comparable is an object without what the API server itself writes.
func comparable(u *unstructured.Unstructured) map[string]any {
	u = u.DeepCopy()
	delete(u.Object, "status")
	for _, field := range []string{"managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink"} {
		unstructured.RemoveNestedField(u.Object, "metadata", field)
	}
	return u.Object
}
