package kindtest

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// podProblem says why a pod is not ready, and false when it is.
func (s *Snapshot) podProblem(pod *corev1.Pod) (Problem, bool) {
	if podReady(pod) || pod.Status.Phase == corev1.PodSucceeded {
		return Problem{}, false
	}
	p, found := s.scheduleProblem(pod)
	if !found {
		p = s.worstContainer(pod)
	}
	p.Pod, p.Phase = pod.Name, string(pod.Status.Phase)
	if p.LogSource.Container != "" {
		p.LogSource.Pod = pod.Name
	}
	return p, true
}

func (s *Snapshot) scheduleProblem(pod *corev1.Pod) (Problem, bool) {
	for _, c := range pod.Status.Conditions {
		if c.Type != corev1.PodScheduled || c.Status != corev1.ConditionFalse {
			continue
		}
		p := Problem{Reason: c.Reason, Message: c.Message, Hopeless: true, Grace: graceSchedule, rank: rankSchedule}
		if claims := s.pendingClaims(pod); claims != "" {
			p.Reason, p.Message = "VolumeClaimPending", claims+"; "+c.Message
		}
		return p, true
	}
	return Problem{}, false
}

// pendingClaims describes the pod's volume claims that are missing or unbound.
func (s *Snapshot) pendingClaims(pod *corev1.Pod) string {
	var out []string
	for _, v := range pod.Spec.Volumes {
		if v.PersistentVolumeClaim == nil {
			continue
		}
		for _, c := range s.Claims {
			if c.Name == v.PersistentVolumeClaim.ClaimName && c.Status.Phase != corev1.ClaimBound {
				out = append(out, s.describeClaim(c))
			}
		}
	}
	return strings.Join(out, "; ")
}

func (s *Snapshot) describeClaim(c *corev1.PersistentVolumeClaim) string {
	class := "the default storage class"
	if c.Spec.StorageClassName != nil {
		class = fmt.Sprintf("storage class %q", *c.Spec.StorageClassName)
	}
	text := fmt.Sprintf("volume claim %s is %s (%s)", c.Name, c.Status.Phase, class)
	events := s.eventsOf(func(o corev1.ObjectReference) bool { return o.Kind == "PersistentVolumeClaim" && o.Name == c.Name })
	if len(events) > 0 {
		text += ": " + events[len(events)-1].Message
	}
	return text
}

// worstContainer returns the problem of the container that says most; init
// containers come first, because the others wait for them.
func (s *Snapshot) worstContainer(pod *corev1.Pod) Problem {
	best := Problem{Reason: "Waiting", Message: "its containers have not been started yet", rank: rankWaiting}
	if pod.Status.Phase == corev1.PodFailed {
		best = Problem{Reason: nonEmpty(pod.Status.Reason, "PodFailed"), Message: nonEmpty(pod.Status.Message, "the pod failed"), Hopeless: !controlled(pod), rank: rankFailed}
	}
	if mount := s.mountFailure(pod); mount != "" {
		best = Problem{Reason: "FailedMount", Message: mount, Hopeless: true, Grace: graceSchedule, rank: rankConfig}
	}
	for _, list := range [][]corev1.ContainerStatus{pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses} {
		for i := range list {
			if p, bad := s.containerProblem(pod, &list[i]); bad && p.rank < best.rank {
				best = p
			}
		}
	}
	return best
}

// mountFailure returns the latest event about a volume that cannot be mounted,
// as long as a container waits for it.
func (s *Snapshot) mountFailure(pod *corev1.Pod) string {
	for _, c := range append(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses...) {
		if w := c.State.Waiting; w == nil || w.Reason != "ContainerCreating" && w.Reason != "PodInitializing" {
			return ""
		}
	}
	message := ""
	for _, e := range s.eventsOf(func(o corev1.ObjectReference) bool { return o.Kind == "Pod" && o.Name == pod.Name }) {
		if e.Reason == "FailedMount" || e.Reason == "FailedAttachVolume" {
			message = e.Message
		}
	}
	return message
}

