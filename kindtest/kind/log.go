package kind

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"sigs.k8s.io/kind/pkg/log"
)

// logTail is how many lines of kind's log an error shows.
const logTail = 20

// logger is kind's logger and our own. It writes one plain line for each
// finished step to out, and keeps the last of everything for errors.
//
// kind reports a step by a line when it begins and one when it ends
// (pkg/internal/cli/status.go): " • NAME  ...", then " ✓ NAME" or " ✗ NAME".
type logger struct {
	cluster string
	now     func() time.Time

	mu    sync.Mutex
	out   io.Writer
	begun time.Time // of kind's current step
	lines []string
}

func newLogger(cluster string, out io.Writer) *logger {
	return &logger{cluster: cluster, now: time.Now, out: out}
}

// printf writes a line about the cluster.
func (l *logger) printf(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := fmt.Sprintf(format, args...)
	l.keep(text)
	l.print(text)
}

// finished writes a line about a step that took the given time.
func (l *logger) finished(step string, took time.Duration) {
	l.printf("%s (%.1f s)", step, took.Seconds())
}

// print and keep are called with the lock held.
func (l *logger) print(text string) { fmt.Fprintf(l.out, "  cluster %s: %s\n", l.cluster, text) }

func (l *logger) keep(text string) {
	l.lines = append(l.lines, text)
	if n := len(l.lines); n > logTail {
		l.lines = slices.Delete(l.lines, 0, n-logTail)
	}
}

// tail returns the last lines, also those that were not printed.
func (l *logger) tail() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.lines)
}

// report takes a message of kind's.
func (l *logger) report(message string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(message) {
		text := plain(line)
		if text == "" {
			continue
		}
		l.keep(text)
		switch line = strings.TrimSpace(line); {
		case strings.HasPrefix(line, "•"):
			l.begun = l.now()
		case strings.HasPrefix(line, "✓"):
			l.print(fmt.Sprintf("%s (%.1f s)", stepDone(text), l.now().Sub(l.begun).Seconds()))
		case strings.HasPrefix(line, "✗"):
			l.print(fmt.Sprintf("failed: %s (%.1f s)", text, l.now().Sub(l.begun).Seconds()))
		case strings.HasPrefix(line, "Deleted nodes"):
			l.print("node deleted")
		}
	}
}

// plain removes kind's pictures and marks.
func plain(line string) string {
	line = strings.Map(func(r rune) rune {
		if r > unicode.MaxLatin1 {
			return -1
		}
		return r
	}, line)
	return strings.TrimSpace(line)
}

// stepDone says what is so after one of kind's steps. Steps of later versions
// of kind are called what kind calls them.
func stepDone(name string) string {
	if m := regexp.MustCompile(`^Ensuring node image \((.+)\)$`).FindStringSubmatch(name); m != nil {
		return "node image " + m[1] + " found"
	}
	switch name {
	case "Preparing nodes":
		return "node started"
	case "Writing configuration":
		return "configuration written"
	case "Starting control-plane":
		return "control plane started"
	case "Installing CNI":
		return "network installed"
	case "Installing StorageClass":
		return "storage class installed"
	}
	return name
}

// The methods of log.Logger.

// Warn is for the end of an error's message only: what kind warns of (cgroup
// v1, podman being experimental) matters when the creation fails.
func (l *logger) Warn(message string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.keep("warning: " + plain(message))
}

// Error prints.
func (l *logger) Error(message string) { l.printf("error: %s", plain(message)) }

func (l *logger) Warnf(format string, args ...any)  { l.Warn(fmt.Sprintf(format, args...)) }
func (l *logger) Errorf(format string, args ...any) { l.Error(fmt.Sprintf(format, args...)) }
func (l *logger) V(level log.Level) log.InfoLogger  { return info{l, level} }

// info drops everything above level 0, which is kind's debugging.
type info struct {
	*logger
	level log.Level
}

func (i info) Enabled() bool { return i.level <= 0 }

func (i info) Info(message string) {
	if i.Enabled() {
		i.report(message)
	}
}

func (i info) Infof(format string, args ...any) { i.Info(fmt.Sprintf(format, args...)) }
