package templates

import (
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// commands are the lines that GitLab runs in one shell for a job.
func commands(t *testing.T, job any) string {
	t.Helper()
	var lines []string
	var add func(any)
	add = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, item := range v {
				add(item)
			}
		case string:
			lines = append(lines, v)
		}
	}
	body := job.(map[string]any)
	add(body["before_script"])
	add(body["script"])
	if len(lines) < 2 {
		t.Fatalf("the job has no commands: %v", body)
	}
	return strings.Join(lines, "\n")
}

// shell runs a script as GitLab's runner does, with a recorder as the program: it
// prints its arguments, one a line.
func shell(t *testing.T, name, script string, env ...string) string {
	t.Helper()
	dir := t.TempDir()
	recorder := "#!/bin/sh\nfor arg; do printf '[%s]' \"$arg\"; done\necho\n"
	if err := os.WriteFile(filepath.Join(dir, "pipeline"), []byte(recorder), 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), name, "-e", "-c", script)
	cmd.Dir = dir
	cmd.Env = append([]string{"PATH=" + dir + ":" + os.Getenv("PATH"), "HOME=" + dir, "TMPDIR=" + dir}, env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}

// TestCluster runs the commands of jobs that need a cluster where there is none,
// one of a kubeconfig, or the one around.
func TestCluster(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	if err := os.MkdirAll(filepath.Join(home, ".kube"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(home, ".kube", "config"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	given := map[string]any{"node-image": "node:1", "cluster-registry": "registry.example.com/ci images"}
	for _, v := range []struct {
		cluster string
		env     []string
		want    string
	}{
		{"auto", nil, "cluster: kind\n[--node-image][node:1]\n"},
		{"auto", []string{"KUBECONFIG=/etc/kube a:/etc/kube-b", "KUBE_CONTEXT=shop/agents:ci"},
			"cluster: the context shop/agents:ci of /etc/kube a:/etc/kube-b\n[--kubeconfig][/etc/kube a:/etc/kube-b][--kube-context][shop/agents:ci][--cluster-registry][registry.example.com/ci images]\n"},
		{"auto", []string{"HOME=" + home},
			"cluster: the context that is the only one of HOME/.kube/config\n[--kubeconfig][HOME/.kube/config][--kube-context][][--cluster-registry][registry.example.com/ci images]\n"},
		{"kind", []string{"KUBECONFIG=/etc/kube"}, "[--node-image][node:1]\n"},
		{"dind", []string{"KUBECONFIG=/etc/kube"}, "[--node-image][node:1]\n"},
	} {
		for component, calls := range map[string][2]string{
			"service": {"pipeline-integration", "[run][integration][--only][--dir][.]"},
			"scs":     {"system-test", "[scs][test][--dir][.]"},
		} {
			given["cluster"] = v.cluster
			jobs, err := read(t, component).jobsWith(given)
			if err != nil {
				t.Fatal(err)
			}
			want := strings.Replace(strings.ReplaceAll(v.want, "HOME", home), "[", calls[1]+"[", 1)
			for _, name := range []string{"sh", "bash"} {
				if diff := cmp.Diff(want, shell(t, name, commands(t, jobs[calls[0]]), v.env...)); diff != "" {
					t.Errorf("%s, %s, %s: %s", component, v.cluster, v.env, diff)
				}
			}
		}
	}
}

// TestClusterAround runs the commands of jobs in what looks like a pod: the
// program reaches the API server there with the pod's account.
func TestClusterAround(t *testing.T) {
	t.Parallel()
	name, err := program()
	if err != nil {
		t.Fatal(err)
	}
	for component, job := range map[string]string{"service": "pipeline-integration", "scs": "system-deploy-staging"} {
		asked := map[string]bool{}
		seen := make(chan string, 1000)
		api := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			seen <- r.Header.Get("Authorization")
			http.Error(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","code":403}`, http.StatusForbidden)
		}))
		account := t.TempDir()
		for file, data := range map[string][]byte{
			"token":  []byte("the pod's token\n"),
			"ca.crt": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: api.Certificate().Raw}),
		} {
			if err := os.WriteFile(filepath.Join(account, file), data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		jobs, err := read(t, component).jobsWith(nil)
		if err != nil {
			t.Fatal(err)
		}
		script := strings.ReplaceAll(commands(t, jobs[job]), "/var/run/secrets/kubernetes.io/serviceaccount", account)
		script += fmt.Sprintf("\n%s cluster list --kubeconfig \"$KUBECONFIG\" 2>&1 || true\n", name)
		host, port, _ := strings.Cut(strings.TrimPrefix(api.URL, "https://"), ":")
		out := shell(t, "sh", script, "KUBERNETES_SERVICE_HOST="+host, "KUBERNETES_SERVICE_PORT="+port, "PIPELINE_CACHE="+t.TempDir())
		api.Close()
		close(seen)
		for header := range seen {
			asked[header] = true
		}
		if diff := cmp.Diff(map[string]bool{"Bearer the pod's token": true}, asked); diff != "" {
			t.Errorf("%s: what the API server was shown: %s\n%s", component, diff, out)
		}
		if !strings.Contains(out, "cluster: the one that this job's pod is in") || !strings.Contains(out, "[--kubeconfig][/") {
			t.Errorf("%s: the job does not take that cluster:\n%s", component, out)
		}
	}
}
