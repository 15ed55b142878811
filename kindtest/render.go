package kindtest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"helm.sh/helm/v3/pkg/action"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/resource"
)

// Rendered is what a chart comes to with its values; each list is sorted and
// has each name once. What is only in hooks is left out.
type Rendered struct {
	Images   []string // that pods run
	Secrets  []string // that pods cannot start without and that the chart does not make
	Services []string
}

// Render renders a chart for the space without changing anything. Errors are
// those of Install.
func (s *Space) Render(ctx context.Context, c Chart) (*Rendered, error) {
	ch, err := c.load()
	if err != nil {
		return nil, newChartError(c.name(nil), err)
	}
	config, err := s.helm(ctx, ReadyOptions{})
	if err != nil {
		return nil, err
	}
	manifest, err := s.lease.check(ctx, config, c, ch)
	if err != nil {
		return nil, err
	}
	objects, err := buildObjects(config, manifest)
	if err != nil {
		return nil, s.lease.installError(c.name(ch), err)
	}
	return rendered(objects)
}

// object is an object of a manifest, with how the API takes it.
type object struct {
	*unstructured.Unstructured
	mapping   *meta.RESTMapping
	namespace string // empty for what is in no namespace
}

// key is how people call an object: "deployment/stock".
func (o *object) key() string { return strings.ToLower(o.GetKind()) + "/" + o.GetName() }

func buildObjects(config *action.Configuration, manifest string) ([]*object, error) {
	list, err := config.KubeClient.Build(strings.NewReader(manifest), false)
	if err != nil {
		return nil, err
	}
	var out []*object
	err = list.Visit(func(info *resource.Info, err error) error {
		if err != nil {
			return err
		}
		u, ok := info.Object.(*unstructured.Unstructured)
		if !ok {
			return fmt.Errorf("%s %s is a %T", info.Mapping.GroupVersionKind.Kind, info.Name, info.Object)
		}
		o := &object{Unstructured: u, mapping: info.Mapping}
		if info.Mapping.Scope.Name() == meta.RESTScopeNameNamespace {
			o.namespace = info.Namespace
		}
		out = append(out, o)
		return nil
	})
	return out, err
}

func rendered(objects []*object) (*Rendered, error) {
	images, secrets, services := make(map[string]bool), make(map[string]bool), make(map[string]bool)
	for _, o := range objects {
		if o.GetKind() == "Service" {
			services[o.GetName()] = true
		}
		spec, err := o.podSpec()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", o.key(), err)
		}
		if spec == nil {
			continue
		}
		for _, c := range slices.Concat(spec.InitContainers, spec.Containers) {
			images[c.Image] = true
		}
		for _, name := range neededSecrets(spec) {
			secrets[name] = true
		}
	}
	for _, o := range objects {
		if o.GetKind() == "Secret" {
			delete(secrets, o.GetName())
		}
	}
	return &Rendered{slices.Sorted(maps.Keys(images)), slices.Sorted(maps.Keys(secrets)), slices.Sorted(maps.Keys(services))}, nil
}

// podSpec returns the specification of the pods that an object makes, nil for
// an object that makes none.
func (o *object) podSpec() (*corev1.PodSpec, error) {
	var path []string
	switch o.GetKind() {
	case "Pod":
		path = []string{"spec"}
	case "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job":
		path = []string{"spec", "template", "spec"}
	case "CronJob":
		path = []string{"spec", "jobTemplate", "spec", "template", "spec"}
	default:
		return nil, nil
	}
	fields, found, err := unstructured.NestedMap(o.Object, path...)
	if !found || err != nil {
		return nil, err
	}
	spec := &corev1.PodSpec{}
	return spec, runtime.DefaultUnstructuredConverter.FromUnstructured(fields, spec)
}

// neededSecrets lists the secrets without which a pod does not start. One to
// pull images with is not among them: an image may be public, or there already.
func neededSecrets(spec *corev1.PodSpec) []string {
	var names []string
	need := func(name string, optional *bool) {
		if name != "" && (optional == nil || !*optional) {
			names = append(names, name)
		}
	}
	for _, v := range spec.Volumes {
		if v.Secret != nil {
			need(v.Secret.SecretName, v.Secret.Optional)
		}
		if v.Projected == nil {
			continue
		}
		for _, p := range v.Projected.Sources {
			if p.Secret != nil {
				need(p.Secret.Name, p.Secret.Optional)
			}
		}
	}
	for _, c := range slices.Concat(spec.InitContainers, spec.Containers) {
		for _, e := range c.EnvFrom {
			if e.SecretRef != nil {
				need(e.SecretRef.Name, e.SecretRef.Optional)
			}
		}
		for _, e := range c.Env {
			if e.ValueFrom != nil && e.ValueFrom.SecretKeyRef != nil {
				need(e.ValueFrom.SecretKeyRef.Name, e.ValueFrom.SecretKeyRef.Optional)
			}
		}
	}
	return names
}
