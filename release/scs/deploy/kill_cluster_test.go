//go:build cluster

package deploy_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	coordination "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gitlab.com/selfcontained/pipeline/kindtest"
	"gitlab.com/selfcontained/pipeline/release"
	"gitlab.com/selfcontained/pipeline/release/scs/deploy"
)

// childVariable has the child of a test that is to be killed.
const childVariable = "PIPELINE_TEST_DEPLOY_CHILD"

// child is a deployment that kills itself.
type child struct {
	Kubeconfig, Cluster string
	Deployment          deploy.Deployment
	// Point is the step that it dies before, "NAME", or after, "NAME done"; or
	// "waiting", when pods are waited for.
	Point string
	Ready time.Duration
}

// TestChild is no test but what is killed.
func TestChild(t *testing.T) {
	text := os.Getenv(childVariable)
	if text == "" {
		return
	}
	var c child
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		t.Fatal(err)
	}
	cluster, err := kindtest.Open(t.Context(), c.Cluster, c.Kubeconfig, nil)
	if err != nil {
		t.Fatal(err)
	}
	at := func(point string) {
		if point == c.Point {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		}
	}
	_, err = deploy.Apply(t.Context(), cluster, c.Deployment, deploy.Options{
		By: "child", Ready: c.Ready,
		Tell: func(s release.Step, done bool) {
			if done {
				at(s.Name + " done")
			} else {
				at(s.Name)
			}
		},
		Progress: func(string) { at("waiting") },
	})
	t.Errorf("it was not killed: %v", err)
}

// killed runs a deployment in a child and returns when that was killed.
func (w *world) killed(t *testing.T, d deploy.Deployment, point string, ready time.Duration) {
	t.Helper()
	text, err := json.Marshal(child{w.cluster.Kubeconfig, w.cluster.Name, d, point, ready})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestChild$", "-test.v")
	cmd.Env = append(os.Environ(), childVariable+"="+string(text))
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("the child was not killed (%v):\n%s", err, out)
	}
}

// testKill kills a deployment at several points, each of one that installs,
// upgrades and removes; the record tells, and running again completes it.
func (w *world) testKill(t *testing.T) {
	d := w.fresh(t, "stock")
	w.apply(t, d)
	for i, point := range []string{"services", "waiting", "remove", "record"} {
		d = next(d, w.member(t, "stock", fmt.Sprintf("0.1.%d", i+1)))
		d.Members = append(d.Members[:1:1], w.member(t, fmt.Sprintf("extra%d", i), "0.1.0"))
		w.killed(t, d, point, time.Minute)
		s := w.look(t, d)
		if s.Record.Deploying == nil || s.Record.Deploying.By != "child" || s.Drift[0].Kind != deploy.OtherState || s.Drift[1].Kind != deploy.Unfinished {
			t.Errorf("killed at %s: %s", point, s.Text())
		}
		t.Logf("killed at %s: %s", point, strings.Join(w.revisions(t, d), ", "))
		w.apply(t, d)
		w.noDrift(t, d)
		if p := w.apply(t, d); !p.Nothing {
			t.Errorf("the run after that at %s: %s", point, p.Text())
		}
	}
}

// testKillOther deploys another combination after one that died: what only the
// dead one had is gone, and a failure goes back to the last complete one, also
// when that dies on the way.
func (w *world) testKillOther(t *testing.T) {
	good := w.fresh(t, "stock")
	w.apply(t, good)
	dead := next(good, w.member(t, "stock", "0.1.1"), w.member(t, "audit", "0.1.0"))
	dead.Members[0].Values = append(dead.Members[0].Values, map[string]any{"extra": "of the dead one", "mode": "unready"})
	w.killed(t, dead, "waiting", time.Minute)
	if _, err := deploy.Apply(t.Context(), w.cluster, good, deploy.Options{}); err == nil {
		t.Error("an older sequence was accepted")
	}
	bad := next(dead, w.member(t, "stock", "0.1.2"))
	bad.Members = bad.Members[:1]
	bad.Members[0].Values = append(bad.Members[0].Values, map[string]any{"mode": "unready"})
	w.killed(t, bad, "rollback", 20*time.Second)
	_, err := deploy.Apply(t.Context(), w.cluster, bad, deploy.Options{Ready: 20 * time.Second})
	var failed *deploy.FailedError
	if !errors.As(err, &failed) || failed.Stuck != nil {
		t.Fatalf("error: %v", err)
	}
	w.noDrift(t, good)
	if _, err := w.cluster.Client().CoreV1().ConfigMaps(good.Namespace).Get(t.Context(), "stock-extra", metav1.GetOptions{}); err == nil {
		t.Error("an object of the dead deployment is left")
	}
}

// testTwo runs two deployments at once.
func (w *world) testTwo(t *testing.T) {
	d := w.fresh(t, "stock")
	began, ended := make(chan bool), make(chan error, 1)
	go func() {
		_, err := deploy.Apply(t.Context(), w.cluster, d, deploy.Options{By: "ann", Tell: func(s release.Step, done bool) {
			if s.Name == "services" && !done {
				began <- true
			}
		}})
		ended <- err
	}()
	<-began
	var locked *kindtest.LockedError
	if _, err := deploy.Apply(t.Context(), w.cluster, d, deploy.Options{By: "bob"}); !errors.As(err, &locked) || !strings.Contains(err.Error(), "ann") {
		t.Errorf("error: %v", err)
	}
	var waited string
	p, err := deploy.Apply(t.Context(), w.cluster, d, deploy.Options{By: "bob", Wait: time.Minute, Progress: func(s string) { waited = s }})
	if err != nil || !p.Nothing || !strings.Contains(waited, "ann") {
		t.Errorf("waited %q: %v", waited, err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	w.wantRevisions(t, d, "stock 1 deployed")
}

// testDeadHolder finds the lock of somebody on another machine who is gone.
func (w *world) testDeadHolder(t *testing.T) {
	d := w.fresh(t, "stock")
	space := w.cluster.Space(d.Namespace, d.System, d.Environment)
	if err := space.Ensure(t.Context()); err != nil {
		t.Fatal(err)
	}
	holder, seconds, past := "job 1", int32(2), metav1.NewMicroTime(time.Now().Add(-time.Hour))
	_, err := w.cluster.Client().CoordinationV1().Leases(d.Namespace).Create(t.Context(), &coordination.Lease{
		ObjectMeta: metav1.ObjectMeta{Name: "pipeline-deploy", Annotations: map[string]string{kindtest.OwnerAnnotation: `{"host":"other","pid":1,"start":"1"}`}},
		Spec:       coordination.LeaseSpec{HolderIdentity: &holder, LeaseDurationSeconds: &seconds, AcquireTime: &past, RenewTime: &past},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	lock, err := space.Lock(t.Context(), kindtest.LockOptions{By: "ann"})
	if err != nil {
		t.Fatal(err)
	}
	if d := time.Since(begin); d < 2*time.Second {
		t.Errorf("the lock was taken after %s", d)
	}
	// Somebody else takes it by force: the holder notices and must not go on.
	if err := w.cluster.Client().CoordinationV1().Leases(d.Namespace).Delete(t.Context(), "pipeline-deploy", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	<-lock.Context.Done()
	if err := lock.Unlock(t.Context()); err != nil {
		t.Error(err)
	}
}
