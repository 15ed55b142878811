package kindtest

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestStaleLease(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	owner := Owner{Host: "h", Pid: 1, Start: "2"}
	alive, dead := func(Owner) bool { return false }, func(o Owner) bool { return o == owner }
	for _, c := range []struct {
		name   string
		change func(*corev1.Namespace)
		dead   func(Owner) bool
		want   string
	}{
		{"live", func(*corev1.Namespace) {}, alive, ""},
		{"owner dead", func(*corev1.Namespace) {}, dead, "process 1 of this host"},
		{"expired", func(n *corev1.Namespace) { n.Annotations[ExpiresAnnotation] = now.Format(time.RFC3339) }, alive, "expired"},
		{"not ours", func(n *corev1.Namespace) { n.Labels = nil; n.Annotations[ExpiresAnnotation] = "2001-01-01T00:00:00Z" }, dead, ""},
		{"managed by another", func(n *corev1.Namespace) { n.Labels[ManagedLabel] = "Helm" }, dead, ""},
		{"terminating", func(n *corev1.Namespace) { n.DeletionTimestamp = &metav1.Time{} }, dead, ""},
		{"no expiry", func(n *corev1.Namespace) { delete(n.Annotations, ExpiresAnnotation) }, dead, ""},
		{"unreadable owner", func(n *corev1.Namespace) { n.Annotations[OwnerAnnotation] = "x" }, func(Owner) bool { return true }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
				Labels:      map[string]string{ManagedLabel: Manager},
				Annotations: map[string]string{OwnerAnnotation: owner.String(), ExpiresAnnotation: now.Add(time.Second).Format(time.RFC3339)},
			}}
			c.change(n)
			if got := staleLease(n, now, c.dead); c.want == "" && got != "" || !strings.Contains(got, c.want) {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func TestOwner(t *testing.T) {
	ctx := context.Background()
	me, err := CurrentOwner(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if parsed, ok := parseOwner(me.String()); !ok || parsed != me {
		t.Errorf("%v became %v", me, parsed)
	}
	reused, elsewhere := me, me
	reused.Start += "0"
	elsewhere.Start, elsewhere.Host = reused.Start, "elsewhere"
	if me.dead(ctx, me.Host) || !reused.dead(ctx, me.Host) || elsewhere.dead(ctx, me.Host) {
		t.Errorf("me dead %v, reused process id %v, elsewhere %v", me.dead(ctx, me.Host), reused.dead(ctx, me.Host), elsewhere.dead(ctx, me.Host))
	}
	// A process that has ended is dead, also before it is waited for.
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	start, err := processStart(ctx, cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	child := Owner{Host: me.Host, Pid: cmd.Process.Pid, Start: start}
	_, _ = out.Read(make([]byte, 1<<10))
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if !child.dead(ctx, me.Host) {
		t.Error("a process that was waited for counts as alive")
	}
}

func TestLeaseNamespace(t *testing.T) {
	ns, err := leaseNamespace(context.Background(), LeaseOptions{Prefix: "shop", RunID: "r1", TTL: time.Hour, Labels: map[string]string{"a": "b", ManagedLabel: "me"}})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(ns.Name, "shop-") || ns.Labels[ManagedLabel] != Manager || ns.Labels[RunLabel] != "r1" || ns.Labels["a"] != "b" {
		t.Errorf("%+v", ns.ObjectMeta)
	}
	expires, err := time.Parse(time.RFC3339, ns.Annotations[ExpiresAnnotation])
	if left := time.Until(expires); err != nil || left < 59*time.Minute || left > time.Hour {
		t.Errorf("expires in %s, %v", left, err)
	}
}
