package sandbox

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"

	"gitlab.com/selfcontained/pipeline/stages/module/instance"
)

// process is the parent's view of a started sandbox.
type process struct {
	ctl   *control
	kill  context.CancelFunc
	addr  string
	done  chan struct{}
	ready chan error // one value: whether the program was started

	mu    sync.Mutex
	exit  *instance.Exit
	dials map[int]chan connection
	last  int
}

type connection struct {
	conn net.Conn
	err  error
}

var errGone = errors.New("the sandbox has ended")

// Addr returns the loopback address that leads to the port inside.
func (p *process) Addr() string { return p.addr }

// Done is closed when everything in the sandbox has ended.
func (p *process) Done() <-chan struct{} { return p.done }

// Exit returns how the program ended.
func (p *process) Exit() instance.Exit {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.exit == nil {
		return instance.Exit{Code: -1, Err: errors.New("still running")}
	}
	return *p.exit
}

// Signal has the init send a signal to the program.
func (p *process) Signal(s syscall.Signal) error { return p.ctl.send(request{Signal: int(s)}, -1) }

// Kill kills the init, which takes everything else with it, and waits.
func (p *process) Kill() {
	p.kill()
	<-p.done
}

// receive handles what the init says until its end of the socket is closed.
func (p *process) receive() {
	defer func() { p.say(errGone) }()
	for {
		var e event
		file, err := p.ctl.receive(&e)
		if err != nil {
			p.failDials()
			return
		}
		switch e.Kind {
		case started:
			p.say(nil)
		case failed:
			err := errors.New(e.Error)
			if e.Program {
				err = &instance.NotStartedError{Err: err}
			}
			p.setExit(instance.Exit{Code: -1, Err: err})
			p.say(err)
		case exited:
			exit := instance.Exit{Code: e.Code, Signal: syscall.Signal(e.Signal)}
			if e.Signal != 0 {
				exit.Code = -1
			}
			p.setExit(exit)
		case dialed:
			p.answer(e, file)
			continue
		}
		if file != nil {
			file.Close()
		}
	}
}

func (p *process) say(err error) {
	select {
	case p.ready <- err:
	default:
	}
}

func (p *process) setExit(e instance.Exit) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.exit == nil {
		p.exit = &e
	}
}

// ended fills in the exit when the init could not tell it.
func (p *process) ended(err error, state *os.ProcessState) {
	if ws, ok := state.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		p.setExit(instance.Exit{Code: -1, Signal: ws.Signal()})
	}
	if err == nil {
		err = errors.New("without a word")
	}
	p.setExit(instance.Exit{Code: -1, Err: fmt.Errorf("the sandbox ended: %w", err)})
}

// Dial connects to the port inside; an error says that nothing listens there.
func (p *process) Dial(ctx context.Context) (net.Conn, error) {
	answer := make(chan connection, 1)
	p.mu.Lock()
	p.last++
	id := p.last
	p.dials[id] = answer
	p.mu.Unlock()
	if err := p.ctl.send(request{Dial: id}, -1); err != nil {
		return nil, errGone
	}
	select {
	case c := <-answer:
		return c.conn, c.err
	case <-p.done:
		return nil, errGone
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *process) answer(e event, file *os.File) {
	var c connection
	switch {
	case file != nil:
		c.conn, c.err = net.FileConn(file)
		file.Close()
	case e.Error != "":
		c.err = errors.New(e.Error)
	default:
		c.err = errGone
	}
	p.mu.Lock()
	waiting := p.dials[e.Dial]
	delete(p.dials, e.Dial)
	p.mu.Unlock()
	if waiting != nil {
		waiting <- c
	} else if c.conn != nil {
		c.conn.Close()
	}
}

func (p *process) failDials() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, waiting := range p.dials {
		waiting <- connection{err: errGone}
	}
	clear(p.dials)
}

// namespaces returns the identities of this process's namespaces.
func namespaces() map[string]string {
	ids := map[string]string{}
	kinds := []string{"user"}
	for kind := range namespaceKinds() {
		kinds = append(kinds, kind)
	}
	for _, kind := range kinds {
		if id, err := os.Readlink("/proc/self/ns/" + kind); err == nil {
			ids[kind] = id
		}
	}
	return ids
}
