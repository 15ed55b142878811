package kindtest

import (
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestDiagnose(t *testing.T) {
	for name, c := range map[string]struct {
		snapshot Snapshot
		reason   string // of the first problem; "" when all is ready
		hopeless bool
		grace    time.Duration
		says     []string
	}{
		"nothing there": {},
		"all ready":     {snapshot: Snapshot{Deployments: deployments("web", 1, 1), Pods: pods(pod("web-1", running(true)))}},
		"crash loop": {
			snapshot: Snapshot{
				Restarts: 3, Deployments: deployments("web", 1, 0), Pods: pods(pod("web-1", crashLoop(3))),
				Logs: map[LogSource]string{{"web-1", "app", true}: "one\ntwo\npanic: no answer\n"},
			},
			reason: "CrashLoopBackOff", hopeless: true,
			says: []string{"deployment/web 0/1 ready", "exited with code 2", "3 restarts", "| panic: no answer", "previous instance"},
		},
		"crash loop that may end": {
			snapshot: Snapshot{Restarts: 3, Deployments: deployments("web", 1, 0), Pods: pods(pod("web-1", crashLoop(1)))},
			reason:   "CrashLoopBackOff",
		},
		"out of memory": {
			snapshot: Snapshot{Pods: pods(pod("web-1", func(p *corev1.Pod) {
				p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "app", State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 137, Reason: "OOMKilled"}}}}
			}))},
			reason: "OOMKilled", says: []string{"raise its memory limit"},
		},
		"readiness never true": {
			snapshot: Snapshot{
				Deployments: deployments("web", 1, 0), Pods: pods(pod("web-1", running(false))),
				Events: []*corev1.Event{warning("Pod", "web-1", "Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503", 12)},
				Logs:   map[LogSource]string{{"web-1", "app", false}: "listening\n"},
			},
			reason: "NotReady", says: []string{"Readiness probe failed: HTTP probe failed with statuscode: 503 (12 times)", "| listening"},
		},
		"image not found": {
			snapshot: Snapshot{Deployments: deployments("web", 1, 0), Pods: pods(pod("web-1", waiting("ImagePullBackOff", "manifest unknown: not found")))},
			reason:   "ImagePullBackOff", hopeless: true, says: []string{"image example/web:1 cannot be pulled", "IfNotPresent"},
		},
		"registry stutters": {
			snapshot: Snapshot{Pods: pods(pod("web-1", waiting("ErrImagePull", "502 Bad Gateway")))},
			reason:   "ErrImagePull", hopeless: true, grace: gracePull,
		},
		"never pull":   {snapshot: Snapshot{Pods: pods(pod("web-1", waiting("ErrImageNeverPull", "not present")))}, reason: "ErrImageNeverPull", hopeless: true},
		"config error": {snapshot: Snapshot{Pods: pods(pod("web-1", waiting("CreateContainerConfigError", `secret "db" not found`)))}, reason: "CreateContainerConfigError", hopeless: true, grace: graceConfig, says: []string{`secret "db" not found`}},
		"unschedulable": {
			snapshot: Snapshot{Pods: pods(pod("web-1", unschedulable("0/1 nodes are available: 1 Insufficient cpu.")))},
			reason:   "Unschedulable", hopeless: true, grace: graceSchedule, says: []string{"Insufficient cpu"},
		},
		"claim pending": {
			snapshot: Snapshot{
				Pods:   pods(pod("db-0", unschedulable("pod has unbound immediate PersistentVolumeClaims"), volume("data"))),
				Claims: []*corev1.PersistentVolumeClaim{claim("data", "fast")},
				Events: []*corev1.Event{warning("PersistentVolumeClaim", "data", "ProvisioningFailed", `storageclass.storage.k8s.io "fast" not found`, 1)},
			},
			reason: "VolumeClaimPending", hopeless: true, grace: graceSchedule, says: []string{`storage class "fast"`, `"fast" not found`},
		},
		"mount fails": {
			snapshot: Snapshot{
				Pods:   pods(pod("web-1", waiting("ContainerCreating", ""))),
				Events: []*corev1.Event{warning("Pod", "web-1", "FailedMount", `MountVolume.SetUp failed: secret "tls" not found`, 4)},
			},
			reason: "FailedMount", hopeless: true, grace: graceSchedule, says: []string{`secret "tls" not found`},
		},
		"job failed": {
			snapshot: Snapshot{
				Jobs: []*batchv1.Job{failedJob("migrate")},
				Pods: pods(pod("migrate-x", failed(3), labelled("migrate"))),
				Logs: map[LogSource]string{{"migrate-x", "app", false}: "relation exists\n"},
			},
			reason: "JobFailed", hopeless: true, says: []string{"BackoffLimitExceeded", "exited with code 3", "| relation exists"},
		},
		"bare pod failed": {snapshot: Snapshot{Pods: pods(pod("once", failed(3)))}, reason: "Error", hopeless: true},
		"quota": {
			snapshot: Snapshot{Deployments: []*appsv1.Deployment{refused("web", "exceeded quota: pods=1")}},
			reason:   "FailedCreate", hopeless: true, grace: graceRefused, says: []string{"exceeded quota"},
		},
		"stateful set refused": {
			snapshot: Snapshot{
				StatefulSets: []*appsv1.StatefulSet{{ObjectMeta: metav1.ObjectMeta{Name: "db"}}},
				Events:       []*corev1.Event{warning("StatefulSet", "db", "FailedCreate", "violates PodSecurity", 1)},
			},
			reason: "FailedCreate", hopeless: true, grace: graceRefused, says: []string{"violates PodSecurity"},
		},
		"the cause comes first": {
			snapshot: Snapshot{
				Restarts: 3, Deployments: append(deployments("a-front", 1, 0), deployments("stock", 1, 0)...),
				Pods: pods(pod("a-front-1", running(false), labelled("a-front")), pod("stock-1", crashLoop(5), labelled("stock"))),
			},
			reason: "CrashLoopBackOff", hopeless: true, says: []string{"most likely cause: deployment/stock"},
		},
		"terminating pods do not count": {
			snapshot: Snapshot{Pods: pods(pod("old", crashLoop(9), func(p *corev1.Pod) { p.DeletionTimestamp = &metav1.Time{} }))},
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := Diagnose(&c.snapshot)
			text := d.String()
			if len(d.Problems) == 0 {
				if c.reason != "" {
					t.Errorf("no problem; want %s", c.reason)
				}
				return
			}
			p := d.Problems[0]
			if p.Reason != c.reason || p.Hopeless != c.hopeless || p.Grace != c.grace {
				t.Errorf("reason %q, hopeless %v, grace %s\n%s", p.Reason, p.Hopeless, p.Grace, text)
			}
			for _, s := range c.says {
				if !strings.Contains(text, s) {
					t.Errorf("lacks %q:\n%s", s, text)
				}
			}
		})
	}
}

