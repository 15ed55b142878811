package cli

import "gitlab.com/selfcontained/pipeline/pipeline"

// palette paints words for a terminal; the zero value leaves them as they are.
type palette struct{ on bool }

// The colours, as parameters of the escape sequence "select graphic rendition"
// of ECMA-48. All terminals have them, the Linux console too.
const (
	dim    = "2"
	red    = "31"
	green  = "32"
	yellow = "33"
)

func (p palette) paint(colour, word string) string {
	if !p.on || colour == "" || word == "" {
		return word
	}
	return "\x1b[" + colour + "m" + word + "\x1b[m"
}

// colourOf is the colour of a state in words, as stateOf or a live view says it.
func colourOf(state string) string {
	switch state {
	case string(pipeline.Passed):
		return green
	case string(pipeline.Failed):
		return red
	case upToDate, string(pipeline.Inapplicable), string(pipeline.Skipped), running:
		return dim
	}
	return yellow
}
