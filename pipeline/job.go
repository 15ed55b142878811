package pipeline

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"gitlab.com/selfcontained/pipeline/pipeline/proc"
)

// Job is all that a stage may touch while it runs.
type Job struct {
	Node *Node
	// Run is the id of the run; whatever a stage makes outside of its folders
	// is labelled with it.
	Run string
	// Dir is the service's folder. Stages do not write into it.
	Dir string
	// Out is an empty folder for the outputs; it is kept when the stage passes
	// and then read-only for those who need it.
	Out string
	// Kept is an empty folder for what should be looked at after a failure
	// (logs, events, diagnoses); it is kept whatever the outcome.
	Kept string
	// Scratch is an empty folder that is removed after the stage.
	Scratch string
	// Cache is a folder that outlives the run. It is this node's in this
	// checkout, one run at a time uses it, and it may be gone the next time.
	Cache string
	// Log is the stage's log. Secrets are masked in it. It may be written to
	// concurrently.
	Log io.Writer
	// Findings is to be filled by the stage.
	Findings *Findings
	// Temp is an empty folder for temporary files of commands, with a short
	// path; it is removed with the run.
	Temp string
	// Fresh asks not to believe anything that was found out earlier (--force).
	Fresh bool
	// Env is added to the environment of every command.
	Env []string

	needs   map[string]string
	say     func(string)
	publish func() error
	// background is whether others work with the outputs already.
	background bool

	started time.Time
	mu      sync.Mutex // guards Findings.Phases
}

// Say tells the observers what the stage is doing now, in a few words.
func (j *Job) Say(what string) {
	if j.say != nil {
		j.say(what)
	}
}

// Phase begins a part of the stage that people may want to know the time of;
// done ends it. Phases may overlap.
func (j *Job) Phase(name string) (done func()) {
	began := time.Now()
	return sync.OnceFunc(func() {
		took := time.Since(began)
		fmt.Fprintf(j.Log, "%6.2f s  %s\n", took.Seconds(), name)
		j.mu.Lock()
		defer j.mu.Unlock()
		j.Findings.Phases = append(j.Findings.Phases, Phase{Name: name, Start: began.Sub(j.started), Took: took})
		slices.SortStableFunc(j.Findings.Phases, func(a, b Phase) int { return cmp.Compare(a.Start, b.Start) })
	})
}

// Publish says that the outputs are complete: stages that need them may begin
// while this one goes on, and Out is not written to any more. What the stage
// does afterwards decides whether it passes, and thereby whether anything of
// what they do counts; its commands give way to theirs.
func (j *Job) Publish() error {
	j.background = true
	if j.publish == nil {
		return nil
	}
	return j.publish()
}

// Need returns the folder with the outputs of a stage of the same service
// (by its kind, "build") or of another (by its name, "stock/container"), and
// whether the node declared that need and has them. The folder is read-only.
func (j *Job) Need(kind string) (dir string, ok bool) {
	if dir, ok = j.needs[kind]; ok {
		return dir, true
	}
	dir, ok = j.needs[j.Node.Service+"/"+kind]
	return dir, ok
}

// Command returns a command in the service's folder whose output goes to the
// log.
func (j *Job) Command(args ...string) proc.Cmd {
	env := []string{proc.RunVariable + "=" + j.Run}
	if j.Temp != "" {
		env = append(env, "TMPDIR="+j.Temp)
	}
	return proc.Cmd{
		Args: args, Dir: j.Dir,
		Env:    append(env, j.Env...),
		Stdout: j.Log, Stderr: j.Log,
		Background: j.background || j.Node.Background,
	}
}

// NewJob returns a job with the given folders and the folders of what it needs,
// by the name of the stage.
func NewJob(node *Node, run, dir, out, kept, scratch string, log io.Writer, needs map[string]string) *Job {
	return &Job{
		Node: node, Run: run, Dir: dir, Out: out, Kept: kept, Scratch: scratch, Cache: scratch,
		started: time.Now(), Log: new(proc.Masker).Writer(log), Findings: &Findings{}, needs: needs,
	}
}
