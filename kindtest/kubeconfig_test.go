package kindtest

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/client-go/tools/clientcmd"
)

const kubeconfig = `apiVersion: v1
kind: Config
current-context: prod
clusters:
- {name: prod, cluster: {server: "https://prod:6443"}}
- {name: test, cluster: {server: "https://test:6443", certificate-authority: ca.pem}}
users:
- {name: root, user: {token: prod-token}}
- {name: me, user: {token: test-token}}
contexts:
- {name: prod, context: {cluster: prod, user: root}}
- {name: test, context: {cluster: test, user: me}}
`

func writeKubeconfig(t *testing.T, text string) string {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "config")
	for name, content := range map[string]string{"config": text, "ca.pem": "the authority"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

func TestReduceKubeconfig(t *testing.T) {
	path := writeKubeconfig(t, kubeconfig)
	reduced, err := ReduceKubeconfig(path, "test")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(reduced), "prod") {
		t.Errorf("the other context is in it:\n%s", reduced)
	}
	config, err := clientcmd.RESTConfigFromKubeConfig(reduced)
	if err != nil || config.Host != "https://test:6443" || config.BearerToken != "test-token" || string(config.CAData) != "the authority" {
		t.Errorf("%+v, %v", config, err)
	}
	if original, _ := os.ReadFile(path); string(original) != kubeconfig {
		t.Error("the user's kubeconfig was changed")
	}
}

func TestReduceKubeconfigErrors(t *testing.T) {
	path := writeKubeconfig(t, kubeconfig)
	for _, c := range []struct{ name, path, context, says string }{
		{"several", path, "", "2 contexts (prod, test) and none is named; name the context"},
		{"unknown", path, "stage", `no context "stage", there is: prod, test`},
		{"missing file", path + ".no", "", path + ".no cannot be used: no such file"},
		{"one of two missing", path + ":" + path + ".no", "test", path + ".no cannot be used"},
		{"no YAML", writeKubeconfig(t, "{"), "", "cannot be used"},
		{"empty", writeKubeconfig(t, ""), "", "has no context"},
		{"none", "", "", "no kubeconfig is given"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := ReduceKubeconfig(c.path, c.context)
			var e *EnvironmentError
			if !errors.As(err, &e) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v; want %q", err, c.says)
			}
		})
	}
}

func TestWritePrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "b")
	for range 2 {
		if err := WritePrivate(path, []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if left, _ := filepath.Glob(filepath.Dir(path) + "/.new-*"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
