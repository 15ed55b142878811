package container_test

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/stages/container"
)

// BenchmarkBundle makes the bundle of a 15 MB program: below 400 ms on one
// core. The program is the go command or, without one, this test.
func BenchmarkBundle(b *testing.B) {
	data, err := os.ReadFile(program(b))
	if err != nil {
		b.Fatal(err)
	}
	data = data[:min(len(data), 15<<20)]
	_, service := shop(b)
	build := built(b, "shop", map[string]string{"linux/amd64": string(data)})
	dir := b.TempDir()
	i := 0
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		i++
		out := filepath.Join(dir, strconv.Itoa(i))
		node := &pipeline.Node{Name: "shop/container", Service: "shop", Kind: "container"}
		job := pipeline.NewJob(node, "run", service.Dir, out, out, out, io.Discard, map[string]string{"shop/build": build})
		stage := container.New(container.Options{Service: service, Version: "1.2.3"})
		if err := stage.Run(b.Context(), job); err != nil {
			b.Fatal(err)
		}
		if err := os.RemoveAll(out); err != nil {
			b.Fatal(err)
		}
	}
}

// program returns the path of the go command, or of this test without one.
func program(b *testing.B) string {
	b.Helper()
	if path, err := exec.LookPath("go"); err == nil {
		return path
	}
	path, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	return path
}

func BenchmarkKey(b *testing.B) {
	_, service := shop(b)
	stage := container.New(container.Options{Service: service, Version: "1.2.3"})
	for b.Loop() {
		var in evidence.Inputs
		if err := stage.Key(b.Context(), &in); err != nil {
			b.Fatal(err)
		}
	}
}
