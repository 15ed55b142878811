//go:build linux

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
)

// serve answers systemctl on a unix socket from now on.
func serve(socket string, services map[string]*service, log *logger) error {
	if err := os.Remove(socket); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	l, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				log.note(err)
				return
			}
			go answer(c, services, log)
		}
	}()
	return nil
}

// answer reads "VERB UNIT" and writes the exit code, a newline and the text.
func answer(c net.Conn, services map[string]*service, log *logger) {
	defer func() { _ = c.Close() }()
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil {
		return
	}
	verb, unit, _ := strings.Cut(strings.TrimSpace(line), " ")
	code, text := control(verb, unit, services, log)
	fmt.Fprintf(c, "%d\n%s", code, text)
}

// control does what a verb asks for. Exit codes as systemctl's.
func control(verb, unit string, services map[string]*service, log *logger) (code int, text string) {
	s, ok := services[unit]
	if !ok {
		return 4, fmt.Sprintf("Unit %s.service could not be found.\n  Loaded: not-found\n", unit)
	}
	switch verb {
	case "is-enabled":
		return 0, "enabled\n"
	case "is-active", "status":
		return report(verb, s)
	}
	log.printf("systemctl %s %s", verb, unit)
	switch verb {
	case "start":
		s.start()
	case "stop":
		s.stop()
	case "restart", "reload", "try-restart", "reload-or-restart":
		s.stop()
		s.start()
	default:
		return 1, fmt.Sprintf("Unknown command verb %s.\n", verb)
	}
	if unit == "containerd" && verb != "stop" {
		// kind uses it at once.
		if err := awaitSocket(containerdSocket, startTime); err != nil {
			return 1, err.Error() + "\n"
		}
	}
	return 0, ""
}

// report says whether a service runs. kubeadm takes any answer of status but
// "not found" for an installed service.
func report(verb string, s *service) (code int, text string) {
	pid := s.active()
	state := "active"
	if pid == 0 {
		code, state = 3, "inactive"
	}
	if verb == "is-active" {
		return code, state + "\n"
	}
	return code, fmt.Sprintf("%s.service\n  Loaded: loaded\n  Active: %s\n  Main PID: %d\n", s.name, state, pid)
}
