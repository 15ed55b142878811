//go:build linux

package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseSystemctl(t *testing.T) {
	for line, want := range map[string][]string{
		"status kubelet":                     {"status", "kubelet"},
		"--no-pager restart kubelet.service": {"restart", "kubelet"},
		"daemon-reload":                      {"daemon-reload"},
		"is-active --quiet containerd":       {"is-active", "containerd"},
		"stop a.service b":                   {"stop", "a", "b"},
		"--version":                          {""},
		"":                                   {""},
	} {
		verb, units := parseSystemctl(strings.Fields(line))
		if diff := cmp.Diff(want, append([]string{verb}, units...)); diff != "" {
			t.Errorf("%q -want +got\n%s", line, diff)
		}
	}
}

func TestParseFlags(t *testing.T) {
	for text, want := range map[string][]string{
		`KUBELET_KUBEADM_ARGS="--a=b --c=d"` + "\n":                            {"--a=b", "--c=d"},
		"# comment\nOTHER=\"--x\"\nKUBELET_KUBEADM_ARGS=\"--node-ip=1.2.3.4\"": {"--node-ip=1.2.3.4"},
		`KUBELET_KUBEADM_ARGS=""`:                                              nil,
		"":                                                                     nil,
	} {
		got := parseFlags(text)
		if len(got) == 0 && len(want) == 0 {
			continue
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q -want +got\n%s", text, diff)
		}
	}
}

func TestParseResolv(t *testing.T) {
	const docker = "# made by docker\nsearch example.org corp\nnameserver 127.0.0.11\nnameserver 8.8.8.8\n; old\noptions ndots:0  edns0\n\n"
	c := parseResolv(docker)
	if c.server != "127.0.0.11" || !onLoopback(c.server) {
		t.Errorf("server = %q", c.server)
	}
	want := "nameserver 172.18.0.2\nsearch example.org corp\noptions ndots:0 edns0\n"
	if got := c.render("172.18.0.2"); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if c := parseResolv("search x\nnameserver\n"); c.server != "127.0.0.11" {
		t.Errorf("no name server: %q", c.server)
	}
	for server, want := range map[string]bool{"::1": true, "10.0.0.1": false, "nonsense": false} {
		if onLoopback(server) != want {
			t.Errorf("onLoopback(%s) = %v", server, !want)
		}
	}
}

func FuzzParseResolv(f *testing.F) {
	f.Add("nameserver 127.0.0.11\noptions ndots:0\n")
	f.Fuzz(func(t *testing.T, text string) {
		c := parseResolv(text)
		again := parseResolv(c.render(c.server))
		if diff := cmp.Diff(c, again, cmp.AllowUnexported(resolv{})); diff != "" {
			t.Errorf("rendered and parsed again, -want +got\n%s", diff)
		}
	})
}
