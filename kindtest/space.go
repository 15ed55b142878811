package kindtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Marks on the namespace of an environment and on what is made in it. The label
// ManagedLabel has another value than in leases, so that nothing here is ever
// taken for one and swept.
const (
	SpaceManager     = "pipeline-scs"
	SystemLabel      = "pipeline.selfcontained/system"
	EnvironmentLabel = "pipeline.selfcontained/environment"
)

// Space is a namespace that an environment of a system lives in. Unlike a lease
// it stays: nothing deletes it. Its methods may be used concurrently.
type Space struct {
	Namespace   string
	System      string
	Environment string

	lease *Lease // the namespace as the methods of a lease see it; never released
}

// Space names a namespace; nothing is asked of the cluster.
func (c *Cluster) Space(namespace, system, environment string) *Space {
	return &Space{
		Namespace: namespace, System: system, Environment: environment,
		lease: &Lease{Namespace: namespace, cluster: c},
	}
}

// Cluster returns the cluster that the space is on.
func (s *Space) Cluster() *Cluster { return s.lease.cluster }

// ForeignError tells that something in a cluster belongs to somebody else.
type ForeignError struct {
	Object string // "namespace shop-staging"
	Owner  string // who has it, in words
	Remedy string
}

func (e *ForeignError) Error() string {
	return fmt.Sprintf("%s belongs to %s; %s", e.Object, e.Owner, e.Remedy)
}

func (s *Space) labels() map[string]string {
	return map[string]string{ManagedLabel: SpaceManager, SystemLabel: s.System, EnvironmentLabel: s.Environment}
}

// Labelled reports whether the namespace is there and says whose it is. A
// *ForeignError tells that it belongs to somebody else; who may not look at
// namespaces is told that all is well.
func (s *Space) Labelled(ctx context.Context) (bool, error) {
	ns, err := s.look(ctx)
	if ns == nil || err != nil {
		return apierrors.IsForbidden(err), ignoreForbidden(err)
	}
	return s.isLabelled(ns), nil
}

func (s *Space) isLabelled(ns *corev1.Namespace) bool {
	for k, v := range s.labels() {
		if ns.Labels[k] != v {
			return false
		}
	}
	return true
}

// look returns the namespace, nil when there is none.
func (s *Space) look(ctx context.Context) (*corev1.Namespace, error) {
	ns, err := s.lease.cluster.client.CoreV1().Namespaces().Get(ctx, s.Namespace, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case apierrors.IsForbidden(err):
		return nil, err
	case err != nil:
		return nil, s.lease.cluster.apiError("look at namespace "+s.Namespace, err)
	}
	return ns, s.refuseForeign(ns)
}

func (s *Space) refuseForeign(ns *corev1.Namespace) error {
	e := &ForeignError{Object: "namespace " + ns.Name, Remedy: "choose another one with the setting namespace of the environment"}
	switch system, environment := ns.Labels[SystemLabel], ns.Labels[EnvironmentLabel]; {
	case ns.Labels[ManagedLabel] == Manager:
		e.Owner = "a test run and will be deleted"
	case slices.Contains([]string{"default", "kube-system", "kube-public", "kube-node-lease"}, ns.Name):
		e.Owner = "Kubernetes"
	case system != "" && (system != s.System || environment != s.Environment):
		e.Owner = fmt.Sprintf("environment %s of system %s", environment, system)
	case ns.DeletionTimestamp != nil:
		return &EnvironmentError{What: "namespace " + ns.Name + " is being deleted", Remedy: "wait until it is gone, then run again"}
	default:
		return nil
	}
	return e
}

// Ensure creates the namespace, or labels one that is nobody's, and returns when
// pods can be created in it. Whoever may not label it can use it all the same.
func (s *Space) Ensure(ctx context.Context) error {
	api := s.lease.cluster.client.CoreV1().Namespaces()
	ns, err := s.look(ctx)
	if err != nil {
		return ignoreForbidden(err)
	}
	if ns == nil {
		made := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.Namespace, Labels: s.labels()}}
		_, err = api.Create(ctx, made, metav1.CreateOptions{FieldManager: Manager})
		if err == nil {
			return s.lease.awaitUsable(ctx)
		}
		if !apierrors.IsAlreadyExists(err) {
			return s.lease.cluster.apiError("create namespace "+s.Namespace, err)
		}
		if ns, err = s.look(ctx); ns == nil || err != nil {
			return err
		}
	}
	if s.isLabelled(ns) {
		return nil
	}
	patch, _ := json.Marshal(map[string]any{"metadata": map[string]any{"resourceVersion": ns.ResourceVersion, "labels": s.labels()}}) // cannot fail
	_, err = api.Patch(ctx, s.Namespace, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: Manager})
	if err != nil && !apierrors.IsForbidden(err) {
		return s.lease.cluster.apiError("label namespace "+s.Namespace, err)
	}
	return nil
}

func ignoreForbidden(err error) error {
	if apierrors.IsForbidden(err) {
		return nil
	}
	return err
}

// Note is a ConfigMap that tells about the space.
type Note struct {
	Labels map[string]string
	Data   map[string]string
	// version is that of the ConfigMap as it was read; empty for a new one.
	version string
}

// ErrNoteChanged tells that somebody else wrote a note since it was read.
var ErrNoteChanged = errors.New("it was changed by somebody else in the meantime")

// Note reads a note; there is an empty one when there is none.
func (s *Space) Note(ctx context.Context, name string) (*Note, error) {
	m, err := s.lease.cluster.client.CoreV1().ConfigMaps(s.Namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return &Note{}, nil
	}
	if err != nil {
		return nil, s.lease.cluster.apiError("read config map "+s.Namespace+"/"+name, err)
	}
	return &Note{Labels: m.Labels, Data: m.Data, version: m.ResourceVersion}, nil
}

// PutNote writes a note. It fails with ErrNoteChanged when somebody else wrote it
// since n was read. Afterwards n can be changed and put again.
func (s *Space) PutNote(ctx context.Context, name string, n *Note) error {
	api := s.lease.cluster.client.CoreV1().ConfigMaps(s.Namespace)
	labels := s.labels()
	maps.Copy(labels, n.Labels)
	m := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels, ResourceVersion: n.version}, Data: n.Data}
	var err error
	if n.version == "" {
		m, err = api.Create(ctx, m, metav1.CreateOptions{FieldManager: Manager})
	} else {
		m, err = api.Update(ctx, m, metav1.UpdateOptions{FieldManager: Manager})
	}
	switch {
	case apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) || n.version != "" && apierrors.IsNotFound(err):
		return fmt.Errorf("write config map %s/%s: %w", s.Namespace, name, ErrNoteChanged)
	case err != nil:
		return s.lease.cluster.apiError("write config map "+s.Namespace+"/"+name, err)
	}
	n.version = m.ResourceVersion
	return nil
}
