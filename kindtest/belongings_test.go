package kindtest

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

// named returns the metadata of an object that a release has, or that belongs
// to another object; either may be empty.
func named(name, release, ownerKind, owner string) metav1.ObjectMeta {
	m := metav1.ObjectMeta{Name: name, Namespace: "n"}
	if release != "" {
		m.Annotations = map[string]string{releaseAnnotation: release}
	}
	if owner != "" {
		controller := true
		m.OwnerReferences = []metav1.OwnerReference{{Kind: ownerKind, Name: owner, Controller: &controller}}
	}
	return m
}

func TestBelongingsFollowTheOwners(t *testing.T) {
	t.Parallel()
	client := fake.NewClientset(
		&appsv1.Deployment{ObjectMeta: named("front", "web", "", "")},
		&appsv1.ReplicaSet{ObjectMeta: named("front-1", "", "Deployment", "front")},
		&corev1.Pod{ObjectMeta: named("front-1-a", "", "ReplicaSet", "front-1")},
		&batchv1.CronJob{ObjectMeta: named("tidy", "stock", "", "")},
		&batchv1.Job{ObjectMeta: named("tidy-1", "", "CronJob", "tidy")},
		&corev1.Pod{ObjectMeta: named("tidy-1-a", "", "Job", "tidy-1")},
		&corev1.Pod{ObjectMeta: named("bare", "cart", "", "")},
		&corev1.Pod{ObjectMeta: named("stray", "", "Database", "x")},
	)
	l := &Lease{Namespace: "n", cluster: &Cluster{Name: "c", client: client}}
	got, err := l.Belongings(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := Belongings{
		"deployment/front": "web", "replicaset/front-1": "web", "pod/front-1-a": "web",
		"cronjob/tidy": "stock", "job/tidy-1": "stock", "pod/tidy-1-a": "stock", "pod/bare": "cart",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got.Of("deployment/front 0/1 ready") != "web" || got.Of("pod/bare") != "cart" || got.Of("pod/stray") != "" {
		t.Errorf("workloads of a diagnosis are not found in %v", got)
	}
}

func TestBelongingsWithoutAllRights(t *testing.T) {
	t.Parallel()
	client := fake.NewClientset(&corev1.Pod{ObjectMeta: named("bare", "cart", "", "")})
	refusal := apierrors.NewForbidden(schema.GroupResource{Resource: "cronjobs"}, "", errors.New("no"))
	client.PrependReactor("list", "cronjobs", func(clienttesting.Action) (bool, runtime.Object, error) { return true, nil, refusal })
	l := &Lease{Namespace: "n", cluster: &Cluster{Name: "c", client: client}}
	if got, err := l.Belongings(t.Context()); err != nil || got.Of("pod/bare") != "cart" {
		t.Errorf("%v, %v", got, err)
	}
	client.PrependReactor("list", "jobs", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, apierrors.NewInternalError(errors.New("etcd is full"))
	})
	var environment *EnvironmentError
	if _, err := l.Belongings(t.Context()); !errors.As(err, &environment) {
		t.Errorf("a broken cluster: %v", err)
	}
}
