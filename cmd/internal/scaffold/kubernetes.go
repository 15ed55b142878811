package scaffold

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// kubernetes looks for charts and manifests.
func (l *looker) kubernetes() {
	for _, name := range l.facts.Files {
		if path.Base(name) == "Chart.yaml" && !l.facts.has(path.Dir(path.Dir(path.Dir(name)))+"/Chart.yaml") {
			l.chart(path.Dir(name))
		}
	}
	for _, dir := range append([]string{"deploy/k8s"}, manifestDirs()...) {
		if m := l.manifests(dir); m != nil {
			l.facts.Manifests = m
			return
		}
	}
}

// manifestDirs are the other folders in which people keep manifests.
func manifestDirs() []string {
	return []string{"deploy/kubernetes", "deploy/manifests", "k8s", "kubernetes", "manifests", "deploy"}
}

// chart reads a Chart.yaml.
func (l *looker) chart(dir string) {
	var file struct{ Name string }
	if err := yaml.Unmarshal([]byte(l.read(path.Join(dir, "Chart.yaml"))), &file); err != nil {
		l.unread(path.Join(dir, "Chart.yaml"), err)
	}
	c := Chart{Dir: dir, Name: file.Name}
	for _, name := range l.facts.below(path.Join(dir, "templates")) {
		text := l.read(name)
		// "with .Values.image" reads .repository behind it.
		c.TakesImage = c.TakesImage || strings.Contains(text, "image.repository") || strings.Contains(text, ".Values.image") && strings.Contains(text, ".repository")
	}
	l.facts.Charts = append(l.facts.Charts, c)
}

// object is what is read of a Kubernetes object.
type object struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string
	Metadata   struct{ Name, Namespace string }
	Spec       struct {
		Ports    []struct{ Port int }
		Template struct {
			Spec podSpec
		}
	}
}

type podSpec struct {
	Containers     []container
	InitContainers []any `yaml:"initContainers"`
	Volumes        []any
}

type container struct {
	Name, Image     string
	ImagePullPolicy string `yaml:"imagePullPolicy"`
	Command, Args   []string
	Env             []struct {
		Name, Value string
		ValueFrom   any `yaml:"valueFrom"`
	}
	EnvFrom []any `yaml:"envFrom"`
	Ports   []struct {
		Name          string
		ContainerPort int `yaml:"containerPort"`
	}
	Readiness    *probe `yaml:"readinessProbe"`
	Liveness     *probe `yaml:"livenessProbe"`
	VolumeMounts []any  `yaml:"volumeMounts"`
}

type probe struct {
	HTTPGet *struct {
		Path string
		Port any
	} `yaml:"httpGet"`
	TCPSocket *struct{ Port any } `yaml:"tcpSocket"`
	GRPC      *struct{ Port any } `yaml:"grpc"`
}

// manifests reads the manifests directly in a folder, nil when there are none.
func (l *looker) manifests(dir string) *Manifests {
	m := &Manifests{Dir: dir}
	objects := 0
	for _, name := range l.facts.below(dir) {
		ext := path.Ext(name)
		if path.Dir(name) != dir || ext != ".yaml" && ext != ".yml" {
			continue
		}
		text := l.read(name)
		d := yaml.NewDecoder(strings.NewReader(text))
		for {
			var o object
			err := d.Decode(&o)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				if dir == "deploy/k8s" || objects > 0 {
					m.obstacle("%s is no plain YAML: %v", name, firstLine(err.Error()))
				}
				break
			}
			if o.Kind != "" && o.APIVersion != "" {
				objects++
				m.object(name, o)
			}
		}
	}
	if objects == 0 && len(m.Obstacles) == 0 {
		return nil
	}
	return m
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

func (m *Manifests) obstacle(format string, args ...any) {
	if text := fmt.Sprintf(format, args...); !slices.Contains(m.Obstacles, text) {
		m.Obstacles = append(m.Obstacles, text)
	}
}

