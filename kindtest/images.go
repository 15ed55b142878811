package kindtest

import (
	"context"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// PodImage is what one container of a pod runs.
type PodImage struct {
	Pod       string `json:"pod"`
	Container string `json:"container"`
	Image     string `json:"image"`   // as the pod's specification says it
	ImageID   string `json:"imageID"` // as the node says it; empty before the container was created
	Init      bool   `json:"init,omitempty"`
}

// Images lists what the lease's pods run, sorted by pod, init containers first.
// Pods that are being deleted are left out.
func (l *Lease) Images(ctx context.Context) ([]PodImage, error) {
	pods, err := l.pods(ctx)
	if err != nil {
		return nil, err
	}
	var out []PodImage
	for _, p := range pods {
		if p.DeletionTimestamp != nil {
			continue
		}
		out = append(out, imagesOf(p)...)
	}
	return out, nil
}

// imagesOf lists what one pod runs, init containers first.
func imagesOf(p *corev1.Pod) []PodImage {
	return append(podImages(p.Name, p.Spec.InitContainers, p.Status.InitContainerStatuses, true),
		podImages(p.Name, p.Spec.Containers, p.Status.ContainerStatuses, false)...)
}

func podImages(pod string, specs []corev1.Container, states []corev1.ContainerStatus, init bool) []PodImage {
	ids := make(map[string]string)
	for _, s := range states {
		ids[s.Name] = s.ImageID
	}
	var out []PodImage
	for _, c := range specs {
		out = append(out, PodImage{Pod: pod, Container: c.Name, Image: c.Image, ImageID: ids[c.Name], Init: init})
	}
	return out
}

// ImageDigest returns the digest in an imageID ("name@sha256:...",
// "docker-pullable://name@sha256:..." or "sha256:..."), or "".
func ImageDigest(imageID string) string {
	_, digest, found := strings.Cut(imageID, "@")
	if !found {
		digest = imageID
	}
	if !strings.HasPrefix(digest, "sha256:") {
		return ""
	}
	return digest
}

func (l *Lease) pods(ctx context.Context) ([]*corev1.Pod, error) {
	list, err := l.cluster.client.CoreV1().Pods(l.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, l.cluster.apiError("list the pods of namespace "+l.Namespace, err)
	}
	var out []*corev1.Pod
	for i := range list.Items {
		out = append(out, &list.Items[i])
	}
	return byName(out), nil
}

// ServiceInfo is a Service of the lease.
type ServiceInfo struct {
	Name  string        `json:"name"`
	Ports []ServicePort `json:"ports"`
}

// ServicePort is one port of a Service.
type ServicePort struct {
	Name     string `json:"name,omitempty"`
	Port     int32  `json:"port"`
	Protocol string `json:"protocol"`
}

// Services lists the lease's Services, sorted by name.
func (l *Lease) Services(ctx context.Context) ([]ServiceInfo, error) {
	list, err := l.cluster.client.CoreV1().Services(l.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, l.cluster.apiError("list the services of namespace "+l.Namespace, err)
	}
	var out []ServiceInfo
	for _, s := range list.Items {
		info := ServiceInfo{Name: s.Name}
		for _, p := range s.Spec.Ports {
			info.Ports = append(info.Ports, ServicePort{Name: p.Name, Port: p.Port, Protocol: string(p.Protocol)})
		}
		out = append(out, info)
	}
	return out, nil // the API lists by name
}
