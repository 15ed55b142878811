//go:build cluster

package cli

import (
	"bufio"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"gitlab.com/selfcontained/pipeline/kindtest"
	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/pipeline/proc"
	"gitlab.com/selfcontained/pipeline/stages/container"
)

// The tests of this file run in the cluster that `pipeline cluster up` makes,
// as users' runs do.

// TestClusterScripts runs the sessions in testdata/cluster.
func TestClusterScripts(t *testing.T) {
	params := scripts("testdata/cluster")
	isolated := params.Setup
	params.Setup = func(env *testscript.Env) error {
		if err := isolated(env); err != nil {
			return err
		}
		return shareCluster(env)
	}
	testscript.Run(t, params)
}

// shareCluster gives a script the cluster, and the built linter, of the
// machine's cache.
func shareCluster(env *testscript.Env) error {
	for _, name := range []string{"DOCKER_HOST", "CONTAINERS_CONF", "PIPELINE_TEST_CLUSTER"} {
		env.Setenv(name, os.Getenv(name))
	}
	cache, err := cacheDir()
	if err != nil {
		return err
	}
	env.Setenv("REAL_CACHE", cache)
	return nil
}

// checkout is a copy of an example service with a state of its own.
type checkout struct {
	dir   string
	flags []string
	env   []string
}

