package config

import (
	"slices"
	"strings"
)

// cycles notes stages of this file that wait for each other.
func (c *checker) cycles() {
	const (
		open = 1
		done = 2
	)
	state := map[string]int{}
	var stack []string
	var visit func(name string)
	visit = func(name string) {
		state[name] = open
		stack = append(stack, name)
		for _, e := range c.edges(name) {
			switch state[e.to] {
			case open:
				cycle := append(slices.Clone(stack[slices.Index(stack, e.to):]), e.to)
				c.problem(c.node(e.at), "stages wait for each other: %s; expected no cycle in needs and after", strings.Join(cycle, " -> "))
			case done:
			default:
				visit(e.to)
			}
		}
		stack = stack[:len(stack)-1]
		state[name] = done
	}
	for _, name := range sortedKeys(c.s.Stages) {
		if state[name] == 0 {
			visit(name)
		}
	}
}

// edge is one element of needs or after.
type edge struct {
	to string
	at where
}

func (c *checker) edges(name string) []edge {
	var edges []edge
	s := c.s.Stages[name]
	p := at("stages", name)
	for i, to := range s.Needs {
		edges = append(edges, edge{c.own(to), p.key("needs").index(i)})
	}
	for i, to := range s.After {
		edges = append(edges, edge{c.own(to), p.key("after").index(i)})
	}
	return edges
}

// own returns the stage without this service's name before it.
func (c *checker) own(name string) string { return strings.TrimPrefix(name, c.s.Name+"/") }
