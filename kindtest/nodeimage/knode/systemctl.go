//go:build linux

package main

import (
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
)

// systemctl is the client side: it sends each unit to PID 1. Exit codes are
// those of systemctl(1): 0, 3 for a unit that is not running, 4 for one that
// does not exist, 1 for anything else.
func systemctl(args []string, socket string, stdout, stderr io.Writer) int {
	verb, units := parseSystemctl(args)
	if verb == "" {
		fmt.Fprintln(stderr, "systemctl: usage: systemctl VERB UNIT...")
		return 1
	}
	if changesNothing(verb) {
		return 0
	}
	if len(units) == 0 {
		fmt.Fprintf(stderr, "systemctl: %s: no unit\n", verb)
		return 1
	}
	code := 0
	for _, unit := range units {
		answer, text, err := ask(socket, verb, unit)
		if err != nil {
			fmt.Fprintln(stderr, "systemctl:", err)
			return 1
		}
		fmt.Fprint(stdout, text)
		code = max(code, answer)
	}
	return code
}

// parseSystemctl returns the verb and the units without their suffix; options
// are ignored, as kubeadm and kind give none that matters here.
func parseSystemctl(args []string) (verb string, units []string) {
	for _, a := range args {
		switch {
		case strings.HasPrefix(a, "-"):
		case verb == "":
			verb = a
		default:
			units = append(units, strings.TrimSuffix(a, ".service"))
		}
	}
	return verb, units
}

// changesNothing lists the verbs that are about unit files, which do not exist
// here.
func changesNothing(verb string) bool {
	switch verb {
	case "daemon-reload", "enable", "disable", "mask", "unmask", "reset-failed":
		return true
	}
	return false
}

// ask sends one request and returns the exit code and the text of the answer.
func ask(socket, verb, unit string) (int, string, error) {
	c, err := net.Dial("unix", socket)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = c.Close() }()
	if _, err := fmt.Fprintf(c, "%s %s\n", verb, unit); err != nil {
		return 0, "", err
	}
	raw, err := io.ReadAll(c)
	if err != nil {
		return 0, "", err
	}
	first, text, _ := strings.Cut(string(raw), "\n")
	code, err := strconv.Atoi(first)
	if err != nil {
		return 0, "", fmt.Errorf("PID 1 answered %q", raw)
	}
	return code, text, nil
}