// copyOf copies a service into a temporary folder, without its state.
func copyOf(t *testing.T, service string) *checkout {
	t.Helper()
	c := &checkout{dir: filepath.Join(t.TempDir(), filepath.Base(service)), env: os.Environ()}
	err := filepath.WalkDir(service, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(service, name)
		if err != nil {
			return err
		}
		if d.IsDir() {
			if rel == "bin" || rel == ".pipeline" {
				return fs.SkipDir
			}
			return os.MkdirAll(filepath.Join(c.dir, rel), 0o755)
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(c.dir, rel), data, 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const stock = "../../../examples/shop/stock"

// edit replaces a text in a file, or appends to it when old is empty.
func (c *checkout) edit(t *testing.T, file, old, text string) {
	t.Helper()
	name := filepath.Join(c.dir, file)
	data, err := os.ReadFile(name)
	if err != nil && (old != "" || !errors.Is(err, fs.ErrNotExist)) {
		t.Fatal(err)
	}
	if !strings.Contains(string(data), old) {
		t.Fatalf("%s does not contain %q", file, old)
	}
	changed := string(data) + text
	if old != "" {
		changed = strings.Replace(string(data), old, text, 1)
	}
	if err := os.WriteFile(name, []byte(changed), 0o644); err != nil {
		t.Fatal(err)
	}
}

// outcome is what a run showed and left.
type outcome struct {
	code   int
	text   string // stdout and stderr as on a terminal
	record *pipeline.Record
}

// run runs the stages as a user does.
func (c *checkout) run(t *testing.T, args ...string) outcome {
	t.Helper()
	cmd := exec.Command("pipeline", slices.Concat([]string{"run", "-C", c.dir}, c.flags, args)...)
	cmd.Env = c.env
	text, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	rec, err := pipeline.ReadRecord(pipeline.OpenCheckout(c.dir).LastRun())
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return outcome{cmd.ProcessState.ExitCode(), string(text), rec}
}

// TestBrokenVariants breaks stock in one way at a time: exactly one stage must
// be red, those before it passed, and the cause among the first lines.
func TestBrokenVariants(t *testing.T) {
	for _, v := range []struct {
		name  string
		edits [][3]string
		stage string
		cause string
	}{
		{"syntax error", [][3]string{{"internal/server/convert.go", "i.Available(),", "i.Available(,"}},
			"build", "internal/server/convert.go:15:26"},
		{"stale generated code", [][3]string{{"proto/stock/v1/stock.proto", "message GetItemRequest {", "message GetItemRequest {\n  // New.\n  string note = 99;"}},
			"build", "gen/stock/v1/stock.pb.go"},
		{"failing unit test", [][3]string{{"internal/stock/red_test.go", "", "package stock\n\nimport \"testing\"\n\nfunc TestRed(t *testing.T) { t.Error(\"one is not two\") }\n"}},
			"unit", "one is not two"},
		{"file missing in the image", [][3]string{{"cmd/stock/main.go", "func main() {", "func main() {\n\tif _, err := os.Stat(\"/etc/stock/limits.json\"); err != nil {\n\t\tprintln(err.Error())\n\t\tos.Exit(1)\n\t}\n\t"}},
			"module", "/etc/stock/limits.json"},
		{"flag registered twice", [][3]string{{"cmd/stock/main.go", "func main() {", "func main() {\n\tflag.Int(\"port\", 0, \"\")\n\tflag.Int(\"port\", 0, \"\")\n\t"}, {"cmd/stock/main.go", "import (", "import (\n\t\"flag\"\n"}},
			"module", "redefined: port"},
		{"crash loop in the cluster", [][3]string{{"chart/templates/workload.yaml", "- --data=/data", "- --data=/data\n            - --no-such-flag"}},
			"integration", "no-such-flag"},
		{"readiness never true", [][3]string{
			{"chart/templates/workload.yaml", "readinessProbe:\n            {{- include \"stock.probe\" . | nindent 12 }}", "readinessProbe:\n            exec: {command: [/stock, health, --port=1]}"},
			{"pipeline.yaml", "integration:", "integration:\n  ready: 30s"},
		}, "integration", "Readiness probe failed"},
		{"wrong answer over gRPC", [][3]string{{"internal/server/convert.go", "Reserved:  i.Reserved,", "Reserved:  i.Reserved + int64(len(os.Getenv(\"KUBERNETES_SERVICE_HOST\"))),"}, {"internal/server/convert.go", "import (", "import (\n\t\"os\"\n"}},
			"integration", "TestOneKeyReservesOnce"},
	} {
		t.Run(v.name, func(t *testing.T) {
			c := copyOf(t, stock)
			for _, e := range v.edits {
				c.edit(t, e[0], e[1], e[2])
			}
			got := c.run(t)
			checkRed(t, got, v.stage, v.cause)
		})
	}
}

// shownLines is within how many lines a person must see the cause.
const shownLines = 24

func checkRed(t *testing.T, got outcome, stage, cause string) {
	t.Helper()
	if got.code != exitFailed {
		t.Errorf("exit code %d, want %d", got.code, exitFailed)
	}
	for _, r := range got.record.Results {
		if red := r.Status == pipeline.Failed; red != (r.Kind == stage) {
			t.Errorf("%s is %s: %s", r.Node, r.Status, r.Message)
		}
	}
	for _, before := range earlier(stage) {
		if r := got.record.Result("stock/" + before); r == nil || r.Status != pipeline.Passed {
			t.Errorf("%s, which is before %s, is %+v", before, stage, r)
		}
	}
	lines := strings.SplitAfter(got.text, "\n")
	if first := strings.Join(lines[:min(shownLines, len(lines))], ""); !strings.Contains(first, cause) {
		t.Errorf("the first %d lines do not name %q", shownLines, cause)
	}
	if t.Failed() {
		t.Logf("output:\n%s", got.text)
	}
}

// earlier returns the stages that must have passed before one can run.
func earlier(stage string) []string {
	chain := map[string][]string{
		"unit": {"build"}, "module": {"build", "container"}, "integration": {"build", "container", "module"},
	}
	return chain[stage]
}

// TestOneBundleWhereverItIsBuilt builds the same sources in another path, with
// another home, umask and time, and with empty caches.
func TestOneBundleWhereverItIsBuilt(t *testing.T) {
	digest := func(c *checkout, umask int) string {
		old := syscall.Umask(umask)
		defer syscall.Umask(old)
		if got := c.run(t, "container"); got.code != exitOK {
			t.Fatal(got.text)
		}
		data, err := os.ReadFile(filepath.Join(c.dir, ".pipeline", "out", "stock", "container", "bundle.json"))
		if err != nil {
			t.Fatal(err)
		}
		var bundle struct{ Digest string }
		if err := json.Unmarshal(data, &bundle); err != nil || bundle.Digest == "" {
			t.Fatalf("bundle %s: %v", data, err)
		}
		return bundle.Digest
	}
	here, there := copyOf(t, stock), copyOf(t, stock)
	modcache, err := exec.Command("go", "env", "GOMODCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	there.env = append(there.env, "HOME="+home, "PIPELINE_CACHE="+t.TempDir(), "GOCACHE="+t.TempDir(),
		"GOMODCACHE="+strings.TrimSpace(string(modcache)), "TZ=Asia/Tokyo", "LC_ALL=C")
	if a, b := digest(here, 0o022), digest(there, 0o077); a != b {
		t.Errorf("two digests for one source:\n%s\n%s", a, b)
	}
}

// TestPodRunsTheRecordedDigest takes the host's binary away before the module
// stage, and reads what ran in the cluster from the stage's log.
func TestPodRunsTheRecordedDigest(t *testing.T) {
	c := copyOf(t, "testdata/tiny")
	if got := c.run(t, "container"); got.code != exitOK {
		t.Fatal(got.text)
	}
	out := filepath.Join(c.dir, ".pipeline", "out", "tiny")
	if err := os.RemoveAll(filepath.Join(out, "build")); err != nil {
		t.Fatal(err)
	}
	if got := c.run(t, "module", "integration", "--only", "--force"); got.record.Result("tiny/module").Status != pipeline.Passed {
		t.Fatalf("without the host's binary:\n%s", got.text)
	}
	data, err := os.ReadFile(filepath.Join(out, "container", "bundle.json"))
	if err != nil {
		t.Fatal(err)
	}
	var bundle struct{ Digest string }
	if err := json.Unmarshal(data, &bundle); err != nil {
		t.Fatal(err)
	}
	rec, err := pipeline.ReadRecord(pipeline.OpenCheckout(c.dir).LastRun())
	if err != nil {
		t.Fatal(err)
	}
	log, err := os.ReadFile(rec.Result("tiny/integration").Log)
	if err != nil || !strings.Contains(string(log), "@"+bundle.Digest) {
		t.Errorf("the log of integration does not show a pod with %s (%v):\n%s", bundle.Digest, err, log)
	}
}

// TestNoCredentialInImageOrLog looks for private keys in every layer of stock's
// bundle and in everything that a run with TLS wrote.
func TestNoCredentialInImageOrLog(t *testing.T) {
	c := copyOf(t, stock)
	if got := c.run(t, "build", "container", "integration", "--force"); got.code != exitOK {
		t.Fatal(got.text)
	}
	state := filepath.Join(c.dir, ".pipeline")
	found, err := container.Secrets(filepath.Join(state, "out", "stock", "container", "oci"))
	if err != nil || len(found) > 0 {
		t.Errorf("in the image: %v (%v)", found, err)
	}
	files := 0
	err = filepath.WalkDir(filepath.Join(state, "runs"), func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files++
		data, err := os.ReadFile(name)
		if strings.Contains(string(data), "PRIVATE KEY-----") {
			t.Errorf("a private key in %s", name)
		}
		return err
	})
	if err != nil || files < 5 {
		t.Errorf("%d files were read: %v", files, err)
	}
}

// TestFullDisk lets the disk of the shared cache be full.
func TestFullDisk(t *testing.T) {
	c, cache := copyOf(t, "testdata/tiny"), t.TempDir()
	if err := syscall.Mount("tmpfs", cache, "tmpfs", 0, "size=256k"); err != nil {
		t.Fatalf("mount a small file system (root only): %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(cache, 0) })
	c.env = append(c.env, "PIPELINE_CACHE="+cache)
	got := c.run(t, "container")
	if got.code != exitEnvironment || !strings.Contains(got.text, "no space left on device") {
		t.Errorf("exit code %d, want %d and the reason:\n%s", got.code, exitEnvironment, got.text)
	}
	if err := syscall.Unmount(cache, 0); err != nil {
		t.Fatal(err)
	}
	if got := c.run(t, "container"); got.code != exitOK {
		t.Errorf("with space again:\n%s", got.text)
	}
}

// TestKill kills the program in each stage; the next run must succeed and leave
// everything as it was before.
func TestKill(t *testing.T) {
	warm := copyOf(t, "testdata/tiny")
	if got := warm.run(t); got.code != exitOK {
		t.Fatal(got.text)
	}
	for _, stage := range []string{"build", "unit", "lint", "container", "module", "integration"} {
		t.Run(stage, func(t *testing.T) {
			c := copyOf(t, "testdata/tiny")
			c.flags = []string{"--wait-cleanup"}
			c.edit(t, "handler.go", "return 2 * n", "return n + n /* "+stage+" */")
			tmp := t.TempDir()
			c.env = append(c.env, "TMPDIR="+tmp)
			before := c.takeStock(t, tmp)
			run := c.killIn(t, stage)
			killed := c.takeStock(t, tmp)
			got := c.run(t)
			if got.code != exitOK {
				t.Fatalf("the run after the kill:\n%s", got.text)
			}
			if !strings.Contains(got.text, run) {
				t.Errorf("the run after the kill does not say that it freed what %s left:\n%s", run, got.text)
			}
			after := c.takeStock(t, tmp)
			t.Logf("killed in %s: before %+v, just after the kill %+v, after the next run %+v", stage, before, killed, after)
			if before != after {
				t.Errorf("before %+v\nafter  %+v", before, after)
			}
			c.checkState(t)
		})
	}
}

// TestInterrupt sends Ctrl-C in the middle of the last stage: the run cleans up
// by itself, and says how it ended.
func TestInterrupt(t *testing.T) {
	c := copyOf(t, "testdata/tiny")
	tmp := t.TempDir()
	c.flags, c.env = []string{"--wait-cleanup"}, append(c.env, "TMPDIR="+tmp)
	before := c.takeStock(t, tmp)
	cmd, _ := c.interrupt(t, syscall.SIGINT, func(e pipeline.Event) bool { return busy(e, "integration") })
	if code := cmd.ProcessState.ExitCode(); code != exitCancelled {
		t.Errorf("exit code %d, want %d", code, exitCancelled)
	}
	rec, err := pipeline.ReadRecord(pipeline.OpenCheckout(c.dir).LastRun())
	if err != nil || rec.Status != pipeline.Cancelled || rec.Result("tiny/integration").Status != pipeline.Cancelled {
		t.Errorf("the record says %+v (%v)", rec, err)
	}
	if after := c.takeStock(t, tmp); before != after {
		t.Errorf("before %+v\nafter  %+v", before, after)
	}
	c.checkState(t)
}

// killIn starts a run and kills it when the stage has begun to do something. It
// returns the id of the run.
func (c *checkout) killIn(t *testing.T, stage string) string {
	t.Helper()
	cmd, run := c.interrupt(t, syscall.SIGKILL, func(e pipeline.Event) bool { return busy(e, stage) })
	if cmd.ProcessState.ExitCode() != -1 {
		t.Fatalf("the run ended before it could be killed in %s", stage)
	}
	return run
}

// interrupt sends a signal to a run at the first event that fits, and waits for
// its end. It returns the run's id.
func (c *checkout) interrupt(t *testing.T, sig os.Signal, when func(pipeline.Event) bool, args ...string) (*exec.Cmd, string) {
	t.Helper()
	cmd := exec.Command("pipeline", slices.Concat([]string{"run", "--json", "-C", c.dir, "--force"}, c.flags, args)...)
	cmd.Env = c.env
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	run, sent := "", false
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var e pipeline.Event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			t.Fatal(err)
		}
		if e.Run != "" {
			run = e.Run
		}
		if !sent && when(e) {
			sent = true
			if err := cmd.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); !sent {
		t.Fatalf("the run ended (%v) before it could be interrupted", err)
	}
	return cmd, run
}

// busy reports whether an event shows that a stage is in the middle of its
// work: integration with a namespace and an image on its way.
func busy(e pipeline.Event, stage string) bool {
	if e.Node != "tiny/"+stage {
		return false
	}
	if stage == "integration" {
		return e.Type == pipeline.EventSay && strings.HasPrefix(e.Text, "loading")
	}
	return e.Type == pipeline.EventStart
}

// inventory is what a checkout's runs could have left on the machine. Other
// tests may be at work at the same time: only what belongs to these runs counts.
type inventory struct {
	mounts, containers, namespaces, temporary, processes int
}

func (c *checkout) takeStock(t *testing.T, tmp string) inventory {
	t.Helper()
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	left, _ := filepath.Glob(filepath.Join(tmp, "*"))
	stock := inventory{mounts: strings.Count(string(mounts), filepath.Dir(c.dir)), temporary: len(left)}
	leases := liveLeases(t)
	runs, _ := filepath.Glob(filepath.Join(c.dir, ".pipeline", "runs", "*"))
	for _, dir := range runs {
		run := filepath.Base(dir)
		out, err := exec.Command("docker", "ps", "-aq", "--filter", "label=pipeline.run="+run).Output()
		if err != nil {
			t.Fatal(err)
		}
		stock.containers += len(strings.Fields(string(out)))
		stock.namespaces += leases[run]
		stock.processes += len(proc.Strays(run))
	}
	return stock
}

// liveLeases counts the namespaces of each run that are not being deleted.
func liveLeases(t *testing.T) map[string]int {
	t.Helper()
	out, err := exec.Command("pipeline", "cluster", "list").Output()
	if err != nil {
		t.Fatal(err)
	}
	var leases []kindtest.Leased
	if err := json.Unmarshal(out, &leases); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	live := map[string]int{}
	for _, l := range leases {
		if !l.Terminating {
			live[l.Run]++
		}
	}
	return live
}

// checkState looks for what a killed run could have left in the checkout.
func (c *checkout) checkState(t *testing.T) {
	t.Helper()
	for _, pattern := range []string{"out/*/.*", "runs/*/scratch", "runs/*/lock"} {
		if left, _ := filepath.Glob(filepath.Join(c.dir, ".pipeline", pattern)); len(left) > 0 {
			t.Errorf("left in the checkout: %v", left)
		}
	}
	if dead := pipeline.OpenCheckout(c.dir).DeadRuns(); len(dead) > 0 {
		t.Errorf("runs that nobody buried: %v", dead)
	}
}
