package kindtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// Collect writes what explains the state of the lease below dir: the diagnosis,
// the events, each pod as YAML, and the logs of all containers, the previous
// instance's too. It collects what it can and returns the joined errors of the
// rest. Secrets are not collected.
func (l *Lease) Collect(ctx context.Context, dir string) error {
	if err := os.MkdirAll(filepath.Join(dir, "pods"), 0o755); err != nil {
		return err
	}
	watching, stop := context.WithCancel(ctx)
	m, err := l.mirrorNamespace(watching)
	if err != nil {
		stop()
		return err
	}
	s := l.snapshot(m, 0)
	stop()
	m.wait()
	l.fetchLogs(ctx, s)
	errs := []error{
		os.WriteFile(filepath.Join(dir, "diagnosis.txt"), []byte(Diagnose(s).String()), 0o644),
		os.WriteFile(filepath.Join(dir, "events.txt"), []byte(eventTable(s)), 0o644),
		writeYAML(filepath.Join(dir, "workloads.yaml"), s.Deployments, s.StatefulSets, s.DaemonSets, s.Jobs),
	}
	for _, p := range s.Pods {
		errs = append(errs, writeYAML(filepath.Join(dir, "pods", p.Name+".yaml"), p), l.collectLogs(ctx, p, filepath.Join(dir, "pods")))
	}
	return errors.Join(errs...)
}

func (l *Lease) collectLogs(ctx context.Context, p *corev1.Pod, dir string) error {
	var errs []error
	for _, list := range [][]corev1.ContainerStatus{p.Status.InitContainerStatuses, p.Status.ContainerStatuses} {
		for _, c := range list {
			base := filepath.Join(dir, p.Name+"."+c.Name)
			if c.LastTerminationState.Terminated != nil {
				errs = append(errs, l.saveLog(ctx, LogSource{p.Name, c.Name, true}, base+".previous.log"))
			}
			if c.State.Waiting == nil { // else there is none, or the previous one again
				errs = append(errs, l.saveLog(ctx, LogSource{p.Name, c.Name, false}, base+".log"))
			}
		}
	}
	return errors.Join(errs...)
}

func (l *Lease) saveLog(ctx context.Context, src LogSource, path string) error {
	r, err := l.cluster.client.CoreV1().Pods(l.Namespace).GetLogs(src.Pod, &corev1.PodLogOptions{
		Container: src.Container, Previous: src.Previous, Timestamps: true,
	}).Stream(ctx)
	if err != nil {
		return fmt.Errorf("log of pod %s, container %s: %w", src.Pod, src.Container, err)
	}
	defer r.Close()
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	return errors.Join(err, f.Close())
}

// Event is an event of the lease's namespace.
type Event struct {
	Time    time.Time
	Type    string // Normal or Warning
	Object  string // "pod/stock-6d5f"
	Reason  string
	Message string
	Count   int // how often it was seen, at least 1
}

// Events lists what Kubernetes noted about the lease's objects, oldest first.
// Whoever may not look gets none.
func (l *Lease) Events(ctx context.Context) ([]Event, error) {
	list, err := l.cluster.client.CoreV1().Events(l.Namespace).List(ctx, metav1.ListOptions{})
	if apierrors.IsForbidden(err) {
		return nil, nil
	}
	if err != nil {
		return nil, l.cluster.apiError("list the events of namespace "+l.Namespace, err)
	}
	events := make([]*corev1.Event, len(list.Items))
	for i := range list.Items {
		events[i] = &list.Items[i]
	}
	sortByTime(events)
	out := make([]Event, len(events))
	for i, e := range events {
		o := e.InvolvedObject
		out[i] = Event{
			Time: eventTime(e).UTC(), Type: e.Type, Object: strings.ToLower(o.Kind) + "/" + o.Name,
			Reason: e.Reason, Message: strings.TrimSpace(e.Message), Count: max(1, int(e.Count)),
		}
	}
	return out, nil
}

func eventTable(s *Snapshot) string {
	events := append([]*corev1.Event(nil), s.Events...)
	sortByTime(events)
	var b strings.Builder
	for _, e := range events {
		o := e.InvolvedObject
		fmt.Fprintf(&b, "%s  %-7s %s/%s  %s: %s", eventTime(e).UTC().Format("15:04:05.000"), e.Type, strings.ToLower(o.Kind), o.Name, e.Reason, strings.TrimSpace(e.Message))
		if e.Count > 1 {
			fmt.Fprintf(&b, " (%d times)", e.Count)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// writeYAML writes each argument as a document.
func writeYAML(path string, values ...any) error {
	var b strings.Builder
	for _, v := range values {
		text, err := yaml.Marshal(v)
		if err != nil {
			return err
		}
		b.WriteString("---\n")
		b.Write(text)
	}
	return os.WriteFile(path, []byte(b.String()), 0o644)
}
