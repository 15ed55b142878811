package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

const usage = `usage: hostsetup exec [--with podman,registry,completion,skopeo,node,rsync] -- COMMAND ARG...
       hostsetup up [--with podman,registry,completion,skopeo,node,rsync]
       hostsetup status | down
`

// call is a parsed command line.
type call struct {
	verb    string
	with    []string
	command []string // for exec
}

func parse(args []string) (call, error) {
	if len(args) == 0 {
		return call{}, errors.New("no command")
	}
	c := call{verb: args[0]}
	rest := args[1:]
	var err error
	if c.verb == "up" || c.verb == "exec" {
		if c.with, rest, err = parseWith(rest); err != nil {
			return call{}, err
		}
	}
	switch c.verb {
	case "exec":
		if len(rest) > 0 && rest[0] == "--" {
			rest = rest[1:]
		}
		if len(rest) == 0 {
			return call{}, errors.New("exec: no COMMAND")
		}
		c.command = rest
		return c, nil
	case "up", "down", "status":
		if len(rest) > 0 {
			return call{}, fmt.Errorf("%s: unexpected %q", c.verb, rest[0])
		}
		return c, nil
	}
	return call{}, fmt.Errorf("unknown command %q", c.verb)
}

func parseWith(args []string) (with, rest []string, err error) {
	for len(args) > 0 {
		value, joined := strings.CutPrefix(args[0], "--with=")
		switch {
		case joined:
			args = args[1:]
		case args[0] == "--with" && len(args) > 1:
			value, args = args[1], args[2:]
		default:
			return with, args, nil
		}
		for _, w := range strings.Split(value, ",") {
			if !slices.Contains(extras(), w) {
				return nil, nil, fmt.Errorf("--with %s: expected %s", w, strings.Join(extras(), ", "))
			}
			with = append(with, w)
		}
	}
	return with, args, nil
}
