package gotest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/pipeline/proc"
	"gitlab.com/selfcontained/pipeline/stages/gotool"
)

// Binaries are compiled test packages. Tests that need something that has to
// start first are compiled meanwhile, and the go command does not link again
// what it finds up to date in the stage's cache; `go test` itself links a test
// binary for every run.
type Binaries struct {
	files []binary
	err   error // why there are none
	// convert is the command that makes events of their output.
	convert []string
}

type binary struct {
	folder string // as the go command takes it: "./test/integration"
	file   string
}

// CompileAside begins to compile the tests with a build tag of the module at
// dir, and returns at once. wait returns the binaries, nil when there are no
// such tests; it has to be called, may be called again, and is quick after ctx
// has ended.
func CompileAside(ctx context.Context, job *pipeline.Job, dir, tag string) (wait func() *Binaries) {
	done := make(chan struct{})
	var b *Binaries
	go func() {
		defer close(done)
		files, err := gotool.TestFiles(dir, tag)
		if err != nil || len(files) == 0 || gotool.Require() != nil {
			return
		}
		defer job.Phase("compile the tests")()
		b = Compile(ctx, job, Options{Dir: dir, Args: []string{"-tags=" + tag}, Packages: gotool.Packages(files)})
	}()
	return func() *Binaries { <-done; return b }
}

// Compile compiles the tests of o.Packages, which are folders of the module,
// with o.Args as build flags. A failure is kept for Run.
func Compile(ctx context.Context, job *pipeline.Job, o Options) *Binaries {
	b := &Binaries{convert: converter(ctx, job, o.dir(job))}
	for _, folder := range o.Packages {
		sum := sha256.Sum256([]byte(folder))
		file := filepath.Join(job.Cache, hex.EncodeToString(sum[:8])+".test")
		if err := compile(ctx, job, o, folder, file); err != nil {
			b.err = err
			return b
		}
		b.files = append(b.files, binary{folder, file})
	}
	return b
}

// compile compiles the tests of one package, unless the file is made from
// exactly what is there now.
func compile(ctx context.Context, job *pipeline.Job, o Options, folder, file string) error {
	args := slices.Concat([]string{"test", "-c", "-vet=off", "-ldflags=-s -w"}, o.Args)
	key, known := binaryKey(o.dir(job), folder, args)
	mark := file + ".key"
	if known && upToDate(file, mark, key) {
		return nil
	}
	if err := os.Remove(mark); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	args = append(args, "-o", file, folder)
	if err := (gotool.Go{Job: job, Dir: o.dir(job), Env: o.Env, Log: io.Discard}).Command(args...).Run(ctx); err != nil || !known {
		return err
	}
	sum, err := evidence.SumFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // the package has no tests at all
	}
	if err != nil {
		return err
	}
	return os.WriteFile(mark, []byte(key+" "+sum.Hex()), 0o644)
}

// upToDate reports whether the mark says that this very file has the key.
func upToDate(file, mark, key string) bool {
	known, err := os.ReadFile(mark)
	if err != nil || !strings.HasPrefix(string(known), key+" ") {
		return false
	}
	sum, err := evidence.SumFile(file)
	return err == nil && string(known) == key+" "+sum.Hex()
}

// Run does what [Run] does with the compiled binaries, one after the other.
// Without them, because b is nil or did not compile, it is Run: the go command
// then says what is wrong. Of o, Run, TestArgs, Env and Dir count.
func (b *Binaries) Run(ctx context.Context, job *pipeline.Job, o Options) (*Result, error) {
	if b == nil || b.err != nil {
		return Run(ctx, job, o)
	}
	s := newStream(job)
	var failed error
	for _, f := range b.files {
		if _, err := os.Stat(f.file); err != nil {
			continue // the package has no tests at all
		}
		if err := s.run(ctx, f.command(job, o, b.convert)); err != nil {
			failed = err
		}
	}
	return s.result(ctx, job, o.dir(job), failed)
}

// command runs a binary as `go test` would: in the folder of its package, and
// ended by itself before the stage's time is up.
func (b binary) command(job *pipeline.Job, o Options, convert []string) proc.Cmd {
	args := []string{"-t", "-p", path.Join(gotool.Module(o.dir(job)), b.folder), b.file, "-test.v=test2json", "-test.paniconexit0"}
	for _, flag := range timeout(job.Node) {
		args = append(args, "-test."+strings.TrimPrefix(flag, "-"))
	}
	if o.Run != "" {
		args = append(args, "-test.run="+o.Run)
	}
	args = append(args, o.TestArgs...)
	cmd := gotool.Go{Job: job, Dir: filepath.Join(o.dir(job), filepath.FromSlash(b.folder)), Env: o.Env}.Command()
	cmd.Args = append(slices.Clone(convert), args...)
	return cmd
}

// dir is the root of the module.
func (o Options) dir(job *pipeline.Job) string {
	if o.Dir == "" {
		return job.Dir
	}
	return o.Dir
}

// stream reads the events of commands that run tests.
type stream struct {
	job    *pipeline.Job
	parser *parser
	stderr bytes.Buffer
}

func newStream(job *pipeline.Job) *stream { return &stream{job: job, parser: newParser(job.Log)} }

func (s *stream) run(ctx context.Context, cmd proc.Cmd) error {
	fmt.Fprintf(s.job.Log, "$ %s\n", proc.Quote(cmd.Args))
	lines := &splitter{line: s.parser.line}
	cmd.Stdout, cmd.Stderr = lines, io.MultiWriter(s.job.Log, &limited{w: &s.stderr, left: maxOutput})
	err := cmd.Run(ctx)
	lines.flush()
	return err
}

// result ends the stream. err is the error of a command, if there was one.
func (s *stream) result(ctx context.Context, job *pipeline.Job, dir string, err error) (*Result, error) {
	res := s.parser.finish()
	res.locate(dir, gotool.Module(dir))
	res.plain(s.stderr.String())
	res.stopped(err)
	job.Findings.Tests = append(job.Findings.Tests, res.Tests...)
	if f := res.Failure(); f != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return res, f // time is up: the tests that did not end are why
	}
	if ctx.Err() != nil {
		return res, err
	}
	if err != nil && res.Failed == 0 {
		if blame := gotool.Blame(err, res.text()); blame != nil {
			return res, blame
		}
	}
	return res, nil
}
