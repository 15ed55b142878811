//go:build cluster

package story

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"gitlab.com/selfcontained/pipeline/kindtest"
	"gitlab.com/selfcontained/pipeline/kindtest/kind"
)

// TestStory runs the sessions in testdata/script with the built program, in the
// world that examples/shop/system makes.
func TestStory(t *testing.T) {
	root, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	commands := (&forge{}).commands()
	maps.Copy(commands, map[string]func(*testscript.TestScript, bool, []string){
		"exits": exits, "culprits": culprits, "scale": scale, "namespaces": namespaces,
	})
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script", RequireExplicitExec: true, Cmds: commands,
		Setup: func(env *testscript.Env) error { return setUp(t, env, root) },
	})
}

// setUp gives a script the program, the caches and the cluster of this machine,
// and a world of its own.
func setUp(t *testing.T, env *testscript.Env, root string) error {
	binary := filepath.Join(root, "bin", "pipeline")
	if _, err := os.Stat(binary); err != nil {
		return errors.New("bin/pipeline is missing; `make build` makes it")
	}
	for _, name := range []string{"GOCACHE", "GOMODCACHE", "GOPROXY", "GOFLAGS", "GOSUMDB"} {
		out, err := exec.Command("go", "env", name).Output()
		if err != nil {
			return err
		}
		env.Setenv(name, strings.TrimSpace(string(out)))
	}
	for _, name := range []string{"DOCKER_HOST", "CONTAINERS_CONF", "PIPELINE_CACHE"} {
		env.Setenv(name, os.Getenv(name))
	}
	if os.Getenv("PIPELINE_CACHE") == "" {
		dir, err := os.UserCacheDir()
		if err != nil {
			return err
		}
		env.Setenv("PIPELINE_CACHE", filepath.Join(dir, "pipeline"))
	}
	world := filepath.Join(env.WorkDir, "world")
	env.Setenv("PATH", filepath.Dir(binary)+string(filepath.ListSeparator)+filepath.Join(root, "examples", "shop", "system")+
		string(filepath.ListSeparator)+os.Getenv("PATH"))
	env.Setenv("PIPELINE", binary)
	env.Setenv("WORLD", world)
	env.Setenv("PIPELINE_SIGNING_PASSWORD", "demo")
	env.Setenv("PIPELINE_SIGNING_KEY", filepath.Join(world, "keys", "release.key"))
	env.Setenv("GIT_CEILING_DIRECTORIES", filepath.Dir(env.WorkDir))
	env.Defer(func() { tidy(t, env, root) })
	return nil
}

// tidy ends the registry and removes the namespaces of the script's environments.
func tidy(t *testing.T, env *testscript.Env, root string) {
	down := exec.Command(filepath.Join(root, "examples", "shop", "system", "world.sh"), "down")
	down.Env = append(os.Environ(), "WORLD="+env.Getenv("WORLD"), "PIPELINE="+env.Getenv("PIPELINE"))
	if out, err := down.CombinedOutput(); err != nil {
		t.Errorf("world.sh down: %v\n%s", err, out)
	}
	data, err := os.ReadFile(filepath.Join(env.WorkDir, "namespaces"))
	if err != nil {
		return // the script has not come that far
	}
	client, err := cluster(env.Getenv("PIPELINE_CACHE"))
	if err != nil {
		t.Error(err)
		return
	}
	for name := range strings.FieldsSeq(string(data)) {
		_ = client.Client().CoreV1().Namespaces().Delete(context.Background(), name, metav1.DeleteOptions{}) // there or not
	}
}

// cluster attaches to the cluster that the program uses.
func cluster(cache string) (*kindtest.Cluster, error) {
	p, err := kind.New(kind.Options{CacheDir: cache})
	if err != nil {
		return nil, err
	}
	c, err := p.Attach(context.Background())
	if err == nil && c == nil {
		err = errors.New("there is no cluster")
	}
	return c, err
}

// exits runs a command and checks its exit code: exits CODE COMMAND ARG...
func exits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// culprits reads the JSON of an update and compares the culprits that it names:
// culprits FILE 'stock 0.1.2' 'cart 0.1.2 + stock 0.1.3'.
func culprits(ts *testscript.TestScript, _ bool, args []string) {
	var result struct {
		Search struct {
			Culprits []struct {
				Changes []struct{ Service, To string }
			}
		}
	}
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &result))
	var got []string
	for _, c := range result.Search.Culprits {
		var names []string
		for _, change := range c.Changes {
			names = append(names, change.Service+" "+change.To)
		}
		slices.Sort(names)
		got = append(got, strings.Join(names, " + "))
	}
	slices.Sort(got)
	if want := slices.Sorted(slices.Values(args[1:])); !slices.Equal(got, want) {
		ts.Fatalf("the culprits are %q, want %q", got, want)
	}
}

// scale changes a deployment by hand: scale NAMESPACE DEPLOYMENT REPLICAS.
func scale(ts *testscript.TestScript, _ bool, args []string) {
	c, err := cluster(ts.Getenv("PIPELINE_CACHE"))
	ts.Check(err)
	patch := []byte(`{"spec":{"replicas":` + args[2] + `}}`)
	_, err = c.Client().AppsV1().Deployments(args[0]).Patch(context.Background(), args[1], types.MergePatchType, patch, metav1.PatchOptions{})
	ts.Check(err)
}

// namespaces gives the environments of an scs.yaml namespaces that no other test
// uses, and notes them for tidy: namespaces FILE.
func namespaces(ts *testscript.TestScript, _ bool, args []string) {
	text := ts.ReadFile(args[0])
	suffix := filepath.Base(ts.Getenv("WORK")) + "-" + strconv.Itoa(os.Getpid())
	var names []string
	for _, env := range []string{"staging", "production"} {
		name := "shop-" + env + "-" + strings.ToLower(strings.NewReplacer("_", "-", ".", "-").Replace(suffix))
		if !strings.Contains(text, "  - name: "+env+"\n") {
			ts.Fatalf("%s has no environment %s", args[0], env)
		}
		text = strings.Replace(text, "  - name: "+env+"\n", "  - name: "+env+"\n    namespace: "+name+"\n", 1)
		names = append(names, name)
		ts.Setenv("NAMESPACE_"+strings.ToUpper(env), name)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o644))
	ts.Check(os.WriteFile(filepath.Join(ts.Getenv("WORK"), "namespaces"), []byte(strings.Join(names, " ")), 0o644))
}