// object notes what one object says.
func (m *Manifests) object(file string, o object) {
	if since := removedIn(o.APIVersion, o.Kind); since != "" {
		m.obstacle("%s: Kubernetes %s has no %s of %s any more", file, since, o.Kind, o.APIVersion)
	}
	if o.Metadata.Namespace != "" {
		m.obstacle("%s: %s names the namespace %q, and every run has its own", file, o.Kind, o.Metadata.Namespace)
	}
	switch o.Kind {
	case "Namespace", "ClusterRole", "ClusterRoleBinding", "PersistentVolume", "CustomResourceDefinition":
		m.obstacle("%s: a %s belongs to the whole cluster, and would outlive the run", file, o.Kind)
	case "Service":
		if m.Service != "" {
			return
		}
		m.Service = o.Metadata.Name
		for _, p := range o.Spec.Ports {
			m.Ports = append(m.Ports, p.Port)
		}
	case "Deployment", "StatefulSet", "DaemonSet":
		if m.Workload == nil && len(o.Spec.Template.Spec.Containers) > 0 {
			m.workload(file, o)
		}
	}
}

func (m *Manifests) workload(file string, o object) {
	pod := o.Spec.Template.Spec
	c := pod.Containers[0]
	w := &Workload{Name: o.Metadata.Name, Image: c.Image, Args: c.Args}
	m.Workload = w
	if c.ImagePullPolicy == "Always" {
		m.obstacle("%s: imagePullPolicy: Always keeps the cluster from running an image that no registry has", file)
	}
	if strings.Contains(c.Image, "{{") || strings.Contains(c.Image, "$") {
		m.obstacle("%s: the image %q is filled in by another tool", file, c.Image)
	}
	for _, p := range c.Ports {
		w.Ports = append(w.Ports, p.ContainerPort)
	}
	for _, e := range c.Env {
		if e.ValueFrom != nil {
			w.Needs = append(w.Needs, "the variable "+e.Name+" from elsewhere in the cluster")
			continue
		}
		if w.Env == nil {
			w.Env = map[string]string{}
		}
		w.Env[e.Name] = e.Value
	}
	w.needs(len(c.EnvFrom) > 0, "variables from ConfigMaps or Secrets")
	w.needs(len(c.Command) > 0, "a command in place of the image's entrypoint")
	w.needs(len(pod.InitContainers) > 0, "init containers")
	w.needs(len(c.VolumeMounts) > 0, "volumes")
	w.needs(len(pod.Containers) > 1, "a second container")
	w.ready(cmp.Or(c.Readiness, c.Liveness), c)
}

func (w *Workload) needs(really bool, what string) {
	if really {
		w.Needs = append(w.Needs, what)
	}
}

// ready translates a probe.
func (w *Workload) ready(p *probe, c container) {
	port := func(port any) int {
		if n, ok := port.(int); ok {
			return n
		}
		for _, named := range c.Ports {
			if named.Name == port {
				return named.ContainerPort
			}
		}
		return 0
	}
	switch {
	case p == nil:
	case p.HTTPGet != nil:
		w.Ready, w.ReadyPort = "http:"+cmp.Or(p.HTTPGet.Path, "/"), port(p.HTTPGet.Port)
	case p.TCPSocket != nil:
		w.Ready, w.ReadyPort = "tcp", port(p.TCPSocket.Port)
	case p.GRPC != nil:
		w.Ready, w.ReadyPort = "grpc", port(p.GRPC.Port)
	}
}

// removedIn returns the version of Kubernetes from which on a kind is gone
// (kubernetes.io/docs/reference/using-api/deprecation-guide), empty for others.
func removedIn(apiVersion, kind string) string {
	switch apiVersion {
	case "extensions/v1beta1":
		if kind == "Ingress" {
			return "1.22"
		}
		return "1.16"
	case "apps/v1beta1", "apps/v1beta2":
		return "1.16"
	case "networking.k8s.io/v1beta1", "rbac.authorization.k8s.io/v1beta1", "apiextensions.k8s.io/v1beta1":
		return "1.22"
	case "batch/v1beta1", "policy/v1beta1", "autoscaling/v2beta1":
		return "1.25"
	case "autoscaling/v2beta2":
		return "1.26"
	}
	return ""
}
