package kindtest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// Diagnosis says which workloads of a namespace are not ready and why.
type Diagnosis struct {
	Namespace string
	// Workloads and Ready count Deployments, StatefulSets, DaemonSets, Jobs and
	// pods that belong to none of them.
	Workloads, Ready int
	// Problems has one entry for each workload that is not ready, the most
	// telling one first.
	Problems []Problem
}

// Problem is why one workload is not ready.
type Problem struct {
	Workload  string // for example "deployment/web 0/2 ready"
	Pod       string // the pod that shows it best; may be empty
	Phase     string // of that pod
	Container string // may be empty
	Reason    string // Kubernetes' word for it, for example "CrashLoopBackOff"
	Message   string // a sentence for people
	Hint      string // what to do; may be empty
	Restarts  int32
	Events    []string // warnings about pod and workload, the latest last
	Log       []string // the end of the container's log
	LogSource LogSource

	// Hopeless problems do not go away by waiting; that is certain once they
	// have lasted for Grace.
	Hopeless bool
	Grace    time.Duration

	rank rank
}

// rank orders problems by how much they explain. A crash explains why a
// neighbour that calls the crashed one is not ready, and not the other way.
type rank int

const (
	rankImage rank = iota
	rankConfig
	rankCrash
	rankFailed
	rankRefused
	rankSchedule
	rankUnready
	rankWaiting
)

// key is the same for what is one problem: a failing pull, for one, alternates
// between two reasons.
func (p *Problem) key() string {
	name, _, _ := strings.Cut(p.Workload, " ")
	return fmt.Sprint(name, " ", p.rank)
}

// Diagnose is a pure function of its argument.
func Diagnose(s *Snapshot) Diagnosis {
	d := Diagnosis{Namespace: s.Namespace}
	for _, w := range s.workloads() {
		d.Workloads++
		if w.ready {
			d.Ready++
			continue
		}
		p := s.problemOf(w)
		p.Log = lastLines(s.Logs[p.LogSource], logLines)
		d.Problems = append(d.Problems, p)
	}
	slices.SortStableFunc(d.Problems, func(a, b Problem) int { return cmp.Compare(a.rank, b.rank) })
	return d
}

// hopeless returns the first problem that has lasted long enough to be certain,
// and how long to wait for the next one to become so (0: none will).
func (d *Diagnosis) hopeless(now time.Time, since map[string]time.Time) (found *Problem, next time.Duration) {
	current := make(map[string]bool)
	for i := range d.Problems {
		p := &d.Problems[i]
		if !p.Hopeless {
			continue
		}
		current[p.key()] = true
		if _, ok := since[p.key()]; !ok {
			since[p.key()] = now
		}
		left := p.Grace - now.Sub(since[p.key()])
		if left <= 0 {
			return p, 0
		}
		if next == 0 || left < next {
			next = left
		}
	}
	for key := range since {
		if !current[key] {
			delete(since, key)
		}
	}
	return nil, next
}

// Cause is the most telling problem in one line, or "" when all is ready.
func (d Diagnosis) Cause() string {
	if len(d.Problems) == 0 {
		return ""
	}
	return d.Problems[0].line()
}

// maxListed keeps the summary short enough for the details of the first
// problem to be seen without scrolling.
const maxListed = 3

// String leads with the most likely cause; then one line for each of some other
// problems, then the details. The first 24 lines have all of the first problem.
func (d Diagnosis) String() string {
	if len(d.Problems) == 0 {
		return fmt.Sprintf("all %d workloads in namespace %s are ready\n", d.Workloads, d.Namespace)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "most likely cause: %s\n", d.Cause())
	fmt.Fprintf(&b, "%d of %d workloads in namespace %s are ready\n", d.Ready, d.Workloads, d.Namespace)
	for i, p := range d.Problems[1:] {
		if i == maxListed {
			fmt.Fprintf(&b, "and %d more\n", len(d.Problems)-1-i)
			break
		}
		fmt.Fprintf(&b, "also: %s\n", p.line())
	}
	for _, p := range d.Problems {
		p.write(&b)
	}
	return b.String()
}

func (p *Problem) line() string {
	s := p.Workload + ": "
	if p.Container != "" {
		s += "container " + p.Container + ": "
	}
	return s + p.Reason + ": " + clip(firstLine(p.Message), 300)
}

func (p *Problem) write(b *strings.Builder) {
	fmt.Fprintf(b, "%s\n", p.Workload)
	if p.Pod != "" {
		fmt.Fprintf(b, "  pod %s (%s)", p.Pod, p.Phase)
		if p.Container != "" {
			fmt.Fprintf(b, ", container %s, %d restarts", p.Container, p.Restarts)
		}
		b.WriteByte('\n')
	}
	fmt.Fprintf(b, "  %s: %s\n", p.Reason, clip(strings.Join(strings.Fields(p.Message), " "), 600))
	if p.Hint != "" {
		fmt.Fprintf(b, "  hint: %s\n", p.Hint)
	}
	for _, e := range p.Events {
		fmt.Fprintf(b, "  event: %s\n", e)
	}
	if len(p.Log) > 0 {
		which := ""
		if p.LogSource.Previous {
			which = " of the previous instance"
		}
		fmt.Fprintf(b, "  end of the log%s:\n", which)
	}
	for _, line := range p.Log {
		fmt.Fprintf(b, "    | %s\n", clip(line, 200))
	}
}

// maxEvents is how many different warnings a problem shows.
const maxEvents = 3

// eventLines merges repeated events and returns the latest few.
func eventLines(events []*corev1.Event) []string {
	count := make(map[string]int32)
	var order []string
	for _, e := range events {
		line := e.Reason + ": " + clip(strings.Join(strings.Fields(e.Message), " "), 300)
		if _, ok := count[line]; ok {
			order = slices.DeleteFunc(order, func(s string) bool { return s == line })
		}
		order = append(order, line)
		count[line] += max(e.Count, 1)
	}
	if len(order) > maxEvents {
		order = order[len(order)-maxEvents:]
	}
	for i, line := range order {
		if n := count[line]; n > 1 {
			order[i] = fmt.Sprintf("%s (%d times)", line, n)
		}
	}
	return order
}

func eventTime(e *corev1.Event) time.Time {
	for _, t := range []time.Time{e.LastTimestamp.Time, e.EventTime.Time, e.FirstTimestamp.Time} {
		if !t.IsZero() {
			return t
		}
	}
	return e.CreationTimestamp.Time
}

func lastLines(s string, n int) []string {
	s = strings.TrimRight(s, "\n")
	if s == "" {
		return nil
	}
	lines := strings.Split(s, "\n")
	return lines[max(0, len(lines)-n):]
}

// clip shortens s to n bytes at most, at a boundary between characters.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "..."
}
