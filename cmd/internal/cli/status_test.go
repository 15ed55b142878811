package cli

import (
	"bytes"
	"os"
	"testing"
)

func TestTerminalSizeOfNoTerminal(t *testing.T) {
	t.Parallel()
	file, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if terminalSize(&bytes.Buffer{}) != nil || terminalSize(file) != nil {
		t.Error("a buffer or a device is taken for a terminal")
	}
}

func TestEnvironmentDecidesTheView(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		env           map[string]string
		live, colours bool
	}{
		{map[string]string{"TERM": "xterm"}, true, true},
		{map[string]string{"TERM": "linux", "NO_COLOR": "1"}, true, false},
		{map[string]string{"TERM": "linux", "NO_COLOR": ""}, true, true},
		{map[string]string{"TERM": "dumb"}, false, false},
		{map[string]string{"TERM": "xterm", "CI": "true"}, false, true},
		{map[string]string{}, false, true},
	} {
		getenv := func(name string) string { return c.env[name] }
		if live, colours := wantsLive(getenv), wantsColour(getenv); live != c.live || colours != c.colours {
			t.Errorf("%v: live %v, colours %v", c.env, live, colours)
		}
	}
}

func TestReflows(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{"": true, "XTERM_VERSION": false, "STY": false, "TMUX": true} {
		if got := reflows(func(n string) string { return map[string]string{name: "1"}[n] }); got != want {
			t.Errorf("with %s: %v", name, got)
		}
	}
}

func TestPrintable(t *testing.T) {
	t.Parallel()
	if got, want := printable("a\tb\r\n\x1b[2Jc\u202ed"), "a\tb\n[2Jcd"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
