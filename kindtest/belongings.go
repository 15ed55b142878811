package kindtest

import (
	"context"
	"strings"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// releaseAnnotation is what Helm writes on every object that a release has:
// helm.sh/helm/v3/pkg/action/validate.go.
const releaseAnnotation = "meta.helm.sh/release-name"

// Belongings tells which Helm release a workload or a pod belongs to: by kind
// and name, "deployment/web" or "pod/web-6d5f-x2x", the name of the release.
// What was made without Helm, or by an operator, is not in it.
type Belongings map[string]string

// Of returns the release of a workload as a Diagnosis calls it: "deployment/web
// 0/1 ready". It is empty when there is none.
func (b Belongings) Of(workload string) string {
	name, _, _ := strings.Cut(workload, " ")
	return b[name]
}

// Belongings looks up what belongs to which release. Kinds that the user may not
// list are left out.
func (l *Lease) Belongings(ctx context.Context) (Belongings, error) {
	owners, err := l.listOwners(ctx)
	if err != nil {
		return nil, err
	}
	b := Belongings{}
	for name := range owners {
		// A pod belongs to a ReplicaSet, and that to a Deployment.
		for at, depth := name, 0; at != "" && depth < 5; at, depth = owners[at].owner, depth+1 {
			if release := owners[at].release; release != "" {
				b[name] = release
				break
			}
		}
	}
	return b, nil
}

// owned is what the metadata of an object say about whose it is.
type owned struct{ release, owner string }

// listOwners reads the metadata of all objects that have to do with pods.
func (l *Lease) listOwners(ctx context.Context) (map[string]owned, error) {
	apps, batch, core := l.cluster.client.AppsV1(), l.cluster.client.BatchV1(), l.cluster.client.CoreV1()
	o := metav1.ListOptions{}
	list := owners{all: map[string]owned{}}
	list.add("deployment", func() (runtime.Object, error) { return apps.Deployments(l.Namespace).List(ctx, o) })
	list.add("replicaset", func() (runtime.Object, error) { return apps.ReplicaSets(l.Namespace).List(ctx, o) })
	list.add("statefulset", func() (runtime.Object, error) { return apps.StatefulSets(l.Namespace).List(ctx, o) })
	list.add("daemonset", func() (runtime.Object, error) { return apps.DaemonSets(l.Namespace).List(ctx, o) })
	list.add("cronjob", func() (runtime.Object, error) { return batch.CronJobs(l.Namespace).List(ctx, o) })
	list.add("job", func() (runtime.Object, error) { return batch.Jobs(l.Namespace).List(ctx, o) })
	list.add("pod", func() (runtime.Object, error) { return core.Pods(l.Namespace).List(ctx, o) })
	list.wg.Wait()
	if list.err != nil {
		return nil, l.cluster.apiError("list the workloads of namespace "+l.Namespace, list.err)
	}
	return list.all, nil
}

// owners collects owned objects by kind and name. The first error counts.
type owners struct {
	wg  sync.WaitGroup
	mu  sync.Mutex
	all map[string]owned
	err error
}

// add adds the objects of a kind while others are being listed.
func (o *owners) add(kind string, list func() (runtime.Object, error)) {
	o.wg.Go(func() {
		objects, err := list()
		o.mu.Lock()
		defer o.mu.Unlock()
		if err == nil {
			err = meta.EachListItem(objects, func(object runtime.Object) error { return o.note(kind, object) })
		}
		if o.err == nil && !apierrors.IsForbidden(err) {
			o.err = err
		}
	})
}

func (o *owners) note(kind string, object runtime.Object) error {
	m, err := meta.Accessor(object)
	if err != nil {
		return err
	}
	entry := owned{release: m.GetAnnotations()[releaseAnnotation]}
	if c := metav1.GetControllerOf(m); c != nil {
		entry.owner = strings.ToLower(c.Kind) + "/" + c.Name
	}
	o.all[kind+"/"+m.GetName()] = entry
	return nil
}