func (s *Snapshot) containerProblem(pod *corev1.Pod, c *corev1.ContainerStatus) (Problem, bool) {
	p := Problem{Container: c.Name, Restarts: c.RestartCount}
	switch {
	case c.State.Waiting != nil:
		return s.waiting(p, c)
	case c.State.Terminated != nil:
		t := c.State.Terminated
		if t.ExitCode == 0 {
			return p, false
		}
		p.Reason, p.Message, p.rank = nonEmpty(t.Reason, "Error"), exitMessage(t), rankCrash
		// With a controller or a restart there will be another attempt.
		p.Hopeless = pod.Status.Phase == corev1.PodFailed && !controlled(pod)
		p.LogSource = LogSource{Container: c.Name}
		return p, true
	case c.State.Running != nil && !c.Ready && !completesFirst(pod, c.Name):
		p.Reason, p.Message, p.rank = "NotReady", "it runs and its readiness probe has not succeeded", rankUnready
		p.LogSource = LogSource{Container: c.Name}
		if t := c.LastTerminationState.Terminated; t != nil {
			p.Reason, p.rank = "Restarted", rankCrash
			p.Message = "it runs again after it " + exitMessage(t)
			p.LogSource.Previous = true
		}
		return p, true
	}
	return p, false
}

// waiting interprets the reasons that the kubelet gives; they are listed in
// kubernetes/pkg/kubelet/images/types.go and kuberuntime.
func (s *Snapshot) waiting(p Problem, c *corev1.ContainerStatus) (Problem, bool) {
	w := c.State.Waiting
	p.Reason, p.Message = w.Reason, nonEmpty(w.Message, "the container waits")
	switch w.Reason {
	case "ErrImageNeverPull", "InvalidImageName":
		p.Hopeless, p.rank = true, rankImage
	case "ErrImagePull", "ImagePullBackOff", "ImageInspectError", "RegistryUnavailable", "ErrImagePullBackOff":
		p.Hopeless, p.rank, p.Grace = true, rankImage, gracePull
		p.Message = fmt.Sprintf("image %s cannot be pulled: %s", c.Image, p.Message)
		p.Hint = "an image that was loaded into the nodes needs imagePullPolicy IfNotPresent (a tag \"latest\" means Always) and exactly the name that it was loaded under"
		if definitePull(p.Message) {
			p.Grace = 0
		}
	case "CreateContainerConfigError", "CreateContainerError", "RunContainerError", "PreCreateHookError", "PreStartHookError", "PostStartHookError":
		p.Hopeless, p.rank, p.Grace = true, rankConfig, graceConfig
	case "CrashLoopBackOff":
		p.Hopeless, p.rank = c.RestartCount >= s.Restarts, rankCrash
		p.LogSource = LogSource{Container: c.Name}
		if t := c.LastTerminationState.Terminated; t != nil {
			p.Message, p.LogSource.Previous = exitMessage(t), true
		}
	default: // ContainerCreating, PodInitializing
		return p, false
	}
	return p, true
}

// definitePull tells a registry's clear answer from a disturbance.
func definitePull(message string) bool {
	for _, s := range []string{"not found", "manifest unknown", "unauthorized", "denied", "no such host", "does not exist"} {
		if strings.Contains(message, s) {
			return true
		}
	}
	return false
}

func exitMessage(t *corev1.ContainerStateTerminated) string {
	s := fmt.Sprintf("exited with code %d", t.ExitCode)
	if t.Signal != 0 {
		s = fmt.Sprintf("was ended by signal %d", t.Signal)
	}
	if t.Reason == "OOMKilled" {
		s += " (out of memory: raise its memory limit)"
	} else if t.Reason != "" && t.Reason != "Error" {
		s += " (" + t.Reason + ")"
	}
	if m := strings.TrimSpace(t.Message); m != "" {
		s += ": " + m
	}
	return s
}

// completesFirst reports whether the container is an init container that is
// expected to end: it runs, and that is all it can show.
func completesFirst(pod *corev1.Pod, name string) bool {
	for _, c := range pod.Spec.InitContainers {
		if c.Name == name {
			return c.RestartPolicy == nil
		}
	}
	return false
}

func controlled(pod *corev1.Pod) bool { return len(pod.OwnerReferences) > 0 }

func nonEmpty(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
