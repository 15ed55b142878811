package nodeimage

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

func TestRef(t *testing.T) {
	ref := Ref()
	if !regexp.MustCompile(`^pipeline\.local/kindnode:v1\.36\.3-[0-9a-f]{12}$`).MatchString(ref) {
		t.Errorf("Ref = %s", ref)
	}
	if Ref() != ref {
		t.Error("Ref differs from call to call")
	}
	if refFor("amd64") == refFor("arm64") {
		t.Error("two architectures have one name")
	}
}

func TestDigestOf(t *testing.T) {
	files := func() map[string][]byte { return map[string][]byte{"a": []byte("x"), "b": []byte("y")} }
	base := digestOf(files(), "w1", "w2")
	if base != digestOf(files(), "w1", "w2") {
		t.Error("equal input, another digest")
	}
	changed := files()
	changed["a"] = []byte("xb")
	moved := map[string][]byte{"a": []byte("xy"), "b": nil}
	for what, d := range map[string]string{
		"contents": digestOf(changed, "w1", "w2"), "split of contents": digestOf(moved, "w1", "w2"),
		"split of words": digestOf(files(), "w1w", "2"), "order of words": digestOf(files(), "w2", "w1"),
	} {
		if d == base {
			t.Errorf("the digest does not see the %s", what)
		}
	}
}

// TestSources wants every program and module whole: embedding leaves out
// folders with a go.mod without a word.
func TestSources(t *testing.T) {
	for _, b := range append(binaries(), shimBinary()) {
		files, err := b.files()
		if err != nil {
			t.Fatal(err)
		}
		wanted := []string{"go.mod"}
		if b.module != "" {
			wanted = append(wanted, "go.sum")
		}
		if b.pkg == "." {
			wanted = append(wanted, "main.go")
		}
		for _, w := range wanted {
			if len(files[w]) == 0 {
				t.Errorf("%s: no %s", b.name, w)
			}
		}
		for name := range files {
			if strings.HasSuffix(name, "_test.go") || strings.HasSuffix(name, ".tmpl") {
				t.Errorf("%s: has %s", b.name, name)
			}
		}
	}
}

// TestVersionsAgree keeps versions.go and the module files in step.
func TestVersionsAgree(t *testing.T) {
	for file, want := range map[string]string{
		"recipe/hyperkube/go.mod.tmpl":     "k8s.io/kubernetes " + Kubernetes,
		"recipe/containerd/go.mod.tmpl":    "github.com/containerd/containerd/v2 " + Containerd,
		"recipe/cni/go.mod.tmpl":           "github.com/containernetworking/plugins " + CNIPlugins,
		"recipe/etcd/go.mod.tmpl":          "go.etcd.io/etcd/server/v3 " + Etcd,
		"recipe/coredns/go.mod.tmpl":       "github.com/coredns/coredns " + CoreDNS,
		"files/etc/containerd/config.toml": "registry.k8s.io/pause:" + Pause + "'",
	} {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(raw), want) {
			t.Errorf("%s does not have %s", file, want)
		}
	}
	if !strings.HasPrefix(etcdTag, strings.TrimPrefix(Etcd, "v")+"-") {
		t.Errorf("etcd %s under tag %s", Etcd, etcdTag)
	}
	if got := minor(Kubernetes); got != "36" {
		t.Errorf("minor = %s", got)
	}
}

func TestBinaryArgs(t *testing.T) {
	for _, b := range binaries() {
		args := strings.Join(b.args("OUT"), " ")
		for _, w := range []string{"-trimpath", "-mod=readonly", "-buildvcs=false", "-o OUT"} {
			if !strings.Contains(args, w) {
				t.Errorf("%s: %s lacks %s", b.name, args, w)
			}
		}
	}
}

func TestRelease(t *testing.T) {
	for text, want := range map[string]string{
		"ID=debian\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\n": "bookworm",
		"ID=debian\nVERSION_ID='12'\n":                              "12",
		"ID=sid\n":                                                  "sid",
		"":                                                          "unknown",
	} {
		if got := release(text); got != want {
			t.Errorf("%q: %s", text, got)
		}
	}
}

func TestClusterConfig(t *testing.T) {
	own, other := ClusterConfig(true), ClusterConfig(false)
	if !strings.Contains(own, "/kind/patches") || strings.Contains(other, "/kind/patches") {
		t.Error("/kind/patches exists in our image only")
	}
	for _, c := range []string{own, other} {
		if !strings.HasPrefix(c, "kind: Cluster\n") || !strings.Contains(c, "- |\n  kind: ClusterConfiguration\n") {
			t.Errorf("not a kind configuration:\n%s", c)
		}
	}
}
