package registry

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/attach/registrytest"
)

func sortedWords(words []string) []string {
	slices.Sort(words)
	return words
}

func output(t *testing.T, program string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	home := t.TempDir()
	cmd.Dir = home
	cmd.Env = append(os.Environ(), "HOME="+home)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", filepath.Base(program), strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// each runs a test on what was released as 1.4.2 in each kind of registry.
func each(t *testing.T, test func(t *testing.T, ref string, b bundle)) {
	t.Helper()
	for _, kind := range registries() {
		t.Run(kind.Name, func(t *testing.T) {
			t.Parallel()
			ref, b := kind.Start(t)+"/shop/stock", aBundle(t, "1.4.2")
			if err := release(t, ref, b, "1.4.2", nil); err != nil {
				t.Fatal(err)
			}
			test(t, ref, b)
		})
	}
}

func TestSkopeo(t *testing.T) {
	t.Parallel()
	skopeo := registrytest.Installed(t, "skopeo")
	each(t, func(t *testing.T, ref string, b bundle) {
		var list struct{ Tags []string }
		if err := json.Unmarshal([]byte(output(t, skopeo, "list-tags", "--tls-verify=false", "docker://"+ref)), &list); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"1", "1.4", "1.4.2"}, sortedWords(list.Tags)); diff != "" {
			t.Errorf("tags (-want +got):\n%s", diff)
		}
		raw := output(t, skopeo, "inspect", "--raw", "--tls-verify=false", "docker://"+ref+":1.4")
		if got := evidence.Sum([]byte(raw)); got != b.Digest() {
			t.Errorf("1.4 is %s; expected %s", got, b.Digest())
		}
		output(t, skopeo, "copy", "--all", "--src-tls-verify=false", "docker://"+ref+":1", "oci:copy")
	})
}

func TestCrane(t *testing.T) {
	t.Parallel()
	crane := registrytest.Built(t, registrytest.Crane)
	each(t, func(t *testing.T, ref string, b bundle) {
		tags := strings.Fields(output(t, crane, "ls", ref))
		if diff := cmp.Diff([]string{"1", "1.4", "1.4.2"}, sortedWords(tags)); diff != "" {
			t.Errorf("tags (-want +got):\n%s", diff)
		}
		if got := output(t, crane, "digest", ref+":1"); got != string(b.Digest()) {
			t.Errorf("1 is %s; expected %s", got, b.Digest())
		}
		output(t, crane, "validate", "--remote", ref+"@"+string(b.Digest()))
	})
}

func TestHelm(t *testing.T) {
	t.Parallel()
	helm := registrytest.Built(t, registrytest.Helm)
	each(t, func(t *testing.T, ref string, b bundle) {
		dir := t.TempDir()
		out := output(t, helm, "pull", "oci://"+ref+"/charts/stock", "--version", "1.4.2", "--plain-http", "--destination", dir)
		if !strings.Contains(out, string(b.chart)) {
			t.Errorf("helm pulled\n%s\nexpected %s", out, b.chart)
		}
		if show := output(t, helm, "show", "chart", filepath.Join(dir, "stock-1.4.2.tgz")); !strings.Contains(show, "version: 1.4.2") {
			t.Errorf("the chart is\n%s", show)
		}
	})
}
