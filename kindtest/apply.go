package kindtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// errClusterScoped is the refusal of what a lease could not take back.
var errClusterScoped = errors.New("it is not namespaced, so it would outlive the lease and be shared with other runs: install it beside the tests")

// Apply applies the objects in manifests to the lease by server-side apply, in
// the order of the file. Fields that the cluster does not know are an error.
// source names the manifests in errors, which are of type *ManifestError, or
// *PermissionError where the user lacks a right. All documents are read and
// checked before the first is applied.
func (l *Lease) Apply(ctx context.Context, source string, manifests []byte) error {
	documents, err := splitManifests(source, manifests)
	if err != nil {
		return err
	}
	mappings := make([]*meta.RESTMapping, len(documents))
	for i := range documents {
		d := &documents[i]
		if mappings[i], err = l.place(d); err != nil {
			return d.fail(source, err)
		}
	}
	for i := range documents {
		switch err := l.apply(ctx, &documents[i], mappings[i]); {
		case err != nil && missingRight(err) != "":
			return l.cluster.apiError("apply "+documents[i].name()+" of "+source, err)
		case err != nil:
			return documents[i].fail(source, err)
		}
	}
	return nil
}

// place puts the object into the lease's namespace and finds where the API
// takes it.
func (l *Lease) place(d *document) (*meta.RESTMapping, error) {
	kind := d.object.GroupVersionKind()
	mapping, err := l.cluster.mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if meta.IsNoMatchError(err) {
		// A definition applied a moment ago may not be in the cache.
		l.cluster.mapper.Reset()
		mapping, err = l.cluster.mapper.RESTMapping(kind.GroupKind(), kind.Version)
	}
	if err != nil {
		return nil, err
	}
	if mapping.Scope.Name() != meta.RESTScopeNameNamespace {
		return nil, errClusterScoped
	}
	if ns := d.object.GetNamespace(); ns != "" && ns != l.Namespace {
		return nil, fmt.Errorf("it names the namespace %q: leave the namespace out, every run has its own", ns)
	}
	d.object.SetNamespace(l.Namespace)
	return mapping, nil
}

func (l *Lease) apply(ctx context.Context, d *document, mapping *meta.RESTMapping) error {
	body, err := json.Marshal(d.object)
	if err != nil {
		return err
	}
	force := true
	_, err = l.cluster.dynamic.Resource(mapping.Resource).Namespace(l.Namespace).Patch(ctx, d.object.GetName(), types.ApplyPatchType, body,
		metav1.PatchOptions{FieldManager: Manager, Force: &force, FieldValidation: metav1.FieldValidationStrict})
	return err
}
