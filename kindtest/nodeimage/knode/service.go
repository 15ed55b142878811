//go:build linux

package main

import (
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

const (
	startTime = 20 * time.Second       // for containerd to answer
	stopTime  = 10 * time.Second       // between SIGTERM and SIGKILL
	pause     = 300 * time.Millisecond // before a service is started again
)

// service is a program that is kept running while it is wanted.
type service struct {
	name    string
	log     string // file that takes its output
	command func() ([]string, error)
	reap    *reaper
	notes   *logger

	mu      sync.Mutex
	pid     int           // 0 while it does not run
	leave   chan struct{} // closed to end the loop; nil while not wanted
	stopped chan struct{} // closed when the loop has ended
}

func newServices(reap *reaper, log *logger) map[string]*service {
	services := map[string]*service{}
	for name, command := range map[string]func() ([]string, error){
		"containerd": containerdCommand, "kubelet": kubeletCommand,
	} {
		services[name] = &service{name: name, log: filepath.Join(logFolder, name+".log"), command: command, reap: reap, notes: log}
	}
	return services
}

func containerdCommand() ([]string, error) {
	return []string{"/usr/local/bin/containerd", "--config", "/etc/containerd/config.toml"}, nil
}

// start makes the service wanted. It returns at once.
func (s *service) start() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.leave != nil {
		return
	}
	s.leave, s.stopped = make(chan struct{}), make(chan struct{})
	go s.run(s.leave, s.stopped)
}

// stop ends the service and returns when it has ended.
func (s *service) stop() {
	s.mu.Lock()
	leave, stopped := s.leave, s.stopped
	s.leave = nil
	s.mu.Unlock()
	if leave == nil {
		return
	}
	close(leave)
	<-stopped
}

// active reports the service's process id, 0 when it does not run.
func (s *service) active() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pid
}

// run starts the program again and again until leave is closed.
func (s *service) run(leave <-chan struct{}, stopped chan<- struct{}) {
	defer close(stopped)
	for {
		if err := s.once(leave); err != nil {
			s.notes.printf("%s: %v", s.name, err)
		}
		select {
		case <-leave:
			return
		case <-time.After(pause):
		}
	}
}

// once runs the program until it ends or leave is closed.
func (s *service) once(leave <-chan struct{}) error {
	argv, err := s.command()
	if err != nil {
		return err
	}
	out, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	pid, ended, err := s.reap.start(argv, os.Environ(), out)
	_ = out.Close()
	if err != nil {
		return err
	}
	s.setPid(pid)
	defer s.setPid(0)
	select {
	case status := <-ended:
		s.notes.printf("%s ended (exit %d, signal %d), starting it again", s.name, status.ExitStatus(), status.Signal())
	case <-leave:
		_ = syscall.Kill(pid, syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(stopTime):
			_ = syscall.Kill(pid, syscall.SIGKILL)
			<-ended
		}
	}
	return nil
}

func (s *service) setPid(pid int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pid = pid
}
