package proc

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestErrorCanBePastedAndSaysWhatHappened(t *testing.T) {
	t.Parallel()
	err := Cmd{Args: []string{"sh", "-c", "echo one; echo 'it broke' >&2; exit 7"}}.Run(t.Context())
	want := `sh -c 'echo one; echo '\''it broke'\'' >&2; exit 7': exit status 7: it broke`
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	if ExitCode(err) != 7 {
		t.Errorf("exit code %d", ExitCode(err))
	}
	err = Cmd{Args: []string{"sh", "-c", "kill -9 $$"}}.Run(t.Context())
	var e *Error
	if !errors.As(err, &e) || e.Signal != syscall.SIGKILL {
		t.Errorf("killed: %v", err)
	}
	if err := (Cmd{Args: []string{"no-such-command-here"}}).Run(t.Context()); !NotFound(err) {
		t.Errorf("NotFound(%v) is false", err)
	}
}

func TestCancelStopsTheWholeTree(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	out := &notifyWriter{first: make(chan string, 1)}
	p, err := Cmd{
		Args:   []string{"sh", "-c", "sleep 300 & echo $!; wait"},
		Stdout: out, Grace: time.Second,
	}.Start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	grandchild, err := strconv.Atoi(strings.TrimSpace(<-out.first))
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	err = p.Wait()
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want one that wraps context.Canceled", err)
	}
	for deadline := time.Now().Add(5 * time.Second); ; {
		if gone(grandchild) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("process %d outlived the cancellation", grandchild)
		}
	}
}

// gone reports whether a process has ended (a zombie that nobody reaps has).
func gone(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return syscall.Kill(pid, 0) != nil
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return strings.HasPrefix(rest, "Z")
}

type notifyWriter struct{ first chan string }

func (n *notifyWriter) Write(p []byte) (int, error) {
	select {
	case n.first <- string(p):
	default:
	}
	return len(p), nil
}

func TestSameWriterForBothStreams(t *testing.T) {
	t.Parallel()
	var both bytes.Buffer
	if err := (Cmd{Args: []string{"sh", "-c", "echo a; echo b >&2; echo c; echo d >&2"}, Stdout: &both, Stderr: &both}).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := both.String(); got != "a\nb\nc\nd\n" {
		t.Errorf("output %q", got)
	}
}

func TestStraysAreFoundByTheirEnvironment(t *testing.T) {
	t.Parallel()
	run := "test-" + strconv.Itoa(os.Getpid())
	out := &notifyWriter{first: make(chan string, 1)}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	p, err := Cmd{Args: []string{"sh", "-c", "sleep 300 & echo up; wait"}, Env: []string{RunVariable + "=" + run}, Stdout: out}.Start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	<-out.first
	if n := KillStrays(run); n == 0 {
		t.Error("no process found")
	}
	var e *Error
	if err := p.Wait(); !errors.As(err, &e) || e.Signal != syscall.SIGKILL {
		t.Errorf("the stray ended with %v", err)
	}
}

func TestMaskAcrossWrites(t *testing.T) {
	t.Parallel()
	m := NewMasker("topsecret", "top-level", "short", "")
	for _, parts := range [][]string{
		{"a topsecret b"}, {"a top", "secret b"}, {"a t", "o", "p", "s", "e", "c", "r", "e", "t", " b"},
	} {
		var out bytes.Buffer
		w := m.Writer(&out)
		for _, p := range parts {
			if _, err := w.Write([]byte(p)); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if got := out.String(); got != "a [MASKED] b" {
			t.Errorf("%q gave %q", parts, got)
		}
	}
	var out bytes.Buffer
	w := m.Writer(&out)
	_, _ = w.Write([]byte("ends with tops"))
	_ = w.Close()
	if out.String() != "ends with tops" {
		t.Errorf("the held back end came out as %q", out.String())
	}
}

func FuzzMask(f *testing.F) {
	f.Add("abcabcabd secret abcab", 3)
	f.Fuzz(func(t *testing.T, text string, cut int) {
		m := NewMasker("abcabd", "secret value", "\x00\x01\x02\x03\x04\x05")
		cut = min(max(cut, 0), len(text))
		var out bytes.Buffer
		w := m.Writer(&out)
		_, _ = w.Write([]byte(text[:cut]))
		_, _ = w.Write([]byte(text[cut:]))
		_ = w.Close()
		if got, want := out.String(), m.String(text); got != want {
			t.Errorf("in two writes %q, at once %q", got, want)
		}
	})
}

func TestQuoteIsReadBackByTheShell(t *testing.T) {
	t.Parallel()
	for _, arg := range []string{"", "plain", "two words", "it's", "$HOME", "a\nb", `back\slash`, "*"} {
		out, err := Cmd{Args: []string{"sh", "-c", "printf %s " + Quote([]string{arg})}}.Output(t.Context())
		if err != nil || string(out) != arg {
			t.Errorf("%q came back as %q (%v)", arg, out, err)
		}
	}
}
