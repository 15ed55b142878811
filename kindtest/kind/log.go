package kind

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"sigs.k8s.io/kind/pkg/log"
)

// logTail is how many lines of kind's log an error shows.
const logTail = 20

// logger is kind's logger and our own. It writes whole lines to out and keeps
// the last ones.
type logger struct {
	mu    sync.Mutex
	out   io.Writer
	lines []string
}

func (l *logger) printf(format string, args ...any) { l.line(fmt.Sprintf(format, args...)) }

func (l *logger) line(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(text) {
		if line = strings.TrimRight(line, " \n"); line == "" {
			continue
		}
		fmt.Fprintln(l.out, line)
		l.lines = append(l.lines, line)
	}
	if n := len(l.lines); n > logTail {
		l.lines = slices.Delete(l.lines, 0, n-logTail)
	}
}

func (l *logger) tail() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.lines)
}

// The methods of log.Logger.

func (l *logger) Warn(message string)               { l.line("warning: " + message) }
func (l *logger) Warnf(format string, args ...any)  { l.Warn(fmt.Sprintf(format, args...)) }
func (l *logger) Error(message string)              { l.line("error: " + message) }
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
		i.line(message)
	}
}

func (i info) Infof(format string, args ...any) { i.Info(fmt.Sprintf(format, args...)) }
