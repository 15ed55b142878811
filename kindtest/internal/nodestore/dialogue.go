package nodestore

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"strings"

	"gitlab.com/selfcontained/pipeline/pipeline/proc"
)

// dialogue is a script in a node that prints sections, each ended by a line
// "--", and between them waits for a line that lets it go on. Entering a
// container takes longer than most of what is done there, so one entry has to
// do.
type dialogue struct {
	in    *os.File // of the script
	out   *bufio.Reader
	ended chan error
}

// talk begins a script. The dialogue has to be ended.
func (n *node) talk(ctx context.Context, script string, args []string) (*dialogue, error) {
	child, in, err := os.Pipe() // a file: the command's end is seen though nothing is written to it
	if err != nil {
		return nil, err
	}
	defer child.Close()
	r, w := io.Pipe()
	argv := append([]string{n.engine, "exec", "-i", n.container, "sh", "-c", script, "sh"}, args...)
	p, err := proc.Cmd{Args: argv, Stdin: child, Stdout: w}.Start(ctx)
	if err != nil {
		return nil, errors.Join(err, in.Close())
	}
	d := &dialogue{in: in, out: bufio.NewReader(r), ended: make(chan error, 1)}
	go func() {
		d.ended <- p.Wait()
		w.Close()
	}()
	return d, nil
}

// section returns the next section, or what there is of it when the script
// ends before: end tells why.
func (d *dialogue) section() (text string, whole bool) {
	var b strings.Builder
	for {
		line, err := d.out.ReadString('\n')
		if line == "--\n" {
			return b.String(), true
		}
		b.WriteString(line)
		if err != nil {
			return b.String(), false
		}
	}
}

// tell lets the script go on.
func (d *dialogue) tell(line string) error {
	_, err := io.WriteString(d.in, line+"\n")
	return err
}

// end closes the input of the script, drops what it still says and waits for
// its end.
func (d *dialogue) end() error {
	d.in.Close()
	_, _ = io.Copy(io.Discard, d.out)
	return <-d.ended
}
