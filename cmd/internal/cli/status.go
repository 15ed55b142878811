package cli

import (
	"io"
	"os"
	"time"

	"golang.org/x/term"
)

// newStatusView starts the live view of a run on a terminal; close ends it. size
// is what terminalSize returned.
func newStatusView(w io.Writer, plain *plainView, size func() (width, height int)) *liveView {
	v := newLiveView(w, plain, liveOptions{
		size: size, reflows: reflows(os.Getenv), colours: wantsColour(os.Getenv), now: time.Now,
	})
	ticker := time.NewTicker(frameTime)
	v.animate(ticker.C, ticker.Stop)
	return v
}

// terminalSize returns a function for the columns and lines of the terminal that
// w is, or nil when a live view is not wanted there: when it is no terminal, when
// it cannot move its cursor, and in CI, whose terminals are logs.
func terminalSize(w io.Writer) func() (width, height int) {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) || !wantsLive(os.Getenv) {
		return nil
	}
	return func() (width, height int) {
		width, height, err := term.GetSize(int(f.Fd()))
		if err != nil || width <= 0 || height <= 0 {
			return 80, 24
		}
		return width, height
	}
}

func wantsLive(getenv func(string) string) bool {
	kind := getenv("TERM")
	return kind != "" && kind != "dumb" && getenv("CI") == ""
}

// wantsColour follows https://no-color.org.
func wantsColour(getenv func(string) string) bool {
	return getenv("NO_COLOR") == "" && getenv("TERM") != "dumb"
}

// reflows is false for xterm and GNU screen, which cut lines when they become
// narrower; tmux within them does break them anew.
func reflows(getenv func(string) string) bool {
	return getenv("TMUX") != "" || getenv("XTERM_VERSION") == "" && getenv("STY") == ""
}