// TestDiagnosisFits checks that everything about the first of many problems is
// within the first 24 lines.
func TestDiagnosisFits(t *testing.T) {
	s := Snapshot{Restarts: 1, Logs: make(map[LogSource]string)}
	for _, name := range strings.Fields("a b c d e f g h i") {
		s.Deployments = append(s.Deployments, deployments(name, 1, 0)...)
		s.Pods = append(s.Pods, pod(name+"-1", crashLoop(2), labelled(name)))
		s.Logs[LogSource{name + "-1", "app", true}] = strings.Repeat("line\n", 20) + "the last of " + name
		for _, reason := range strings.Fields("x y z v w") {
			s.Events = append(s.Events, warning("Pod", name+"-1", reason, "m", 1))
		}
	}
	lines := strings.Split(Diagnose(&s).String(), "\n")
	if head := strings.Join(lines[:24], "\n"); !strings.Contains(head, "the last of a") || !strings.HasPrefix(head, "most likely cause: deployment/a") {
		t.Errorf("the first 24 lines:\n%s", head)
	}
}

func TestHopelessAfterGrace(t *testing.T) {
	d := Diagnosis{Problems: []Problem{{Workload: "pod/web", Reason: "CreateContainerConfigError", Hopeless: true, Grace: 10 * time.Second, rank: rankConfig}}}
	since := make(map[string]time.Time)
	begin := time.Unix(1000, 0)
	if p, next := d.hopeless(begin, since); p != nil || next != 10*time.Second {
		t.Errorf("at once: %v, %s", p, next)
	}
	if p, next := d.hopeless(begin.Add(7*time.Second), since); p != nil || next != 3*time.Second {
		t.Errorf("after 7 s: %v, %s", p, next)
	}
	if p, _ := d.hopeless(begin.Add(10*time.Second), since); p == nil {
		t.Error("after 10 s: still hope")
	}
	(&Diagnosis{}).hopeless(begin.Add(11*time.Second), since)
	if p, _ := d.hopeless(begin.Add(12*time.Second), since); p != nil {
		t.Error("a problem that had gone away was remembered")
	}
}
